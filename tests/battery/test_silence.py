from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.context import Pack
from bridge.battery.sharing import Branch
from bridge.battery.silence import branch, flat_top_v
from bridge.model import Limit, PackSample, PackSettings, PackState
from tests.battery.story import GARAGE, SHED, around, changed, stand, well


def seen(
    pack: Pack, policy: str = "hold", limit: Limit = Limit.DCL, voltage_v: float | None = 52.8
) -> Branch | None:
    return branch(pack, limit, around(pack, stand(SHED, well()), on_pack_lost=policy, voltage_v=voltage_v))


def amps(pack: Pack, policy: str = "hold", limit: Limit = Limit.DCL, voltage_v: float | None = 52.8) -> float:
    found = seen(pack, policy, limit, voltage_v)
    assert found is not None
    return found.causes[0].value


def stale(age_s: float, sample: PackSample | None = None, settings: PackSettings = GARAGE) -> Pack:
    return stand(settings, well(cell_v=3.15) if sample is None else sample, PackState.STALE, age_s)


def lost(sample: PackSample | None = None, age_s: float = 60.0, state: PackState = PackState.LOST) -> Pack:
    return stand(GARAGE, well() if sample is None else sample, state, age_s)


UNKNOWN = stand(GARAGE, None, PackState.UNKNOWN)


def test_an_active_pack_is_counted_on_with_its_own_limits() -> None:
    pack = stand(GARAGE, well())

    assert seen(pack) == Branch(GARAGE, 1.0, pack.limits.discharge, 0.5)


@pytest.mark.parametrize("pack", [stale(10.0), lost(), UNKNOWN, lost(state=PackState.QUARANTINE)])
def test_a_silent_pack_is_not_counted_on_and_may_still_be_there(pack: Pack) -> None:
    found = seen(pack)

    assert found is not None
    assert found.certainty == 0.0
    assert found.age_s == pack.member.age_s


@pytest.mark.parametrize(
    ("age_s", "left_a"), [(0.0, 140.0), (5.0, 140.0), (17.5, 70.0), (30.0, 0.0), (31.0, 0.0)]
)
def test_what_a_stale_pack_may_carry_shrinks_to_nothing_until_it_is_lost(age_s: float, left_a: float) -> None:
    assert amps(stale(age_s)) == pytest.approx(left_a)


def test_a_pack_that_is_lost_sooner_than_stale_has_nothing_left() -> None:
    impatient = replace(GARAGE, lost_after_s=4.0)

    assert amps(stale(3.0, settings=impatient)) == 0.0


def test_a_stale_pack_never_shrinks_below_what_it_is_held_at() -> None:
    assert amps(stale(29.0, well())) == pytest.approx(56.0)
    assert amps(stale(29.0, well()), "stop") == pytest.approx(5.6)


def test_a_held_pack_keeps_its_own_lower_limit() -> None:
    assert amps(lost(replace(well(), discharge_current_limit_a=20.0))) == 20.0
    assert amps(lost()) == pytest.approx(56.0)


def test_with_exclude_a_stale_pack_keeps_its_limit_and_a_lost_one_is_off() -> None:
    assert amps(stale(29.0), "exclude") == 140.0
    assert seen(lost(), "exclude") is None
    assert seen(UNKNOWN, "exclude") is None


def test_with_stop_a_lost_pack_allows_nothing_even_if_it_was_off() -> None:
    off = changed(well(), charge_fet_on=False, discharge_fet_on=False)

    assert amps(lost(), "stop") == 0.0
    assert amps(lost(off), "stop") == 0.0
    assert seen(lost(off), "hold") is None
    assert seen(stand(GARAGE, off, PackState.STALE), "stop") is None


@pytest.mark.parametrize(("age_s", "held"), [(1799.0, True), (1800.0, False)])
def test_a_lost_pack_is_held_for_half_an_hour(age_s: float, held: bool) -> None:
    assert (amps(lost(age_s=age_s)) > 0) is held


@pytest.mark.parametrize(("temperature_c", "held"), [(9.9, False), (10.0, True), (45.0, True), (45.1, False)])
def test_a_lost_pack_is_held_only_at_mild_temperatures(temperature_c: float, held: bool) -> None:
    assert (amps(lost(well(temperature_c=temperature_c))) > 0) is held


@pytest.mark.parametrize(
    ("cell_v", "charge", "discharge"),
    [(3.19, True, False), (3.201, True, True), (3.374, True, True), (3.376, False, True)],
)
def test_a_lost_pack_is_held_only_away_from_the_end_that_a_direction_leads_to(
    cell_v: float, charge: bool, discharge: bool
) -> None:
    pack = lost(well(cell_v=cell_v))

    assert (amps(pack, limit=Limit.CCL) > 0, amps(pack, limit=Limit.DCL) > 0) == (charge, discharge)


def test_without_another_active_pack_nothing_is_held() -> None:
    pack = lost()
    alone = branch(pack, Limit.DCL, around(pack, stand(SHED, well(), PackState.JOINING), voltage_v=52.8))

    assert alone is not None
    assert alone.causes[0].value == 0.0


@pytest.mark.parametrize(
    ("voltage_v", "charge", "discharge"),
    [(52.8, True, True), (54.1, False, True), (51.1, True, False), (None, False, False)],
)
def test_a_pack_never_heard_is_judged_by_the_bus(
    voltage_v: float | None, charge: bool, discharge: bool
) -> None:
    charge_a, discharge_a = (
        amps(UNKNOWN, limit=limit, voltage_v=voltage_v) for limit in (Limit.CCL, Limit.DCL)
    )

    assert charge_a == pytest.approx(28.0 if charge else 0.0)
    assert discharge_a == pytest.approx(28.0 if discharge else 0.0)


def test_a_pack_in_quarantine_that_was_never_believed_allows_nothing() -> None:
    assert amps(stand(GARAGE, None, PackState.QUARANTINE)) == 0.0


def test_the_reasons_say_what_is_wrong() -> None:
    def text(pack: Pack, policy: str = "hold") -> str:
        found = seen(pack, policy)
        assert found is not None
        return found.causes[0].text

    assert text(stale(12.0)) == "silent for 12 s, rated 140 A"
    assert text(lost()) == "lost for 60 s, held at 56.0 A"
    assert text(lost(), "stop") == "lost for 60 s, nothing safe is known of it"
    assert text(UNKNOWN) == "never heard, held at 28.0 A"
    assert text(lost(state=PackState.QUARANTINE)) == "not plausible, held at 56.0 A"


def test_the_flat_ends_where_lfp_cells_float() -> None:
    assert flat_top_v(GARAGE) == pytest.approx(54.0)
