from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.model import Alarm
from bridge.sim.bank import ParallelBank
from bridge.sim.pack import Pack, PackSpec
from bridge.sim.sensor import EXACT

SPEC = PackSpec(
    name="a", capacity_ah=100.0, soc=0.5, rated_charge_a=100.0, rated_discharge_a=100.0, sensors=EXACT
)


def bank(*specs: PackSpec) -> ParallelBank:
    return ParallelBank(Pack(spec) for spec in specs)


def unlike() -> ParallelBank:
    return bank(
        replace(SPEC, name="a", capacity_ah=280.0, soc=0.6, cable_ohm=0.004),
        replace(SPEC, name="b", capacity_ah=200.0, soc=0.5, cable_ohm=0.007),
        replace(SPEC, name="c", capacity_ah=100.0, soc=0.4, cable_ohm=0.012),
    )


def test_charge_moves_between_packs_but_none_is_made_or_lost() -> None:
    resting = unlike()
    for pack in resting.packs:
        for cell in pack.cells:
            cell.chemistry = replace(cell.chemistry, coulomb_efficiency=1.0)

    def stored_ah() -> float:
        return sum(sum(c.soc * c.capacity_ah for c in pack.cells) / len(pack.cells) for pack in resting.packs)

    before_ah = stored_ah()
    for _ in range(3600):
        resting.step(0.0, 1.0)
    moved_ah = 0.6 * 280 - sum(c.soc * c.capacity_ah for c in resting.packs[0].cells) / 16
    assert moved_ah > 1.0
    assert stored_ah() == pytest.approx(before_ah, abs=1e-9)


def test_circulating_currents_fade_as_the_packs_come_together() -> None:
    resting = unlike()
    first_a = max(abs(current_a) for current_a in resting.solve(0.0).currents_a)
    for _ in range(3600):
        resting.step(0.0, 10.0)
    assert max(abs(current_a) for current_a in resting.solve(0.0).currents_a) < first_a / 4


def test_pack_voltages_behind_their_cables_meet_at_the_bus() -> None:
    loaded = unlike()
    for tick in range(600):
        result = loaded.solve(200.0 if tick % 100 < 60 else -150.0)
        for pack, current_a in zip(loaded.packs, result.currents_a, strict=True):
            branch = pack.branch()
            assert abs(branch.emf_v + branch.resistance_ohm * current_a - result.bus_v) < 1e-3
        loaded.step(result.total_a, 1.0)


def test_over_hours_the_shares_tend_to_the_capacities() -> None:
    charging = bank(
        replace(SPEC, name="a", capacity_ah=200.0, soc=0.3), replace(SPEC, name="b", soc=0.3, cable_ohm=0.02)
    )
    for _ in range(3600):
        charging.step(-10.0, 2.0)
    large_a, small_a = charging.last.currents_a
    assert large_a / small_a == pytest.approx(2.0, rel=0.15)


def test_a_tripped_pack_hands_its_current_to_the_other() -> None:
    shared = bank(replace(SPEC, name="stiff", cable_ohm=0.001), replace(SPEC, name="soft", cable_ohm=0.03))
    for _ in range(100):
        shared.step(-180.0, 0.1)
    stiff, soft = shared.packs
    assert stiff.reading()["protections"] == {Alarm.DISCHARGE_OVERCURRENT}
    assert (stiff.current_a, soft.current_a) == pytest.approx((0.0, -180.0))


def test_a_bank_that_has_tripped_gives_nothing_and_has_no_voltage_to_feed_from() -> None:
    alone = bank(SPEC)
    for _ in range(100):
        alone.step(-130.0, 0.1)
    assert alone.last.total_a == 0.0
    assert alone.last.bus_v == 0.0


def test_a_pack_blocked_for_charging_discharges_through_its_diode_when_the_others_sag() -> None:
    mixed = bank(replace(SPEC, name="a"), replace(SPEC, name="b", capacity_ah=280.0))
    mixed.packs[1].bms.lock(charge=True, discharge=False)
    assert mixed.solve(50.0).currents_a == pytest.approx((50.0, 0.0))
    assert mixed.solve(-90.0).currents_a[1] < 0.0
