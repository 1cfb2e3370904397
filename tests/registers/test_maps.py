"""What holds for every register map in the folder, whoever wrote it; and what is said of a bad one."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BridgeBug, ConfigError
from bridge.model import Alarm
from bridge.registers import maps
from bridge.registers.amounts import NUMBERS, said_of
from bridge.registers.image import Image, counts, split
from bridge.registers.reading import read
from bridge.registers.tables import BIT_READS, Amount, Code, Flags, RegisterMap, Row, bounds
from bridge.sinks.quantities import Rounding
from tests.responders.pictures import STOPPED, VALUES, picture

NAMES = maps.names()
STANDARD = [name for name in NAMES if maps.load(name).answers == "standard"]
LIMITS = [entry for name in NAMES for entry in maps.load(name).numbers if NUMBERS[entry.name].limit]
NO_LEAST = {"growatt-1xsxxp", "eg4-ll", "seplos-v3", "epever-converter"}  # no discharge voltage limit
ECHO_ONLY = "epever-converter"  # the maker's converter, which is no battery
BAD = """
family = "a"
evidence = "field"
sources = ["b"]
spans = [{ functions = [3], start = 0, count = 20 }]
"""


def words_of(known: RegisterMap, entry: Amount | Row | Flags | Code, *shown: object) -> list[int]:
    (one,) = shown or (picture(),)
    return Image(known).words(entry.at, entry.size, said_of(one))  # type: ignore[arg-type]  # a picture


def test_there_are_as_many_maps_as_there_should_be() -> None:
    assert len(NAMES) >= 10
    assert {"growatt-1xsxxp", "pace", "epever", "byd-hvm", "voltronic-lib", "eg4-ll"} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_map_tells_what_an_inverter_lives_on(name: str) -> None:
    known = maps.load(name)
    said = {entry.name for entry in known.numbers}
    assert {"voltage_v", "soc_pct"} <= said
    assert known.sources
    if name != ECHO_ONLY:
        assert {"charge_current_limit_a", "charge_power_limit_w"} & said, "no charge limit"


@pytest.mark.parametrize("name", NAMES)
def test_all_registers_of_a_map_can_be_made_whatever_is_known(name: str) -> None:
    known = maps.load(name)
    image = Image(known)
    vital = {"voltage_v", "soc_pct", *(name for name in VALUES if "_limit_" in name or "_enabled" in name)}
    for shown in (
        picture(),
        picture(STOPPED, protections=[*Alarm], warnings=[*Alarm]),
        picture(without={*VALUES} - vital, cells_v=(), temperatures_c=(), mosfet_temperature_c=None),
        picture(cells_v=(None,) * 40, temperatures_c=(None, 20.0)),
    ):
        for span in known.spans:
            words = image.words(span.start, min(span.count, 500), said_of(shown))
            assert all(0 <= word <= 0xFFFF for word in words)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-1e13, -1.0, 0.0, 1e13])
def test_numbers_saturate_and_never_wrap(name: str, value: float) -> None:
    known = maps.load(name)
    for entry in known.numbers:
        if value < 0 and NUMBERS[entry.name].limit:
            continue
        low, high = bounds(entry.type)
        raw = counts(value, entry.step, entry.offset, entry.type, NUMBERS[entry.name].rounding)
        assert low <= raw <= high
        if abs(value) == 1e13:
            assert raw == (high if (value > 0) == (entry.step > 0) else low), entry


@settings(max_examples=500)
@given(entry=st.sampled_from(LIMITS), value=st.floats(0, 65, allow_nan=False))
def test_a_limit_is_never_more_than_was_decided(entry: Amount, value: float) -> None:
    raw = counts(value, entry.step, entry.offset, entry.type, NUMBERS[entry.name].rounding)
    said = raw * entry.step
    dust = 1e-6 * entry.step
    if NUMBERS[entry.name].rounding is Rounding.UP:
        assert value - dust <= said < value + entry.step
    else:
        assert value - entry.step < said <= value + dust


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_that_is_none_is_refused(name: str) -> None:
    known = maps.load(name)
    for entry in known.numbers:
        if NUMBERS[entry.name].limit:
            base = entry.name.replace("_power_", "_current_").replace("_w", "_a")
            for value in (math.nan, math.inf, -1.0):
                with pytest.raises(BridgeBug):
                    words_of(known, entry, picture({base: value}))


@pytest.mark.parametrize("name", NAMES)
def test_a_discharge_voltage_limit_too_high_for_its_word_can_not_be_said(name: str) -> None:
    image = Image(maps.load(name))
    assert image.fits(said_of(picture()))
    assert image.fits(said_of(picture({"discharge_voltage_limit_v": 1e4}))) == (name in NO_LEAST)


@pytest.mark.parametrize("name", NAMES)
def test_a_measured_value_that_is_no_number_is_refused(name: str) -> None:
    known = maps.load(name)
    entry = next(one for one in known.numbers if one.name == "voltage_v")
    with pytest.raises(BridgeBug):
        words_of(known, entry, picture({"voltage_v": math.nan}))
    for row in known.lists:
        with pytest.raises(BridgeBug):
            words_of(known, row, picture(cells_v=[math.inf], temperatures_c=[math.nan]))


@pytest.mark.parametrize("name", NAMES)
def test_every_channel_that_can_say_stop_says_it(name: str) -> None:
    known = maps.load(name)
    for entry in known.numbers:
        if "current_limit" in entry.name or "power_limit" in entry.name:
            assert {*words_of(known, entry, picture(STOPPED))} == {0}, entry
    channels = 0
    for flags in known.flags:
        (word,) = words_of(known, flags, picture(STOPPED))
        (free,) = words_of(known, flags)
        for one, bit in flags.bits.items():
            if one in {"charge_enabled", "discharge_enabled"}:
                assert (free >> bit & 1, word >> bit & 1) == (1, 0)
            if one in {"charge_forbidden", "discharge_forbidden", "stopped"}:
                assert (free >> bit & 1, word >> bit & 1) == (0, 1)
        for bit in (*(flags.stop_charge or ()), *(flags.stop_discharge or ())):
            assert (free >> bit & 1, word >> bit & 1) == (0, 1)
        channels += bool(flags.stop_charge or flags.stop_discharge or "charge_enabled" in flags.bits)
    assert channels or name in {"byd-hvm", "seplos-v3"}, "which have limits for both directions"


@pytest.mark.parametrize("name", NAMES)
def test_no_permission_is_a_stop_even_if_a_limit_says_otherwise(name: str) -> None:
    known = maps.load(name)
    shown = picture(without=["charge_enabled", "discharge_enabled"])
    for flags in known.flags:
        (word,) = words_of(known, flags, shown)
        assert not any(word >> bit & 1 for one, bit in flags.bits.items() if one.endswith("_enabled"))
        assert all(word >> bit & 1 for one, bit in flags.bits.items() if one.endswith("_forbidden"))


@pytest.mark.parametrize("name", NAMES)
def test_an_alarm_changes_only_the_places_that_name_it(name: str) -> None:
    known = maps.load(name)
    entries: list[Flags | Code] = [*known.flags, *known.codes]
    for entry in entries:
        quiet = words_of(known, entry)
        for alarm in Alarm:
            said = words_of(known, entry, picture(protections=[alarm])) != quiet
            assert said == _names(entry, alarm), entry


def _names(entry: Flags | Code, alarm: Alarm) -> bool:
    if isinstance(entry, Code):
        return any(alarm in (case.protections or ()) for case in entry.cases)
    return any(alarm in names for names in entry.protections.values())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_by_a_map_is_read_by_it(name: str) -> None:
    known = maps.load(name)
    shown = picture(protections=[Alarm.CELL_OVERVOLTAGE])
    for span in known.spans:
        if BIT_READS & {*span.functions} or span.refused:
            continue
        count = min(span.count, 125)
        reading, raw = read(known, span.start, Image(known).words(span.start, count, said_of(shown)))
        for entry in known.numbers:
            if span.holds(entry.at, entry.size) and entry.at + entry.size <= span.start + count:
                found = {**raw, **reading}[entry.name]
                wanted = said_of(shown).numbers[entry.name]
                step = max(abs(one.step) for one in known.numbers if one.name == entry.name)
                assert isinstance(found, int | float)
                wanted = min(math.inf if entry.max is None else entry.max, wanted)
                assert abs(found - wanted) <= step * 1.001, entry


def test_a_part_of_a_list_is_told_as_one_and_a_gap_in_it_stays() -> None:
    known = maps.load("pace")
    words = Image(known).words(15, 16, said_of(picture(cells_v=[3.3, None, 3.31])))
    assert read(known, 15, words)[0] == {"cell_voltages_v": (3.3, None, 3.31)}
    assert read(known, 17, words[2:]) == ({}, {"cell_voltages_v_from_3": (3.31,)})
    assert read(known, 15, words[:2]) == ({}, {"cell_voltages_v_from_1": (3.3,)})


def test_a_temperature_of_no_probe_is_none_and_one_of_zero_is_zero() -> None:
    pace, lib = maps.load("pace"), maps.load("voltronic-lib")
    assert read(pace, 31, [0xF830, 0, 0xF830, 0xF830])[0] == {"temperatures_c": (None, 0.0)}
    assert read(lib, 0x26, [2731] * 5)[0] == {"temperatures_c": (0.0,) * 5}


@given(
    kind=st.sampled_from(["u16", "s16", "u32", "s32", "u64"]),
    order=st.sampled_from(["high-first", "low-first"]),
    value=st.floats(-1e12, 1e12),
)
def test_words_carry_their_number_in_either_order(kind: str, order: str, value: float) -> None:
    raw = counts(value, 1.0, 0, kind, Rounding.NEAREST)
    words = split(raw, kind, order)
    ordered = words if order == "high-first" else words[::-1]
    whole = int.from_bytes(b"".join(word.to_bytes(2, "big") for word in ordered), "big")
    assert whole == raw % (1 << 16 * len(words))


def test_more_cells_than_places_keep_the_highest_and_the_lowest() -> None:
    known = maps.load("growatt-1xsxxp")
    (row,) = known.lists
    words = words_of(known, row, picture(cells_v=[*[3.3] * 20, 3.45, 3.1]))
    assert (len(words), max(words), min(words)) == (16, 3450, 3100)


def test_unknown_temperatures_are_cold_or_absent_and_never_hot() -> None:
    shown = picture(
        without=["temperature_c", "temperature_max_c", "temperature_min_c"],
        temperatures_c=(),
        mosfet_temperature_c=None,
    )
    for name in NAMES:
        known = maps.load(name)
        for entry in known.numbers:
            if "temperature" in entry.name and entry.name.endswith("_c"):
                raw = int.from_bytes(words_of(known, entry, shown)[0].to_bytes(2, "big"), "big", signed=True)
                assert (raw - entry.offset) * entry.step <= 0, entry


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("colour = 1", "colour: unknown key; known: "),
        (
            "numbers = [{ at = 0, name = 'voltage_v', step = 0.1, scael = 2 }]",
            "numbers[0].scael: unknown key",
        ),
        (
            "numbers = [{ at = 0, name = 'volts', step = 0.1 }]",
            "numbers[0].name: 'volts' is unknown; known: ",
        ),
        (
            "numbers = [{ at = 20, name = 'voltage_v', step = 0.1 }]",
            "numbers[0].at: 0x0014 is in none of the spans",
        ),
        ("numbers = [{ at = 0, name = 'voltage_v', step = 0 }]", "numbers[0].step: 0 says nothing"),
        ("numbers = [{ at = 0, name = 'voltage_v' }]", "numbers[0].step: missing"),
        (
            """numbers = [{ at = 0, name = 'full_ah', step = 1, type = 'u32' },
            { at = 1, name = 'cycles', step = 1 }]""",
            "numbers[1].at: 0x0001 belongs to numbers[0] already",
        ),
        (
            "numbers = [{ at = 0, name = 'charge_current_limit_a', step = 1, min = 5 }]",
            "numbers[0].min: a limit is never raised",
        ),
        (
            "numbers = [{ at = 0, name = 'charge_current_limit_a', step = -1 }]",
            "numbers[0].step: a limit is unsigned",
        ),
        (
            "numbers = [{ at = 0, name = 'soc_pct', step = 1, unknown = -1 }]",
            "numbers[0].unknown: -1 does not fit u16",
        ),
        ("flags = [{ at = 0, protections = { b16 = ['fire'] } }]", "flags[0].protections: 'b16' is unknown"),
        ("flags = [{ at = 0, warnings = { b1 = ['flood'] } }]", "flags[0].warnings: 'flood' is unknown"),
        ("flags = [{ at = 0, bits = { full = 3, stopped = 3 } }]", "flags[0].bits: 3 has two meanings"),
        ("flags = [{ at = 0, fields = { activity = [15, 2] } }]", "flags[0].fields: activity does not fit"),
        ("codes = [{ at = 0, cases = [{ value = 1 }] }]", "codes[0].cases: that of 1 needs one of"),
        ("texts = [{ at = 0, words = 1, text = 'abc' }]", "texts[0].text: 'abc' is no text of at most 2"),
        (
            """writes = [{ functions = [16], start = 0, count = 2, kept = true, meaning = 'x' }]
            fixed = [{ at = 1, value = 1, meaning = 'x' }]""",
            "writes[0].kept: 0x0001 is fixed[0], which is ours to say",
        ),
        ("most = 126", "most: 126 "),
    ],
)
def test_a_bad_map_is_refused_with_file_and_key(tmp_path: Path, more: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BAD + more)
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {message}")):
        maps.load(str(path))


def test_every_problem_of_a_map_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BAD + "numbers = [{ at = 90, name = 'a', step = 1 }, { at = 91, name = 'b', step = 1 }]")
    with pytest.raises(ConfigError) as caught:
        maps.load(str(path))
    assert len(caught.value.problems) == 4


def test_a_map_is_no_companion_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BAD + f"companions = [{{ address = 3, map = '{path}' }}]")
    with pytest.raises(ConfigError, match="companions: mine has companions of its own"):
        maps.load(str(path))


def test_a_map_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        maps.load("/nowhere/mine.toml")


def test_an_unknown_map_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown register map 'pacee'; known: byd-hvm.*Did you mean"):
        maps.load("pacee")


def test_a_map_has_a_schema_for_editors() -> None:
    schema = maps.schema()
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert {"spans", "numbers", "flags"} <= properties.keys()
    assert "<path>" not in properties
