"""What holds for every bank, however its packs are wired: hypothesis looks for one where it does not."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from math import fsum

from hypothesis import given
from hypothesis import strategies as st

from bridge.battery.aggregator import Aggregator
from bridge.battery.facts import Memory
from bridge.battery.pack_rules import pack_limits
from bridge.model import BankSettings, Decision, Limit, PackSample, PackSettings, Topology, Wiring
from tests.battery.plain import needs_plain
from tests.battery.story import changed, well
from tests.battery.test_invariants import (
    FAST,
    LONG,
    QUICK,
    STEP_S,
    hear,
    limits,
    pack_settings,
    samples,
    settled,
)
from tests.battery.wiring import parallel, series

PACKS_MAX = 6
SAID = st.lists(samples(), min_size=PACKS_MAX, max_size=PACKS_MAX)
ONE_CELL_STEP = 4


@st.composite
def wirings(draw: st.DrawFn) -> tuple[Topology, list[PackSettings]]:
    """A tree of at most six packs, whose parallel parts have the same cells, and its packs."""
    packs: list[PackSettings] = []

    def part(height: int, depth: int) -> str | Topology:
        kinds = ["leaf"]
        if depth < 3 and len(packs) < PACKS_MAX - 2:
            kinds += ["parallel"] + (["series"] * 2 if height > 1 else [])
        kind = draw(st.sampled_from(kinds))
        if kind == "parallel":
            return parallel(part(height, depth + 1), part(height, depth + 1))
        if kind == "series":
            lower = draw(st.integers(1, height - 1))
            return series(part(lower, depth + 1), part(height - lower, depth + 1))
        name = f"p{len(packs)}"
        own = draw(pack_settings)
        packs.append(replace(own, name=name, cells=ONE_CELL_STEP * height, series_rated=True))
        return name

    whole = part(draw(st.integers(1, 3)), 0)
    return (series(whole) if isinstance(whole, str) else whole), packs


def fitted(packs: Sequence[PackSettings], said: Sequence[PackSample]) -> list[PackSample]:
    """The samples with as many cells as each pack has, and at rest: then nothing is learned of shares, and
    what these tests compare with, a current that divides by capacity, is what the bank goes by.
    """
    found = []
    for pack, sample in zip(packs, said, strict=False):
        cells_v = sample.cell_voltages_v * (pack.cells // ONE_CELL_STEP)
        rest_a = None if sample.current_a is None else 0.0
        whole_v = fsum(v or 0.0 for v in cells_v)
        found.append(replace(sample, cell_voltages_v=cells_v, voltage_v=whole_v, current_a=rest_a))
    return found


def most(
    part: str | Topology, limit: Limit, packs: dict[str, tuple[PackSettings, PackSample]]
) -> float | None:
    """What a part carries if the current divides by capacity; None if nothing in it conducts."""
    if isinstance(part, str):
        own, sample = packs[part]
        if sample.charge_fet_on is False or sample.discharge_fet_on is False:
            return None
        return pack_limits(Memory(own).facts(sample)).current(limit)[0].value
    below = [(most(child, limit, packs), capacity_ah(child, packs)) for child in at_one_node(part)]
    known = [(amps, own_ah) for amps, own_ah in below if amps is not None]
    if part.wiring is Wiring.SERIES:
        return min(amps for amps, _ in known) if len(known) == len(below) else None
    if not known:
        return None
    total_ah = fsum(own_ah for _, own_ah in known)
    return min(*[amps * total_ah / own_ah for amps, own_ah in known], fsum(amps for amps, _ in known))


def at_one_node(part: Topology) -> list[str | Topology]:
    """Its children; a parallel part within a parallel part is only a way to draw it. Each of its packs
    shares with all others, so one whose switch is open leaves more to all, not to its neighbours alone.
    """
    spliced: list[str | Topology] = []
    for child in part.children:
        same = isinstance(child, Topology) and child.wiring is part.wiring
        spliced += at_one_node(child) if isinstance(child, Topology) and same else [child]
    return spliced


def height(part: str | Topology, packs: dict[str, tuple[PackSettings, PackSample]]) -> int:
    """Cells in series from end to end."""
    if isinstance(part, str):
        return packs[part][0].cells
    below = [height(child, packs) for child in part.children]
    return sum(below) if part.wiring is Wiring.SERIES else min(below)


def capacity_ah(part: str | Topology, packs: dict[str, tuple[PackSettings, PackSample]]) -> float:
    if isinstance(part, str):
        return packs[part][0].capacity_ah
    below = [capacity_ah(child, packs) for child in part.children]
    return min(below) if part.wiring is Wiring.SERIES else fsum(below)


@QUICK
@given(wirings(), SAID)
def test_no_tree_allows_more_than_its_packs_carry(
    wiring: tuple[Topology, list[PackSettings]], said: list[PackSample]
) -> None:
    topology, packs = wiring
    said = fitted(packs, said)
    bank, now = settled(packs, replace(FAST, topology=topology), said)
    decision = bank.decide(now)
    known = {own.name: (own, sample) for own, sample in zip(packs, said, strict=True)}
    for shown, limit in zip(limits(decision), (Limit.CCL, Limit.DCL), strict=True):
        allowed_a = most(topology, limit, known)
        assert shown <= (10.0 if allowed_a is None else allowed_a) + 1e-6  # 10 A: to close a switch again
    cells = height(topology, known)
    assert decision.charge_voltage_limit_v <= cells * 3.45 + 1e-6
    assert decision.discharge_voltage_limit_v >= cells * 2.80 - 1e-6
    assert decision.bank.cells == cells


def test_an_open_pack_leaves_its_part_to_all_however_the_wiring_is_drawn() -> None:
    packs = [
        PackSettings(
            name=f"p{i}", cells=4, capacity_ah=20.0, rated_charge_current_a=5.0, rated_discharge_current_a=5.0
        )
        for i in range(4)
    ]
    said = [changed(well(cells=4), discharge_fet_on=i != 2) for i in range(4)]
    drawn = parallel(parallel("p0", parallel("p1", "p2")), "p3")
    nested, now = settled(packs, replace(FAST, topology=drawn), said)
    flat, _ = settled(packs, FAST, said)

    assert limits(nested.decide(now)) == limits(flat.decide(now))


def mirrored(topology: Topology) -> Topology:
    children = [child if isinstance(child, str) else mirrored(child) for child in topology.children]
    return replace(topology, children=tuple(children[::-1]))


@QUICK
@given(wirings(), SAID)
def test_the_order_within_a_tree_does_not_matter(
    wiring: tuple[Topology, list[PackSettings]], said: list[PackSample]
) -> None:
    topology, packs = wiring
    said = fitted(packs, said)

    def told(wired: Topology) -> Decision:
        bank, now = settled(packs, replace(FAST, topology=wired), said)
        return bank.decide(now)

    one, other = told(topology), told(mirrored(topology))

    assert limits(one) == limits(other)
    assert one.charge_voltage_limit_v == other.charge_voltage_limit_v
    assert one.discharge_voltage_limit_v == other.discharge_voltage_limit_v
    assert one.bank == other.bank
    assert (one.warnings, one.protections) == (other.warnings, other.protections)


def test_a_high_cell_that_its_bms_answers_too_is_the_loops_in_any_order() -> None:
    """Within a string one pack has a cell at its end, another's BMS forbids to charge: no reason to hold."""
    packs = [
        PackSettings(
            name=f"p{i}", cells=4, capacity_ah=20.0, rated_charge_current_a=5.0, rated_discharge_current_a=5.0
        )
        for i in range(2)
    ]
    said = [
        changed(well(cells=4), cell_voltages_v=(3.3, 3.3, 3.3, 3.625)),
        changed(well(cells=4), charge_allowed=False),
    ]
    stages = []
    for names in (("p0", "p1"), ("p1", "p0")):
        bank, now = settled(packs, replace(FAST, topology=series(*names)), said)
        stages.append(bank.decide(now).stage)

    assert stages == ["absorption", "absorption"]


