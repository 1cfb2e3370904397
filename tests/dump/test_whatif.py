from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bridge import config
from bridge.dump.block import block_of
from bridge.dump.roles import STAND_IN, cast
from bridge.dump.whatif import Outcome, whatif
from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame, Reading
from tests.dump.bus import START_S, Timed, at, frames
from tests.dump.gateway_bus import Recording, pack, settings
from tests.test_gateway import CONFIG

VECTORS = Path(__file__).parents[1] / "vectors" / "pylontech_can.json"
SERIAL = CONFIG.replace('interface = "virtual"', 'interface = "socketcan"').replace('"test"', '"can0"')
BOTH = ["can0", "can1"]


def captured(name: str, seconds: int) -> list[Timed]:
    """A real battery's cycle, repeated each second where the capture has no times."""
    (vector,) = [one for one in json.loads(VECTORS.read_text()) if one["name"] == name]
    cycle = [
        (frame.get("t", 0.01 * n), CanFrame(frame["id"], bytes.fromhex(frame["data"]), frame["ext"]))
        for n, frame in enumerate(vector["frames"])
    ]
    return [(START_S + second + at_s, frame) for second in range(seconds) for at_s, frame in cycle]


def differing(outcome: Outcome) -> set[str]:
    return {str(row["signal"]) for row in outcome.rows["house"] if row["differing"]}


def row(outcome: Outcome, signal: str) -> dict[str, object]:
    return next(one for one in outcome.rows["house"] if one["signal"] == signal)


# A dump of our own


def restless(time_s: float) -> Reading | None:
    """A rack that is charged and discharged, gets full cells, raises an alarm and falls silent once."""
    if 60 < time_s < 80:
        return None
    alarms = frozenset({Alarm.CELL_OVERVOLTAGE}) if 100 < time_s < 110 else frozenset()
    return pack(
        current_a=round(40 * math.sin(time_s / 20), 1),
        soc_pct=60.0 + (time_s > 40),
        cell_v=3.30 if time_s < 90 else 3.47,
        charge_current_limit_a=80.0 if time_s < 30 else 35.0,
        protections=alarms,
    )


def steady(time_s: float) -> Reading:
    """A rack whose current flickers, as every real one's does."""
    return pack(current_a=10.0 + 0.1 * (round(time_s) % 3))


def test_of_a_dump_of_our_own_nothing_differs() -> None:
    recording = Recording(settings(), restless)
    recording.run(130)
    outcome = whatif([recording.block()], cast(settings(), BOTH, {}))
    assert outcome.rows["house"]
    assert differing(outcome) == set()
    assert (outcome.differs, outcome.news) == (False, [])
    assert outcome.heard["house"] == 6 * 130
    assert outcome.samples == 130 - 20


def test_a_rack_that_is_asked_answers_as_it_did_in_the_dump_and_what_was_not_asked_is_noted() -> None:
    loaded = settings("daly-can")
    recording = Recording(loaded, restless)
    recording.run(130)
    outcome = whatif([recording.block()], cast(loaded, BOTH, {}))
    measured = {"voltage_v", "soc_pct", "soh_pct", "temperature_c"}
    assert measured & {str(one.report.fields["signal"]) for one in outcome.news} == set()
    assert outcome.samples > 100
    assert "socketcan:can1: " in outcome.notes[-1]
    assert "questions that we would ask nobody asks in the dump" in outcome.notes[-1]


def test_of_a_dump_of_our_own_with_another_configuration_that_differs_and_says_why() -> None:
    recording = Recording(settings(), steady)
    recording.run(60)
    other = settings()
    (one,) = other.packs
    other = replace(other, packs=(replace(one, settings=replace(one.settings, rated_charge_current_a=30.0)),))
    outcome = whatif([recording.block()], cast(other, BOTH, {}))
    assert differing(outcome) >= {"charge_current_limit_a"}
    (news,) = [one for one in outcome.news if one.report.fields["signal"] == "charge_current_limit_a"]
    assert (news.report.fields["theirs"], news.report.fields["ours"]) == (80.0, 30.0)
    assert news.because == "rack: rated 30 A"
    reasons = outcome.why["charge_current_limit_a"]["constraints"]
    assert isinstance(reasons, list)
    assert reasons[0]["rule"] == "rating"


def test_the_same_dump_gives_the_same_outcome_in_blocks_of_any_size() -> None:
    recording = Recording(settings(), restless)
    recording.run(40)
    whole = recording.block()
    parts = [whole.take(slice(start, start + 7)) for start in range(0, len(whole), 7)]
    outcomes = [whatif(blocks, cast(settings(), BOTH, {})).record() for blocks in ([whole], parts)]
    assert outcomes[0] == outcomes[1]


def test_without_a_warm_up_it_is_a_gateway_that_has_just_started() -> None:
    recording = Recording(settings(), steady)
    recording.run(20)
    outcome = whatif([recording.block()], cast(settings(), BOTH, {}), warm_up_s=0.0)
    assert "charge_current_limit_a" in differing(outcome)


def test_a_polled_rack_that_falls_silent_in_the_dump_is_lost_to_us_too() -> None:
    loaded = settings("daly-can")
    recording = Recording(loaded, lambda time_s: steady(time_s) if time_s < 30 else None)
    recording.run(80)
    quiet = recording.block()
    outcome = whatif([quiet], cast(loaded, BOTH, {}))
    assert outcome.why["charge_current_limit_a"]["value"] == 0.0
    assert row(outcome, "charge_current_limit_a")["theirs"] == 0.0


