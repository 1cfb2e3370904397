from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cantools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame
from bridge.sinks import dialect as dialects
from tests.sinks.helpers import BITS, NUMBERS, VECTORS, alarm_bits, by_hand, frames_of, pylontech

NAMES = [vector["name"] for vector in VECTORS]

# Limits and enables say what follows from these; no bit of the dialect means them.
WITHOUT_A_BIT = {
    Alarm.SOC_LOW,
    Alarm.SOC_HIGH,
    Alarm.SOC_DRIFT,
    Alarm.FULLY_CHARGED,
    Alarm.FET_LOCKED,
}


@cache
def cantools_reader() -> Any:
    return cantools.database.load_file(pylontech().path)


def decoded(frames: tuple[CanFrame, ...]) -> dict[str, Any]:
    return {name: value for frame in frames for name, value in pylontech().decode(frame).items()}


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_captures_decode_to_what_is_known_of_them(vector: dict[str, Any]) -> None:
    found = decoded(frames_of(vector))
    expected = dict(vector["expect"])
    bits = expected.pop("alarm_bits", None)
    assert {name: found[name] for name in expected} == expected
    assert bits is None or alarm_bits(found) == bits


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_a_reader_that_knows_no_dbc_reads_the_same(vector: dict[str, Any]) -> None:
    assert decoded(frames_of(vector)) == by_hand(frames_of(vector))


@given(st.sampled_from([0x351, 0x355, 0x356, 0x359, 0x35C]), st.binary(min_size=8, max_size=8))
def test_any_data_reads_the_same_by_hand_and_by_dbc(can_id: int, data: bytes) -> None:
    frame = CanFrame(can_id, data)
    assert pylontech().decode(frame) == by_hand((frame,))


@given(st.binary(min_size=8, max_size=8), st.sampled_from([0x351, 0x355, 0x356, 0x359, 0x35C]))
def test_cantools_reads_the_same(data: bytes, can_id: int) -> None:
    message = cantools_reader().get_message_by_frame_id(can_id)
    theirs = message.decode(data[: message.length], decode_choices=False)
    ours = pylontech().decode(CanFrame(can_id, data))
    assert ours == pytest.approx(theirs)


@given(st.integers(0, 0x1FFFFFFF), st.binary(max_size=8), st.booleans())
def test_no_frame_makes_the_reader_fail(can_id: int, data: bytes, extended: bool) -> None:
    known = {name for name, *_ in (*NUMBERS, *BITS)} | {"manufacturer_name"}
    for one in (can_id, 0x351 + can_id % 16):
        assert pylontech().decode(CanFrame(one, data, extended)).keys() <= known


def test_single_bits_are_true_or_false_and_numbers_are_numbers() -> None:
    found = pylontech().decode(CanFrame(0x35C, b"\xc0")) | pylontech().decode(CanFrame(0x355, b"\x01\0"))
    assert found["charge_enabled"] is True
    assert found["full_charge_request"] is False
    assert found["soc_pct"] is not True


def test_a_short_frame_lacks_what_lies_behind_its_end() -> None:
    found = pylontech().decode(CanFrame(0x351, bytes.fromhex("14025002c8")))
    assert found == {"charge_voltage_limit_v": 53.2, "charge_current_limit_a": 59.2}


def test_a_29_bit_frame_is_not_taken_for_the_11_bit_one() -> None:
    assert pylontech().decode(CanFrame(0x351, bytes(8), extended=True)) == {}


def test_a_name_that_is_not_ascii_is_shown_escaped() -> None:
    found = pylontech().decode(CanFrame(0x35E, b"\xffYLON\x00\x00\x00"))
    assert found == {"manufacturer_name": "\\xffYLON\0\0\0"}


def test_every_alarm_that_acts_has_a_bit_or_is_known_to_have_none() -> None:
    signals = [signal for message in pylontech().messages.values() for signal in message.signals]
    assert {alarm for signal in signals for alarm in signal.protections} == set(Alarm) - WITHOUT_A_BIT


def test_the_genuine_lengths_are_those_of_genuine_racks() -> None:
    lengths = {message.can_id: message.length for message in pylontech().messages.values()}
    assert lengths == {0x351: 8, 0x355: 4, 0x356: 6, 0x359: 7, 0x35C: 2, 0x35E: 8, 0x305: 8}


