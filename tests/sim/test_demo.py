from __future__ import annotations

import pytest

from bridge.sim.demo import DEMO_PACKS, demo_plant


def test_the_demo_has_three_unlike_packs_of_sixteen_cells() -> None:
    packs = demo_plant().bank.packs
    assert [len(pack.cells) for pack in packs] == [16, 16, 16]
    assert len({pack.spec.capacity_ah for pack in packs}) == 3
    assert len({pack.spec.cable_ohm for pack in packs}) == 3
    assert len({pack.spec.soc for pack in packs}) == 3
    assert len({pack.name for pack in packs}) == 3


@pytest.mark.parametrize("seed", range(1, 6))
def test_less_than_ten_amperes_circulate_whatever_the_seed(seed: int) -> None:
    currents_a = demo_plant(seed).bank.solve(0.0).currents_a
    assert 1.0 < max(abs(current_a) for current_a in currents_a) < 10.0


def test_twenty_seconds_of_charging_show_a_moving_state_of_charge() -> None:
    plant = demo_plant()
    before = [pack.soc for pack in plant.bank.packs]
    for tick in range(201):
        plant.advance(tick * 0.1, 150.0)
    assert all(pack.soc > soc + 0.01 for pack, soc in zip(plant.bank.packs, before, strict=True))


def test_ratings_are_those_of_half_a_capacity_an_hour() -> None:
    assert [(spec.capacity_ah, spec.rated_charge_a) for spec in DEMO_PACKS] == [
        (280.0, 140.0), (200.0, 100.0), (100.0, 50.0),
    ]  # fmt: skip
