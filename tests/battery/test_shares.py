from __future__ import annotations

import json
from dataclasses import replace
from math import nan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.battery.alignment import Snapshot
from bridge.battery.shares import Circuit as Learning
from bridge.battery.shares import Shares, prior_s
from bridge.model import PackSettings
from tests.battery.circuit import Circuit, turns
from tests.battery.story import pack

ALIKE = (pack("a", 280, 100), pack("b", 280, 100), pack("c", 280, 100))
OHM = (0.007, 0.012, 0.018)
TRUE = [1 / r / sum(1 / x for x in OHM) for r in OHM]
HOUR_S, DAY_S = 3600.0, 86400.0


def bank(**fields: object) -> Circuit:
    return replace(Circuit(ALIKE, OHM, (52.0, 52.0, 52.0)), **fields)  # type: ignore[arg-type]  # as written by each test


def snapshot(time_s: float, *currents_a: float, restless_a: float = 0.0) -> Snapshot:
    return Snapshot(time_s, currents_a, sum(currents_a), restless_a, (0.0,) * len(currents_a))


def learning(*packs: PackSettings) -> Learning:
    return Shares().circuit(packs)


def test_before_anything_was_seen_shares_go_with_capacity_and_are_uncertain() -> None:
    circuit = learning(pack("a", 300), pack("b", 100))

    assert circuit.share == pytest.approx([0.75, 0.25])
    assert circuit.margin == pytest.approx([0.37, 0.37])
    assert circuit.measured == [False, False]


def test_a_path_that_is_given_counts_beside_the_resistance_of_the_cells() -> None:
    own = pack("a", 280)
    cells_ohm = 16 * 0.07 / 280

    assert prior_s(own) == pytest.approx(1 / (2 * cells_ohm))
    assert prior_s(replace(own, path_mohm=8.0)) == pytest.approx(1 / (cells_ohm + 0.008))


def test_one_step_of_the_load_tells_the_shares() -> None:
    circuit = learning(*ALIKE)

    circuit.learn(snapshot(0.0, 0.0, 0.0, 0.0))
    assert circuit.learn(snapshot(4.0, -100.0, -60.0, -40.0))

    assert circuit.share == pytest.approx([0.5, 0.3, 0.2], abs=0.005)
    assert circuit.measured == [True, True, True]


def test_what_circulates_does_not_disturb_the_shares() -> None:
    circuit = learning(*ALIKE)

    circuit.learn(snapshot(0.0, 40.0, -10.0, -30.0))
    circuit.learn(snapshot(4.0, -60.0, -70.0, -70.0))

    assert circuit.share == pytest.approx([0.5, 0.3, 0.2], abs=0.005)


@pytest.mark.parametrize(
    "end",
    [
        snapshot(4.0, -6.0, -4.0, -1.0),  # 11 A where 4 % of the rating are 12 A
        snapshot(4.0, -100.0, -60.0, -40.0, restless_a=41.0),  # it still moves
    ],
)
def test_small_and_restless_steps_teach_nothing(end: Snapshot) -> None:
    circuit = learning(*ALIKE)
    circuit.learn(snapshot(0.0, 0.0, 0.0, 0.0))

    assert not circuit.learn(end)
    assert circuit.share == pytest.approx([1 / 3] * 3)


def test_a_slow_step_counts_little() -> None:
    """Within minutes polarisation shifts the current from pack to pack."""
    fast, slow = learning(*ALIKE), learning(*ALIKE)
    for circuit, elapsed_s in ((fast, 4.0), (slow, 28.0)):
        circuit.learn(snapshot(0.0, 0.0, 0.0, 0.0))
        circuit.learn(snapshot(elapsed_s, -20.0, -12.0, -8.0))

    assert fast.share[0] > slow.share[0] > 1 / 3
    assert fast.margin[2] < slow.margin[2]


def test_the_margin_falls_to_its_floor_as_steps_agree() -> None:
    circuit = bank().run(600, turns(-200.0))

    assert circuit.shares() == pytest.approx(TRUE, rel=0.01)
    assert max(circuit.margins()) < 0.03


@pytest.mark.parametrize("period_s", [(1.0, 1.0, 1.0), (1.0, 2.0, 5.0), (5.0, 5.0, 3.0)])
def test_packs_that_are_polled_at_different_times_are_compared_at_the_same(
    period_s: tuple[float, ...],
) -> None:
    circuit = bank(period_s=period_s, noise_a=0.15).run(HOUR_S / 2, turns(-200.0))

    assert circuit.shares() == pytest.approx(TRUE, rel=0.03)
    assert max(circuit.margins()) < 0.08


def test_sensors_that_read_small_currents_as_zero_do_not_mislead() -> None:
    circuit = bank(dead_a=1.0, noise_a=0.15).run(HOUR_S / 2, turns(-150.0, -2.0))

    assert circuit.shares() == pytest.approx(TRUE, rel=0.03)


