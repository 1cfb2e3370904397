"""What must hold for every profile and every dialect there is, also for those added later."""

from __future__ import annotations

import pytest

from bridge import profiles
from bridge.model import CanFrame
from bridge.profiles import Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Dialect
from bridge.sinks.quantities import QUANTITIES
from tests.sinks.helpers import decision, unguarded

SHIPPED = profiles.folders()[-1]
PROFILES = sorted((SHIPPED / "inverters").glob("*.toml"))
DIALECTS = sorted((SHIPPED / "dialects").glob("*.dbc"))

every_profile = pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
every_dialect = pytest.mark.parametrize("path", DIALECTS, ids=lambda path: path.stem)


def sink_of(path: object) -> CanSink:
    return CanSink("contract", profiles.load(str(path)))


def decoded(dialect: Dialect, frames: tuple[CanFrame, ...]) -> dict[str, object]:
    return {name: value for frame in frames for name, value in dialect.decode(frame).items()}


def test_there_are_profiles_and_dialects() -> None:
    assert len(PROFILES) >= 1
    assert len(DIALECTS) >= 1


@every_dialect
def test_a_dialect_loads_and_somebody_uses_it(path: object) -> None:
    loaded = dialects.load(path)  # type: ignore[arg-type]  # parametrize does not say what it gives
    assert loaded.name in {profiles.load(str(one)).dialect for one in PROFILES}


@every_profile
def test_a_cycle_can_be_read_back(path: object) -> None:
    sink = sink_of(path)
    found = decoded(sink.dialect, sink.frames(decision(), unguarded))
    assert found["charge_current_limit_a"] == pytest.approx(100.0, abs=1.0)
    assert found["discharge_current_limit_a"] == pytest.approx(150.0, abs=1.0)
    assert found["charge_voltage_limit_v"] == pytest.approx(56.0, abs=0.1)


@every_profile
def test_no_current_stays_no_current(path: object) -> None:
    sink = sink_of(path)
    stop = decision(charge_enabled=False, discharge_enabled=False)
    found = decoded(sink.dialect, sink.frames(stop, unguarded))
    assert found["charge_current_limit_a"] <= 0.1  # type: ignore[operator]
    assert found["discharge_current_limit_a"] <= 0.1  # type: ignore[operator]


@every_profile
def test_the_largest_decision_fits(path: object) -> None:
    sink = sink_of(path)
    huge = decision(
        bank={"voltage_v": 1e9, "current_a": -1e9, "soc": 1e9, "soh": 1e9, "temperature_c": 1e9},
        charge_voltage_limit_v=1e9,
        discharge_voltage_limit_v=1e9,
        charge_current_limit_a=1e9,
        discharge_current_limit_a=1e9,
    )
    found = decoded(sink.dialect, sink.frames(huge, unguarded))
    assert all(float(found[name]) >= 0 for name in QUANTITIES if "_limit_" in name and name in found)  # type: ignore[arg-type]


@every_profile
def test_no_two_cycles_are_further_apart_than_genuine_packs_are(path: object) -> None:
    profile: Profile = profiles.load(str(path))
    assert profile.period_s <= 2.0


@every_profile
def test_we_are_silent_before_the_decision_is_older_than_any_inverter_may_use(path: object) -> None:
    assert profiles.load(str(path)).dead_man_s <= 10.0


@every_profile
def test_names_and_texts_fit_and_sources_are_named(path: object) -> None:
    profile = profiles.load(str(path))
    assert profile.sources
    assert profile.wiring.pins
    assert profile.menu
