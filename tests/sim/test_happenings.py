from __future__ import annotations

import pytest

from bridge.sim.happenings import Line, Timetable
from bridge.sim.scenario_tables import EventTable
from tests.sim.scenarios import lumped


class Day:
    """One pack and what happens to it."""

    def __init__(self, **event: object) -> None:
        self.line = Line(lumped(), period_s=2.0, next_s=0.0)
        self.links: list[tuple[str, bool, float]] = []
        table = EventTable.model_validate({"pack": "a", **event})
        self.timetable = Timetable(
            (table,), {"a": self.line}, lambda pack, up, now: self.links.append((pack, up, now))
        )

    def until(self, end_s: int) -> Line:
        for now in range(end_s + 1):
            self.timetable.run(float(now))
            self.timetable.warm(float(now))
        return self.line


def test_a_lost_link_comes_back() -> None:
    day = Day(kind="link_lost", at_s=10, for_s=5)
    assert not day.until(12).is_up
    assert day.until(20).is_up
    assert day.links == [("a", False, 10.0), ("a", True, 15.0)]


def test_a_pack_goes_off_for_good_without_an_end() -> None:
    day = Day(kind="pack_off", at_s=10)
    assert day.until(9).pack.closed
    pack = day.until(1000).pack
    assert (pack.bms.charge_on, pack.bms.discharge_on) == (False, False)
    assert pack.trips == 0


def test_one_switch_alone_can_open() -> None:
    pack = Day(kind="pack_off", at_s=0, discharge=False).until(1).pack
    assert (pack.bms.charge_on, pack.bms.discharge_on) == (False, True)


def test_a_temperature_moves_over_its_time() -> None:
    day = Day(kind="temperature", at_s=100, to_c=42.0, over_s=100)
    assert day.until(99).pack.temperature_c == 22.0
    assert day.until(150).pack.temperature_c == pytest.approx(32.0)
    pack = day.until(300).pack
    assert (pack.temperature_c, pack.ambient_c) == (42.0, 42.0)


def test_a_temperature_that_has_arrived_is_left_alone() -> None:
    day = Day(kind="temperature", at_s=0, to_c=30.0)
    day.until(5).pack.temperature_c = 35.0
    assert day.until(10).pack.temperature_c == 35.0


def test_a_false_cell_reads_what_it_is_told_to() -> None:
    day = Day(kind="cell_reads", at_s=10, for_s=2, cell_v=4.2)
    assert day.until(11).reading()["cell_voltages_v"][0] == 4.2
    assert day.until(13).reading()["cell_voltages_v"][0] == pytest.approx(3.29, abs=0.01)


def test_a_frozen_board_repeats_itself() -> None:
    day = Day(kind="frozen", at_s=10, for_s=10)
    before = day.until(5).reading()
    day.until(10).pack.step(-40.0)
    assert day.line.reading() == before
    assert day.until(20).reading() != before


def test_a_counter_jumps() -> None:
    assert Day(kind="soc_reads", at_s=3, soc_pct=77).until(3).reading()["soc_pct"] == 77.0


def test_the_next_entry_is_known() -> None:
    day = Day(kind="link_lost", at_s=10, for_s=5)
    assert day.timetable.next_s == 10.0
    day.until(12)
    assert day.timetable.next_s == 15.0
    day.until(15)
    assert day.timetable.next_s == float("inf")