def test_shares_learned_together_hold_for_the_packs_that_stay() -> None:
    circuit = bank().run(300, turns(-200.0))

    circuit.off.add("a")
    circuit.run(2, 0.0)

    assert circuit.shares() == pytest.approx([TRUE[1] / (1 - TRUE[0]), TRUE[2] / (1 - TRUE[0])], rel=0.01)


def test_what_two_packs_teach_fits_what_three_had_taught() -> None:
    circuit = bank().run(300, turns(-200.0))
    circuit.off.add("b")
    circuit.run(600, turns(-150.0))
    circuit.off.clear()
    circuit.run(2, 0.0)

    assert circuit.shares() == pytest.approx(TRUE, rel=0.02)


@pytest.mark.parametrize("load_a", [0.0, -150.0])
def test_an_hour_at_constant_current_with_noise_changes_no_share(load_a: float) -> None:
    """I16: 1 A of noise on each sensor, no step of the load."""
    circuit = bank().run(600, turns(-200.0)).run(60, load_a)
    before = circuit.shares()
    circuit.noise_a, circuit.step_s = 1.0, 1.0

    circuit.run(HOUR_S, load_a)

    assert circuit.shares() == pytest.approx(before, rel=0.01)


def test_a_whole_day_of_noise_around_a_constant_current_changes_no_share() -> None:
    """I16, of the estimator alone: every second, beginning with what was learned."""
    circuit, chance = learning(*ALIKE), Random(2)
    for i in range(20):
        circuit.learn(snapshot(10.0 * i, *([0.0] * 3 if i % 2 else [-100.0, -60.0, -40.0])))
    before = list(circuit.share)

    for second in range(int(DAY_S)):
        noisy_a = [amps + chance.gauss() for amps in (-50.0, -30.0, -20.0)]
        circuit.learn(snapshot(300.0 + second, *noisy_a, restless_a=abs(chance.gauss(0.0, 2.4))))

    assert circuit.share == pytest.approx(before, rel=0.01)


def test_what_was_learned_survives_a_restart_at_a_quarter_of_its_weight() -> None:
    old = bank().run(300, turns(-200.0))
    kept = json.loads(json.dumps(old.sharing.state()))

    new = bank()
    new.sharing.restore(kept)
    new.run(2, 0.0)

    assert new.shares() == pytest.approx(old.shares(), rel=0.03)
    assert all(a > b for a, b in zip(new.margins(), old.margins(), strict=True))


@pytest.mark.parametrize(
    "kept",
    [{}, {"a": None}, {"a": [1, 2]}, {"a": [1, 2, nan]}, {"a": [-1, 2, 3]}, {"a": "xyz"}, {"a": ["1"] * 3}],
)
def test_what_is_no_state_is_left_out(kept: object) -> None:
    shares = Shares()
    shares.restore({"a": kept})

    assert shares.state() == {}


@settings(deadline=None)
@given(st.permutations([0, 1, 2]), st.lists(st.tuples(*[st.floats(-100, 100)] * 3), max_size=8))
def test_the_order_of_the_packs_does_not_matter(
    order: list[int], pictures: list[tuple[float, float, float]]
) -> None:
    def learned(places: list[int]) -> dict[str, tuple[float, float]]:
        circuit = learning(*[ALIKE[i] for i in places])
        for number, currents_a in enumerate(pictures):
            amps = tuple([currents_a[i] for i in places])
            circuit.learn(Snapshot(5.0 * number, amps, sum(currents_a), 0.0, (0.0,) * len(amps)))
        figures = zip(circuit.share, circuit.margin, strict=True)
        return {ALIKE[i].name: figure for i, figure in zip(places, figures, strict=True)}

    assert learned(order) == learned([0, 1, 2])


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(-500, 500)] * 3), max_size=20))
def test_whatever_was_seen_shares_stay_shares(pictures: list[tuple[float, float, float]]) -> None:
    circuit = learning(*ALIKE)
    for number, currents_a in enumerate(pictures):
        circuit.learn(snapshot(5.0 * number, *currents_a))

    assert sum(circuit.share) == pytest.approx(1.0)
    assert all(0.0 < share < 1.0 for share in circuit.share)
    assert all(0.02 <= margin <= 0.5 for margin in circuit.margin)


def test_a_pack_of_a_small_share_is_not_learned_from_the_middle_of_its_own_step() -> None:
    """A load that keeps time with the polls: the third pack's line is drawn through every step at the same
    place, and the bank is calm by then, for what it carries is less than a fifth.
    """
    packs = (pack("a", 50, 44), pack("b", 75, 75), pack("c", 50, 20))
    circuit = Circuit(packs, (0.0137, 0.0078, 0.0234), (52.0, 52.0, 52.0), noise_a=0.1)

    circuit.run(400, turns(-70.0))

    assert circuit.shares() == pytest.approx([0.299, 0.526, 0.175], abs=0.005)
