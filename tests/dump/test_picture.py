from __future__ import annotations

import numpy as np
import pytest

from bridge import profiles
from bridge.dump.block import ERROR, Block, block_of
from bridge.dump.decoding import Decoding
from bridge.dump.picture import Lane, Picture, Tone, draw
from bridge.model import Alarm, CanFrame, Decision
from bridge.sinks import dialect as dialects
from tests.dump.bus import START_S, Timed, alarmed, at, frames


def decoding(profile: str = "victron-gx") -> Decoding:
    return Decoding([dialects.of_profile(profiles.load(profile))])


def drawn(timed: list[Timed], profile: str = "victron-gx") -> Picture:
    return draw([block_of(timed, source="a.log")], decoding(profile))


def values(picture: Picture, name: str) -> set[float]:
    lines = [line for panel in picture.panels for line in (*panel.lines, *(panel.band or ()))]
    (line,) = [line for line in lines if line.name == name]
    return set(np.round(line.value[~np.isnan(line.value)], 6).tolist())


def lane(picture: Picture, label: str) -> Lane:
    (found,) = [one for one in picture.lanes if one.label == label]
    return found


def test_what_the_battery_says_is_in_panels_with_its_limits_as_bands() -> None:
    picture = drawn(frames(range(5)))
    assert [(panel.title, panel.unit) for panel in picture.panels] == [
        ("voltage", "V"), ("current", "A"), ("charge", "%"), ("cells", "V"), ("temperature", "°C"),
    ]  # fmt: skip
    assert values(picture, "voltage_v") == {52.8}
    assert values(picture, "charge_current_limit_a") == {100.0}
    assert values(picture, "discharge_current_limit_a") == {-120.0}  # below zero, as the current is then
    assert values(picture, "discharge_voltage_limit_v") == {46.4}
    assert values(picture, "temperature_max_c") == {27.0}  # said in kelvins
    assert (picture.source, picture.dialect, picture.names) == ("a.log", "victron", ("PACKBRDG",))


def test_an_alarm_is_a_lane_from_when_to_when_it_stood_the_gravest_first() -> None:
    def decide(second: int) -> Decision:
        protections = alarmed(Alarm.CELL_OVERVOLTAGE) if 3 <= second < 6 else alarmed()
        return at(second, protections=protections, warnings=alarmed(Alarm.CELL_IMBALANCE))

    picture = drawn(frames(range(10), decide))
    assert [(one.label, one.tone) for one in picture.lanes] == [
        ("alarm high voltage", Tone.PROTECTION),
        ("warn cell imbalance", Tone.WARNING),
    ]
    ((start_s, end_s),) = lane(picture, "alarm high voltage").spans
    assert (round(start_s - START_S), round(end_s - START_S)) == (3, 6)
    assert picture.quiet_alarms > 5


def test_what_the_battery_forbids_is_a_lane_too() -> None:
    picture = drawn(
        frames(range(6), lambda second: at(second, charge_enabled=second < 3), "deye-lv"), "deye-lv"
    )
    assert lane(picture, "charging not allowed").tone is Tone.REQUEST


def test_a_silence_is_shaded_and_no_line_is_drawn_through_it() -> None:
    picture = drawn(frames([*range(5), *range(30, 35)]))
    ((start_s, end_s),) = picture.silences
    assert (4 < start_s - START_S < 5, end_s - START_S) == (True, 30.0)
    assert lane(picture, "battery silent").spans == picture.silences
    line = picture.panels[0].lines[0]
    assert np.isnan(line.value).sum() == 1
    assert line.time_s[np.isnan(line.value)][0] == pytest.approx(START_S + 4.02, abs=0.01)


def test_a_battery_that_begins_late_or_ends_early_was_silent_at_the_ends() -> None:
    inverter = [(START_S + second, CanFrame(0x305, bytes(8))) for second in range(-20, 40)]
    picture = drawn(sorted([*frames(range(10)), *inverter], key=lambda one: one[0]))
    assert [(round(a - START_S), round(b - START_S)) for a, b in picture.silences] == [(-20, 0), (9, 39)]


def test_an_inverter_that_falls_silent_and_error_frames_are_lanes_of_the_bus() -> None:
    timed = [one for one in frames(range(40)) if one[1].can_id != 0x305 or not 10 < one[0] - START_S < 30]
    errors = block_of([(START_S + 7.0, CanFrame(0x4, bytes(8)))], flags=[ERROR])
    picture = draw([block_of(timed), errors], decoding())
    ((start_s, end_s),) = lane(picture, "inverter silent").spans
    assert (start_s - START_S, end_s - START_S) == (9.5, 30.5)
    ((start_s, end_s),) = lane(picture, "error frames").spans
    assert (start_s - START_S, end_s - START_S) == (7.0, 7.5)


def test_blocks_of_any_size_give_the_same_picture() -> None:
    timed = frames(range(60), lambda second: at(second, current_a=float(second % 7)))
    whole = drawn(timed)
    parts = draw([block_of(timed[start : start + 17]) for start in range(0, len(timed), 17)], decoding())
    for one, other in zip(whole.panels, parts.panels, strict=True):
        for line, same in zip(one.lines, other.lines, strict=True):
            np.testing.assert_array_equal(line.time_s, same.time_s)
            np.testing.assert_array_equal(line.value, same.value)


def test_a_log_without_times_is_drawn_over_its_frames_and_has_no_silence() -> None:
    timed = [(float("nan"), frame) for _, frame in frames([0, 1, 50])]
    picture = drawn(timed)
    assert picture.numbered
    assert (picture.start_s, picture.end_s) == (0.0, len(timed) - 1)
    assert picture.silences == ()


def test_a_clock_that_was_set_back_breaks_nothing() -> None:
    picture = drawn(frames([100, 101, 102, 50, 51, 52]))
    assert (np.diff(picture.panels[0].lines[0].time_s) >= 0).all()


def test_of_nothing_there_is_a_picture_without_panels() -> None:
    nothing: list[Block] = []
    assert draw(nothing, decoding()).panels == ()
    assert drawn([(0.0, CanFrame(0x7FF, b""))]).panels == ()