# A dump of somebody else's battery


def test_a_real_rack_stands_in_for_packs_that_are_not_on_can() -> None:
    roles = cast(config.parse(SERIAL, "test"), ["can0"], {})
    (one,) = roles.config.packs
    assert (one.name, one.bms, one.settings.cells, one.settings.capacity_ah) == (
        STAND_IN, "pylontech-can", 16, 380.0,
    )  # fmt: skip
    assert "taken for one pack, battery, that speaks pylontech-can" in roles.notes[0]
    outcome = whatif([block_of(captured("pylon-lv-10-modules-idle", 60))], roles)
    assert outcome.samples >= 59
    assert row(outcome, "soc_pct")["ours"] == row(outcome, "soc_pct")["theirs"] == 26
    assert row(outcome, "voltage_v")["differing"] == 0
    limit = row(outcome, "charge_current_limit_a")
    assert limit["theirs"] == 370.0
    assert isinstance(limit["ours"], float)
    assert 0.0 < limit["ours"] <= 190.0  # no more than the configured packs carry
    assert [one.because for one in outcome.news if one.report.fields["signal"] == limit["signal"]] != [None]


def test_a_real_capture_with_times_of_its_own_is_played_at_them() -> None:
    timed = captured("deye-pcs-se-full-charge-blocked", 1)
    outcome = whatif([block_of(timed)], cast(config.parse(SERIAL, "test"), ["can0"], {}))
    assert outcome.frames == len(timed)
    assert outcome.last_s == timed[-1][0]
    assert (row(outcome, "soc_pct")["theirs"], row(outcome, "soc_pct")["ours"]) == (100, 99)  # full is earned


def test_a_single_cycle_without_times_is_enough() -> None:
    timed = [(math.nan, frame) for _, frame in captured("pylon-lv-10-modules-idle", 1)]
    outcome = whatif([block_of(timed)], cast(config.parse(SERIAL, "test"), ["can0"], {}))
    assert outcome.frames == 6
    assert row(outcome, "soc_pct")["ours"] == 26


def test_a_change_of_theirs_in_the_dump_is_followed_in_virtual_time() -> None:
    timed = frames(range(120), lambda second: at(second, soc=0.6 if second < 60 else 0.5))
    outcome = whatif(
        [block_of(timed)], cast(config.parse(SERIAL.replace("deye-lv", "victron-gx"), "t"), ["can0"], {})
    )
    begun = [one for one in outcome.news if one.report.fields["signal"] == "soc_pct"]
    assert [round(one.time_s - START_S) for one in begun[:1]] == [62]  # the bank's own glides


def test_a_battery_that_nobody_understands_is_said() -> None:
    other = [(START_S + second, CanFrame(0x4210, bytes(8), extended=True)) for second in range(20)]
    outcome = whatif([block_of(other)], cast(config.parse(SERIAL, "test"), ["can0"], {}))
    assert outcome.samples == 0
    assert outcome.silent == {"house": "voltage or SoC of the bank is not yet known"}
    assert outcome.why["charge_current_limit_a"]["value"] == 0.0


def test_of_no_frame_nothing_comes() -> None:
    assert whatif([], cast(settings(), BOTH, {})).frames == 0


# Who is who


def test_each_channel_of_the_dump_is_the_bus_of_that_name() -> None:
    assert cast(settings(), BOTH, {}).links == {"can1": ("socketcan:can1",), "can0": ("socketcan:can0",)}


def test_a_dump_of_one_bus_is_all_buses() -> None:
    assert cast(settings(), ["vcan7"], {}).links == {"vcan7": ("socketcan:can1", "socketcan:can0")}


def test_other_names_can_be_said() -> None:
    assert cast(settings(), ["a", "b"], {"can0": "a", "can1": "b"}).links == {
        "b": ("socketcan:can1",), "a": ("socketcan:can0",),
    }  # fmt: skip


def test_what_cannot_be_told_is_asked_for_with_all_that_there_is() -> None:
    with pytest.raises(ConfigError) as refused:
        cast(settings(), ["a", "b"], {"can9": "a", "can1": "b"})
    first, second = refused.value.problems
    assert first == "--map can9=...: the configuration has no such bus; it has can1, can0"
    assert (
        second
        == "socketcan:can0: the dump has no channel 'can0' but a, b; say which it is: --map can0=CHANNEL"
    )


def test_packs_that_are_not_on_can_beside_some_that_are_stay_silent_and_that_is_said() -> None:
    mixed = (
        """
[packs.far]
bms = "jbd"
port = "/dev/one"
cells = 16
capacity_ah = 100
rated_current_a = 50
"""
        + RACK_TEXT
    )
    notes = cast(config.parse(mixed, "test"), BOTH, {}).notes
    assert notes[0] == "far: not on CAN, so silent here; the limits are those without"


RACK_TEXT = """
[packs.rack]
bms = "pylontech-can"
port = "can:can1"
cells = 16
capacity_ah = 200
rated_current_a = 100

[inverters.house]
profile = "deye-lv"
interface = "socketcan"
channel = "can0"
"""