# What a dialect may not be

HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: Battery Inverter\n'
TAIL = """
BA_DEF_ SG_ "Kind" ENUM "quantity","constant","text";
BA_DEF_ SG_ "Protections" STRING ;
BA_DEF_ SG_ "Warnings" STRING ;
BA_DEF_ SG_ "GenSigStartValue" INT 0 2147483647;
BA_DEF_DEF_ "Kind" "quantity";
BA_DEF_DEF_ "Protections" "";
BA_DEF_DEF_ "Warnings" "";
"""


def write(folder: Path, messages: str, attributes: str = "") -> Path:
    path = folder / "acme.dbc"
    path.write_text(HEAD + messages + TAIL + attributes, "utf-8")
    return path


@pytest.mark.parametrize(
    ("messages", "attributes", "complaint"),
    [
        (
            'BO_ 849 a: 8 Battery\n SG_ charge_voltage_limt_v : 0|16@1+ (0.1,0) [0|0] "V" Inverter\n',
            "",
            'Did you mean "charge_voltage_limit_v"?',
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ x : 0|1@1+ (1,0) [0|1] "" Inverter\n',
            'BA_ "Protections" SG_ 849 x "cell_overvoltge";\n',
            'Did you mean "cell_overvoltage"?',
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ x : 0|3@1+ (1,0) [0|1] "" Inverter\n',
            'BA_ "Warnings" SG_ 849 x "fire";\n',
            "an alarm is one bit, or two for raised and cleared, not 3",
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ x : 0|2@1+ (1,0) [0|3] "" Inverter\n',
            'BA_ "Warnings" SG_ 849 x "fire";\nBA_ "GenSigStartValue" SG_ 849 x 1;\n',
            "a pair of alarm bits is little endian and has the start value 0 or 2",
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ x : 1|2@0+ (1,0) [0|3] "" Inverter\n',
            'BA_ "Warnings" SG_ 849 x "fire";\nBA_ "GenSigStartValue" SG_ 849 x 2;\n',
            "a pair of alarm bits is little endian and has the start value 0 or 2",
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ x : 0|12@1+ (1,0) [0|1] "" Inverter\n',
            'BA_ "Kind" SG_ 849 x 2;\n',
            "a text takes whole bytes",
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ voltage_v : 0|32@1- (1,0) [0|1] "V" Inverter\n',
            "SIG_VALTYPE_ 849 voltage_v : 1;\n",
            "floating point is not supported",
        ),
        (
            'BO_ 849 a: 8 Battery\n SG_ soc_pct M : 0|8@1+ (1,0) [0|1] "" X\n',
            "",
            "the selector of a multiplexed message has the kind constant",
        ),
        ('BO_ 849 a: 12 Battery\n SG_ soc_pct : 0|8@1+ (1,0) [0|1] "" Inverter\n', "", "12 data bytes"),
        ('BO_ 849 a: 8 Inverter\n SG_ x : 0|8@1+ (1,0) [0|1] "" Battery\n', "", "sent by the node Battery"),
        ('BO_ 849 a: 1 Battery\n SG_ soc_pct : 0|16@1+ (1,0) [0|1] "" Inverter\n', "", "acme.dbc: "),
        ("this is no DBC", "", "acme.dbc: "),
    ],
)
def test_what_cannot_be_sent_rightly_is_refused_when_loaded(
    tmp_path: Path, messages: str, attributes: str, complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        dialects.load(write(tmp_path, messages, attributes))
    assert complaint in str(caught.value)
    assert str(tmp_path / "acme.dbc") in str(caught.value)


def test_all_problems_of_a_file_come_at_once(tmp_path: Path) -> None:
    messages = 'BO_ 849 a: 8 Battery\n SG_ x : 0|8@1+ (1,0) [0|1] "" X\n SG_ y : 8|8@1+ (1,0) [0|1] "" X\n'
    with pytest.raises(ConfigError) as caught:
        dialects.load(write(tmp_path, messages))
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "frame 0x351, field x",
        "frame 0x351, field y",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.dbc: No such file"):
        dialects.load(tmp_path / "none.dbc")


def test_a_signal_of_the_inverter_may_have_any_name(tmp_path: Path) -> None:
    messages = (
        'BO_ 849 a: 8 Battery\n SG_ soc_pct : 0|8@1+ (1,0) [0|100] "%" Inverter\n'
        'BO_ 773 b: 8 Inverter\n SG_ whatever : 0|8@1- (0.5,-10) [0|0] "" Battery\n'
        ' SG_ shifted : 8|8@1+ (1,-10) [0|0] "" Battery\n'
    )
    found = dialects.load(write(tmp_path, messages)).decode(CanFrame(0x305, b"\xfe\x0b"))
    assert found == {"whatever": -11.0, "shifted": 1}


def test_a_big_endian_text_reads_forward_too(tmp_path: Path) -> None:
    messages = 'BO_ 849 a: 8 Battery\n SG_ manufacturer_name : 7|64@0+ (1,0) [0|0] "" Inverter\n'
    kind = 'BA_ "Kind" SG_ 849 manufacturer_name 2;\n'
    found = dialects.load(write(tmp_path, messages, kind)).decode(CanFrame(849, b"PYLON   "))
    assert found == {"manufacturer_name": "PYLON   "}


@given(st.binary(min_size=8, max_size=8))
def test_big_endian_signals_are_read_as_cantools_reads_them(data: bytes) -> None:
    text = HEAD + (
        'BO_ 849 a: 8 Battery\n SG_ charge_voltage_limit_v : 7|16@0+ (0.1,0) [0|0] "V" Inverter\n'
        ' SG_ current_a : 24|13@0- (0.1,0) [0|0] "A" Inverter\n'
        ' SG_ charge_enabled : 43|1@0+ (1,0) [0|1] "" Inverter\n'
        ' SG_ soc_pct : 56|8@1+ (1,0) [0|0] "%" Inverter\n'
    )
    path = Path(__file__).with_name("unused.dbc")
    database = cantools.database.load_string(text, "dbc")
    signals = tuple(dialects._signal(signal) for signal in database.messages[0].signals)  # type: ignore[union-attr]
    message = dialects.Message(can_id=849, extended=False, name="a", length=8, ours=True, signals=signals)
    ours = dialects.Dialect("acme", path, {(849, False): message}).decode(CanFrame(849, data))
    assert ours == pytest.approx(database.messages[0].decode(data))  # type: ignore[union-attr]


# Pages, and addresses

PAGED = (
    'BO_ 2147500816 a: 8 Battery\n SG_ page M : 0|8@1+ (1,0) [0|3] "" X\n'
    ' SG_ soc_pct m0 : 8|8@1+ (1,0) [0|100] "%" X\n SG_ soh_pct m1 : 8|8@1+ (1,0) [0|100] "%" X\n'
)
SELECTOR = 'BA_ "Kind" SG_ 2147500816 page 1;\n'


def test_a_frame_has_only_the_fields_of_its_page(tmp_path: Path) -> None:
    paged = dialects.load(write(tmp_path, PAGED, SELECTOR))
    assert paged.decode(CanFrame(0x4310, b"\0\x39", True)) == {"page": 0, "soc_pct": 57}
    assert paged.decode(CanFrame(0x4310, b"\1\x39", True)) == {"page": 1, "soh_pct": 57}
    assert paged.decode(CanFrame(0x4310, b"\7\x39", True)) == {"page": 7}
    assert paged.decode(CanFrame(0x4310, b"", True)) == {}


def test_a_battery_with_an_address_has_other_identifiers_and_its_inverter_the_same(tmp_path: Path) -> None:
    messages = PAGED + 'BO_ 2147500800 b: 8 Inverter\n SG_ asked : 0|8@1+ (1,0) [0|0] "" Battery\n'
    moved = dialects.load(write(tmp_path, messages, SELECTOR)).moved(0x1)
    assert moved.messages.keys() == {(0x4311, True), (0x4300, True)}
    assert moved.decode(CanFrame(0x4311, b"\0\x39", True))["soc_pct"] == 57


def test_a_field_that_is_on_several_pages_is_refused(tmp_path: Path) -> None:
    several = PAGED.split(" SG_ soh_pct", maxsplit=1)[0] + "SG_MUL_VAL_ 2147500816 soc_pct page 0-1;\n"
    with pytest.raises(ConfigError, match="one page a field"):
        dialects.load(write(tmp_path, several, SELECTOR))
