from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.aggregator import Aggregator
from bridge.battery.guard import guard
from bridge.battery.separate_port import at_the_bus
from bridge.model import BankSettings, Decision, Limit, Member, PackSample, PackSettings, PackState
from tests.battery.story import GARAGE, well, with_cell

ON_P = replace(GARAGE, port_kind="separate", bus_on="P")
ON_C = replace(GARAGE, port_kind="separate", bus_on="C")
TIED = replace(GARAGE, port_kind="separate", bus_on="tied")


def settled(settings: PackSettings, sample: PackSample, bank: BankSettings | None = None) -> Decision:
    """The decision after a minute of the same picture."""
    aggregator = Aggregator([settings], BankSettings(rise_after_s=1.0) if bank is None else bank)
    for second in range(60):
        now = float(second)
        aggregator.heard(settings.name, replace(sample, time_s=now), now)
        decision = aggregator.decide(now)
    return decision


@pytest.mark.parametrize("settings", [ON_P, TIED])
@pytest.mark.parametrize(("cell_v", "charged"), [(3.45, True), (3.49, True), (3.50, False), (3.54, False)])
def test_charging_ends_earlier_where_the_bms_cannot_end_it(
    settings: PackSettings, cell_v: float, charged: bool
) -> None:
    assert (settled(settings, with_cell(well(), 7, cell_v)).charge_current_limit_a > 0) is charged


@pytest.mark.parametrize("settings", [ON_C, GARAGE])
def test_it_ends_as_usual_where_the_charge_switch_is_in_the_way(settings: PackSettings) -> None:
    assert settled(settings, with_cell(well(), 7, 3.51)).charge_current_limit_a > 0


def test_an_open_charge_switch_that_the_bus_does_not_pass_does_not_take_the_pack_off_the_bus() -> None:
    off = replace(with_cell(well(), 7, 3.6), charge_fet_on=False, charge_allowed=False)
    on_p, common = settled(ON_P, off), settled(GARAGE, off)
    assert on_p.charge_current_limit_a == 0
    assert on_p.discharge_current_limit_a == 140
    assert common.discharge_current_limit_a < 20  # through the body diode, to let the BMS close the switch


def test_its_cells_count_although_the_bms_says_that_it_is_off() -> None:
    full = replace(with_cell(well(), 7, 3.52), charge_fet_on=False, charge_allowed=True)
    assert settled(ON_P, full).charge_current_limit_a == 0


def test_only_the_switches_that_the_bus_passes_are_heard() -> None:
    def switches(settings: PackSettings) -> tuple[bool | None, bool | None]:
        sample = at_the_bus(well(), settings)
        return sample.charge_fet_on, sample.discharge_fet_on

    assert switches(GARAGE) == (True, True)
    assert switches(ON_P) == (None, True)
    assert switches(ON_C) == (True, None)
    assert switches(TIED) == (None, None)
    assert at_the_bus(well(), GARAGE) == well()


def test_the_guard_knows_the_earlier_stop_and_the_lower_charge_voltage() -> None:
    drafted = settled(ON_P, well())._replace(
        charge_voltage_limit_v=56.0, charge_current_limit_a=50.0, charge_enabled=True
    )
    sample = replace(with_cell(well(), 7, 3.51), time_s=drafted.time_s)
    member = Member(settings=ON_P, state=PackState.ACTIVE, sample=sample, age_s=0.0)
    guarded = guard(drafted, [member], BankSettings(), drafted.time_s)
    assert guarded.charge_current_limit_a == 0
    assert guarded.charge_voltage_limit_v == pytest.approx(16 * 3.45)
    assert guarded.constraints[Limit.CVL][0].rule == "guard"


def test_the_guard_knows_the_fuse_of_each_direction() -> None:
    fused = replace(GARAGE, charge_fuse_a=60.0, discharge_fuse_a=100.0)
    drafted = settled(GARAGE, well())._replace(charge_current_limit_a=140.0, discharge_current_limit_a=140.0)
    member = Member(
        settings=fused, state=PackState.ACTIVE, sample=replace(well(), time_s=drafted.time_s), age_s=0.0
    )
    guarded = guard(drafted, [member], BankSettings(), drafted.time_s)
    assert (guarded.charge_current_limit_a, guarded.discharge_current_limit_a) == (60.0, 100.0)
