"""The bank as one battery, and its packs, as a dialect may pose as them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Alarm, Member, PackState, Topology, Wiring
from bridge.responders.picture import Picture, fitted
from bridge.sinks.posing import picture_of
from bridge.sinks.quantities import values_of
from tests.sinks.asking import CELLS, member
from tests.sinks.helpers import decision


def posed(*members: Member, wired: Topology | None = None, **changes: Any) -> Picture:
    settled = decision(bank={"cell_max_v": 3.41, "cell_min_v": 3.02}, **changes)
    values = {name: value for name, value in values_of(settled).items() if value is not None}
    return picture_of(settled, values, members, wired)


def other(state: PackState) -> Member:
    return member("other")._replace(state=state)


def test_the_bank_shows_its_true_extremes_among_the_mean_of_its_packs() -> None:
    higher = tuple([cell + 0.02 for cell in CELLS])
    whole = posed(member(), member("right", cell_voltages_v=higher)).whole
    assert len(whole.cell_voltages_v) == 16
    assert (whole.cell_voltages_v[0], whole.cell_voltages_v[-1]) == (3.02, 3.41)
    assert whole.cell_voltages_v[1] == (CELLS[1] + higher[1]) / 2
    assert (whole.voltage_v, whole.current_a, whole.charge_enabled) == (53.12, -12.3, True)


def test_packs_in_series_stand_one_behind_the_other() -> None:
    wired = Topology(Wiring.SERIES, ("left", "right"))
    whole = posed(member(), member("right"), wired=wired).whole
    assert len(whole.cell_voltages_v) == 32
    assert (max(map(float, _known(whole.cell_voltages_v))), min(_known(whole.cell_voltages_v))) == (
        3.41,
        3.02,
    )


def _known(cells: tuple[float | None, ...]) -> list[float]:
    return [cell for cell in cells if cell is not None]


def test_a_pack_that_is_not_heard_leaves_its_place_free_and_one_out_of_service_has_none() -> None:
    for state, left in ((PackState.LOST, 3), (PackState.UNKNOWN, 3), (PackState.QUARANTINE, 3)):
        picture = posed(member(), other(state), member("right"))
        assert [one and one.name for one in picture.modules] == ["left", None, "right"]
        assert (len(picture.modules), len(picture.modules_online)) == (left, left - 1)
    assert len(posed(member(), other(PackState.EXCLUDED)).modules) == 1


def test_a_pack_may_do_what_both_its_bms_and_the_decision_allow() -> None:
    first, second = posed(member(charge_allowed=False), member("right"), discharge_enabled=False).modules
    assert first is not None
    assert second is not None
    assert (first.charge_enabled, first.discharge_enabled) == (False, False)
    assert (second.charge_enabled, second.discharge_enabled) == (True, False)


def test_alarms_are_those_of_the_decision_and_of_each_pack() -> None:
    hot = frozenset({Alarm.CHARGE_OVERTEMPERATURE})
    picture = posed(member(protections=hot), protections=frozenset({Alarm.BMS_FAULT}))
    assert picture.whole.protections == picture.protections == {Alarm.BMS_FAULT}
    (module,) = picture.modules_online
    assert module.protections == hot


def test_a_value_that_is_not_known_is_what_a_dialect_says_it_is() -> None:
    picture = posed(member())
    assert "cycles" not in picture.values
    assert (picture.number("cycles"), picture.number("cycles", 7.0)) == (0.0, 7.0)
    assert picture.number("voltage_v") == 53.12


@given(
    values=st.lists(st.one_of(st.none(), st.floats(2.0, 4.0)), max_size=40).map(tuple),
    places=st.integers(2, 20),
)
def test_in_fewer_places_the_extremes_stay_and_so_does_the_order(
    values: tuple[float | None, ...], places: int
) -> None:
    kept = fitted(values, places)
    assert len(kept) == min(places, len(values))
    known = [value for value in values if value is not None]
    if known:
        assert max(known) in kept
        assert min(known) in kept
    rest = iter(values)
    assert all(any(value is one or value == one for one in rest) for value in kept)