@needs_plain
@LONG
@given(wirings(), SAID, st.sampled_from(["hold", "stop"]), st.booleans(), st.integers(0, PACKS_MAX - 1))
def test_losing_a_pack_of_a_tree_never_raises_a_limit(
    wiring: tuple[Topology, list[PackSettings]], said: list[PackSample], policy: str, down: bool, victim: int
) -> None:
    topology, packs = wiring
    said, victim = fitted(packs, said), victim % len(packs)
    bank, now = settled(packs, replace(FAST, topology=topology, on_pack_lost=policy), said)
    silent = copy.deepcopy(bank)
    if down:
        silent.link(packs[victim].name, up=False, now=now)
    for i in range(11):
        now += 4 * STEP_S
        moving = [replace(s, remaining_ah=float(i)) for s in said]  # or it would count as frozen
        hear(bank, packs, moving, now)
        hear(silent, packs, [None if j == victim else s for j, s in enumerate(moving)], now)
        spoken, unspoken = bank.decide(now), silent.decide(now)

        assert limits(unspoken)[0] <= limits(spoken)[0]
        assert limits(unspoken)[1] <= limits(spoken)[1]
        assert unspoken.charge_voltage_limit_v <= spoken.charge_voltage_limit_v
        assert unspoken.discharge_voltage_limit_v >= spoken.discharge_voltage_limit_v


@LONG
@given(st.lists(pack_settings, min_size=1, max_size=3), SAID)
def test_packs_in_parallel_are_the_same_written_out_or_not(
    packs: list[PackSettings], said: list[PackSample]
) -> None:
    packs = [replace(p, name=f"p{i}") for i, p in enumerate(packs)]
    written = parallel(parallel("p0"), *[series(p.name) for p in packs[1:]])
    silent, now = settled(packs, FAST, said)
    explicit, _ = settled(packs, replace(FAST, topology=written), said)

    assert explicit.decide(now) == silent.decide(now)


@LONG
@given(wirings(), SAID)
def test_a_part_within_a_part_of_the_same_kind_changes_nothing(
    wiring: tuple[Topology, list[PackSettings]], said: list[PackSample]
) -> None:
    topology, packs = wiring
    said = fitted(packs, said)
    nested = Topology(topology.wiring, (replace(topology, children=topology.children),))
    one, now = settled(packs, BankSettings(topology=topology, ready_within_s=0.0), said)
    other, _ = settled(packs, BankSettings(topology=nested, ready_within_s=0.0), said)

    assert one.decide(now) == other.decide(now)
    assert isinstance(one, Aggregator)
