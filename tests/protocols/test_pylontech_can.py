"""Pylontech CAN as a battery: captured sets, what completes one, and what may be believed of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols.contract import Drop, Dropped, Message, Options
from bridge.protocols.pylontech_can import SPEC, Decoder, Device, Session
from tests.protocols.helpers import VECTORS as FOLDER
from tests.protocols.helpers import drops, fed, messages


@dataclass(frozen=True, slots=True)
class Capture:
    """A captured bus: its frames in order, and what the last of each kind is known to say."""

    name: str
    dialect: str
    frames: tuple[CanFrame, ...]
    expect: Mapping[str, Any]


def _captures() -> list[Capture]:
    return [
        Capture(
            entry["name"],
            entry["dialect"],
            tuple(
                CanFrame(frame["id"], bytes.fromhex(frame["data"]), frame["ext"]) for frame in entry["frames"]
            ),
            entry["expect"],
        )
        for entry in json.loads((FOLDER / "pylontech_can.json").read_text())
    ]


CAPTURES = _captures()
BY_NAME = {capture.name: capture for capture in CAPTURES}
PYLONTECH = [capture for capture in CAPTURES if capture.dialect.startswith("pylon")]

PACK: Reading = {
    "voltage_v": 52.8,
    "current_a": -12.3,
    "soc_pct": 61.0,
    "soh_pct": 99.0,
    "temperatures_c": (21.5,),
    "charge_allowed": True,
    "discharge_allowed": True,
    "protections": frozenset(),
    "warnings": frozenset(),
    "charge_voltage_limit_v": 56.0,
    "discharge_voltage_limit_v": 45.0,
    "charge_current_limit_a": 100.0,
    "discharge_current_limit_a": 90.0,
}


def pack(**changes: Any) -> Reading:
    return PACK | changes  # type: ignore[return-value]  # keys of Reading, written in the tests below


def flat(found: Iterable[Message]) -> dict[str, Any]:
    """All that messages say, later ones over earlier ones."""
    whole: dict[str, Any] = {}
    for message in found:
        whole |= {**message.raw, **message.reading}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in whole.items()}


def said(can_id: int, data: str, *, extended: bool = False) -> Message:
    (message,) = messages(Decoder().feed(CanFrame(can_id, bytes.fromhex(data), extended)))
    return message


def dropped(can_id: int, data: str, *, extended: bool = False) -> Dropped:
    (drop,) = drops(Decoder().feed(CanFrame(can_id, bytes.fromhex(data), extended)))
    return drop


def collected(
    frames: Iterable[CanFrame], session: Session | None = None, decoder: Decoder | None = None
) -> list[Reading]:
    """The readings that these frames complete, one after the other."""
    session, decoder = session or Session(Options()), decoder or Decoder()
    readings = (session.collect(message) for message in messages(fed(decoder, list(frames))))
    return [reading for reading in readings if reading is not None]


def cycle(reading: Reading = PACK, /, **replaced: str) -> list[CanFrame]:
    """One cycle of the simulated rack; `x351="..."` puts other data into a frame, "" leaves it out."""
    frames = []
    for frame in Device(Options()).tick(reading):
        assert isinstance(frame, CanFrame)
        data = replaced.get(f"x{frame.can_id:X}")
        if data != "":
            frames.append(frame if data is None else CanFrame(frame.can_id, bytes.fromhex(data)))
    return frames


def one(frames: Iterable[CanFrame]) -> Reading:
    (reading,) = collected(frames)
    return reading


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_a_captured_bus_says_what_it_is_known_to_say(capture: Capture) -> None:
    actual = flat(messages(fed(Decoder(), capture.frames)))
    assert {key: actual.get(key, "nothing") for key in capture.expect} == dict(capture.expect)


@pytest.mark.parametrize("capture", PYLONTECH, ids=lambda capture: capture.name)
def test_every_frame_of_a_captured_rack_is_understood(capture: Capture) -> None:
    assert drops(fed(Decoder(), capture.frames)) == []


@pytest.mark.parametrize(
    "name",
    [
        "pylon-lv-10-modules-idle",
        "pylon-lv-4-modules-discharging-short-351",
        "pylon-lv-v2-ecoworthy-cubix-2-packs",
        "pylon-lv-emulator-jk-sample",
        "deye-pcs-se-full-charge-blocked",
    ],
)
def test_a_captured_set_is_a_reading(name: str) -> None:
    capture = BY_NAME[name]
    reading = collected(capture.frames)[-1]
    for key in (
        "voltage_v",
        "current_a",
        "soc_pct",
        "soh_pct",
        "charge_voltage_limit_v",
        "charge_current_limit_a",
    ):
        assert reading[key] == capture.expect[key]
    assert reading["temperatures_c"][0] == capture.expect["temperature_c"]
    assert reading["charge_allowed"] is capture.expect["charge_enable"]
    assert reading["discharge_allowed"] is capture.expect["discharge_enable"]
    assert reading["protections"] == frozenset()
    assert "cell_voltages_v" not in reading


def test_the_extremes_of_cell_temperature_are_part_of_a_reading() -> None:
    frames = BY_NAME["pylon-lv-v2-ecoworthy-cubix-2-packs"].frames
    readings = collected(frames * 2)
    assert readings[0]["temperatures_c"] == (11.3,), "0x370 comes behind the set"
    assert readings[1]["temperatures_c"] == (11.3, 11.8, 10.8)
    assert readings[1]["design_ah"] == 200


def test_extremes_in_kelvin_are_taken_where_there_are_no_better_ones() -> None:
    frames = [CanFrame(0x373, bytes.fromhex("ca0ccf0c1b011c01")), *cycle()]
    assert one(frames)["temperatures_c"] == (21.5, 11, 10)


def test_old_racks_state_no_discharge_voltage() -> None:
    reading = one(BY_NAME["pylon-lv-4-modules-discharging-short-351"].frames)
    assert reading["discharge_voltage_limit_v"] is None


def test_a_discharge_voltage_of_zero_is_none_stated() -> None:
    assert one(cycle(pack(discharge_voltage_limit_v=0.0)))["discharge_voltage_limit_v"] is None


# What completes a set


def test_what_the_simulated_rack_says_is_read_back() -> None:
    assert one(cycle()) == PACK


def test_a_set_is_complete_with_its_last_message_and_not_before() -> None:
    frames = cycle()
    assert collected(frames[:4]) == []
    assert len(collected(frames[:5])) == 1


@pytest.mark.parametrize("missing", ["x351", "x355", "x356", "x359", "x35C"])
def test_a_set_without_one_of_its_messages_is_none(missing: str) -> None:
    assert collected(cycle(PACK, **{missing: ""}) * 20) == []


@pytest.mark.parametrize("late", ["x351", "x355", "x356", "x359", "x35C"])
def test_each_reading_needs_every_message_again(late: str) -> None:
    session, decoder = Session(Options()), Decoder()
    assert len(collected(cycle(), session, decoder)) == 1
    assert collected(cycle(PACK, **{late: ""}) * 5, session, decoder) == []
    assert len(collected(cycle(), session, decoder)) == 1


@given(st.permutations(cycle()[:5]))
def test_the_order_of_a_set_does_not_matter(frames: list[CanFrame]) -> None:
    assert collected(frames) == [PACK]


def test_the_newest_of_each_message_counts() -> None:
    newer = cycle(pack(charge_current_limit_a=5.0))[0]
    assert one([*cycle()[:3], newer, *cycle()[3:]])["charge_current_limit_a"] == 5.0


def test_a_new_connection_forgets_half_a_set() -> None:
    session = Session(Options())
    frames = cycle()
    collected(frames[:3], session)
    assert list(session.open()) == []
    assert collected(frames[3:], session) == []


@pytest.mark.parametrize("name", ["victron-pytes-v5", "victron-rec-q-24v-250k", "victron-byd-named-older"])
def test_a_pack_with_paired_alarms_instead_is_read_once_that_is_sure(name: str) -> None:
    capture = BY_NAME[name]
    assert collected(capture.frames * 2) == []
    reading = collected(capture.frames * 3)[-1]
    assert reading["voltage_v"] == capture.expect["voltage_v"]
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (True, True)


def test_a_pack_that_has_once_sent_its_requests_owes_them() -> None:
    session, decoder = Session(Options()), Decoder()
    assert len(collected(cycle(), session, decoder)) == 1
    pairs = CanFrame(0x35A, bytes(8))
    assert collected([*cycle(x359="", x35C=""), pairs] * 20, session, decoder) == []


def test_without_requests_a_limit_of_zero_is_no_permission() -> None:
    frames = [*cycle(pack(charge_current_limit_a=0.0), x359="", x35C=""), CanFrame(0x35A, bytes(8))]
    reading = collected(frames * 4)[-1]
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)


@pytest.mark.parametrize("extended", [False, True])
def test_an_inverter_alive_frame_proves_nothing(extended: bool) -> None:
    alive = CanFrame(0x305, bytes(8), extended)
    assert messages(Decoder().feed(alive)) == [Message("inverter_alive", {}, {"data": "0000000000000000"})]
    assert collected([alive] * 100) == []


# What may be believed of it


def test_a_negative_discharge_limit_is_told_as_sent_and_used_without_its_sign() -> None:
    limits = said(0x351, "4502b00e50f1c001")
    assert limits.reading["discharge_current_limit_a"] == -376.0
    assert limits.raw == {"negative_limit": True}
    reading = one(cycle(pack(voltage_v=55.4), x351="4502b00e50f1c001"))
    assert reading["discharge_current_limit_a"] == 376.0
    assert reading["warnings"] == {Alarm.OTHER}


def test_a_negative_charge_limit_allows_nothing() -> None:
    reading = one(cycle(x351="300218fcdc05cc01"))
    assert reading["charge_current_limit_a"] == 0.0
    assert reading["warnings"] == {Alarm.OTHER}


def test_a_limit_that_is_not_available_is_none() -> None:
    reading = one(cycle(x351="300200800080ffff"))
    assert reading["charge_current_limit_a"] is None
    assert reading["discharge_current_limit_a"] is None
    assert reading["discharge_voltage_limit_v"] is None


@pytest.mark.parametrize("limit", ["0000", "0100", "ffff"])
def test_a_charge_voltage_that_is_no_voltage_forbids_charging(limit: str) -> None:
    reading = one(cycle(x351=f"{limit}e803dc05cc01"))
    assert reading["charge_voltage_limit_v"] is None
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)


@pytest.mark.parametrize(
    ("bits", "charge", "discharge"),
    [
        ("c0", True, True),
        ("40", False, True),
        ("80", True, False),
        ("00", False, False),
        ("a0", True, False),
        ("90", True, False),
        ("20", True, False),  # a rack at 14 % that asks to be charged
        ("08", False, False),  # a wish for a full charge some day is no permission
    ],
)
def test_permission_is_in_the_requests(bits: str, charge: bool, discharge: bool) -> None:
    reading = one(cycle(x35C=bits))
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


@pytest.mark.parametrize(
    ("alarms", "protections", "charge", "discharge"),
    [
        ("0200", {Alarm.CELL_OVERVOLTAGE}, False, True),
        ("0400", {Alarm.CELL_UNDERVOLTAGE}, True, False),
        ("0800", {Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE}, False, False),
        ("1000", {Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE}, False, False),
        ("8000", {Alarm.DISCHARGE_OVERCURRENT}, True, False),
        ("0001", {Alarm.CHARGE_OVERCURRENT}, False, True),
        ("0008", {Alarm.BMS_FAULT}, False, False),
        ("0080", {Alarm.OTHER}, False, False),  # some emulators' system error
        ("0100", {Alarm.OTHER}, False, False),
    ],
)
def test_a_protection_wins_over_an_enable_bit(
    alarms: str, protections: set[Alarm], charge: bool, discharge: bool
) -> None:
    reading = one(cycle(x359=f"{alarms}000001504e"))
    assert reading["protections"] == protections
    assert reading["warnings"] == frozenset()
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


@pytest.mark.parametrize(
    ("alarms", "warnings"),
    [
        ("0200", {Alarm.CELL_OVERVOLTAGE}),
        ("0400", {Alarm.CELL_UNDERVOLTAGE}),
        ("0800", {Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE}),
        ("1000", {Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE}),
        ("8000", {Alarm.DISCHARGE_OVERCURRENT}),
        ("0001", {Alarm.CHARGE_OVERCURRENT}),
        ("0008", {Alarm.BMS_COMMUNICATION}),
        ("0010", {Alarm.OTHER}),
    ],
)
def test_a_warning_stops_nothing(alarms: str, warnings: set[Alarm]) -> None:
    reading = one(cycle(x359=f"0000{alarms}01504e"))
    assert reading["warnings"] == warnings
    assert reading["protections"] == frozenset()
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (True, True)


def test_alarm_bits_are_named_beside_their_meaning() -> None:
    raw = said(0x359, "0208041803504e").raw
    assert raw["protection"] == ["overvoltage", "system_error"]
    assert raw["alarm"] == ["low_voltage", "internal_communication"]
    assert (raw["modules"], raw["pn_marker"]) == (3, True)


def test_alarms_without_a_module_count_are_still_alarms() -> None:
    message = said(0x359, "02000000")
    assert message.reading["protections"] == {Alarm.CELL_OVERVOLTAGE}
    assert "modules" not in message.raw


@pytest.mark.parametrize("bit", range(32))
def test_a_bit_that_no_document_names_is_still_an_alarm_of_its_half(bit: int) -> None:
    documented = {1, 2, 3, 4, 7, 8, 11, 17, 18, 19, 20, 23, 24, 27}
    reading = said(0x359, (1 << bit).to_bytes(4, "little").hex() + "01504e").reading
    own, other = (reading["protections"], reading["warnings"])[:: 1 if bit < 16 else -1]
    assert own
    assert other == frozenset()
    assert (Alarm.OTHER in own) is (bit not in documented)


def test_a_module_count_needs_no_marker_behind_it() -> None:
    raw = said(0x359, "0000000007").raw
    assert (raw["modules"], raw["pn_marker"]) == (7, False)


def test_paired_alarms_are_raised_by_01_and_by_nothing_else() -> None:
    message = said(0x35A, "a4aa8202a89a8202")
    assert message.raw["raised"] == ["alarm.high_voltage", "warning.low_temp_charge"]
    assert message.reading["protections"] == {Alarm.PACK_OVERVOLTAGE}
    assert message.reading["warnings"] == {Alarm.CHARGE_UNDERTEMPERATURE}
    assert said(0x35A, "ffffffffffffffff").reading["protections"] == frozenset()
    assert said(0x35A, "aaaaaaaaaaaaaaaa").reading["warnings"] == frozenset()


def test_paired_alarms_count_beside_the_racks_own() -> None:
    reading = one([CanFrame(0x35A, bytes.fromhex("0400000000000000")), *cycle()])
    assert reading["protections"] == {Alarm.PACK_OVERVOLTAGE}
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)


@pytest.mark.parametrize("celsius", [-50.0, -150.0, 300.0])
def test_a_temperature_that_means_no_sensor_is_none(celsius: float) -> None:
    reading = one(cycle(pack(temperatures_c=(celsius,))))
    assert reading["temperatures_c"] == (None,)


@pytest.mark.parametrize(("celsius", "read"), [(150.0, 150.0), (150.1, None), (-60.0, -60.0), (-60.1, None)])
def test_a_temperature_beyond_what_a_probe_reads_is_none(celsius: float, read: float | None) -> None:
    assert one(cycle(pack(temperatures_c=(celsius,))))["temperatures_c"] == (read,)


def test_states_of_charge_and_health_end_where_they_must() -> None:
    assert said(0x355, "64009600").reading == {"soc_pct": 100.0, "soh_pct": 150.0}
    assert said(0x355, "64009700").reading == {"soc_pct": 100.0, "soh_pct": None}
    assert dropped(0x355, "65006400").reason is Drop.VALUE


@pytest.mark.parametrize(("voltage_v", "read"), [(19.9, None), (20.0, 20.0), (80.0, 80.0), (80.1, None)])
def test_the_voltage_lies_between_0_4_and_1_6_of_the_charge_voltage(
    voltage_v: float, read: float | None
) -> None:
    frames = cycle(pack(voltage_v=voltage_v, charge_voltage_limit_v=50.0))
    assert [reading["voltage_v"] for reading in collected(frames)] == ([] if read is None else [read])


@pytest.mark.parametrize(("limit_v", "used"), [(7.9, None), (8.0, 8.0)])
def test_eight_volts_are_the_least_that_is_a_charge_voltage(limit_v: float, used: float | None) -> None:
    reading = one(cycle(pack(charge_voltage_limit_v=limit_v, voltage_v=7.0)))
    assert reading["charge_voltage_limit_v"] == used


def test_a_voltage_in_tenths_is_told_by_the_charge_voltage() -> None:
    frames = BY_NAME["discover-lynk-two-cycles"].frames
    voltages = [
        message.reading["voltage_v"]
        for message in messages(fed(Decoder(), frames))
        if message.name == "measurement"
    ]
    assert voltages == [53.5, 53.5]


def test_a_deeply_discharged_rack_is_still_read_in_hundredths() -> None:
    reading = one(cycle(pack(voltage_v=41.2, charge_voltage_limit_v=58.4)))
    assert reading["voltage_v"] == 41.2


def test_a_voltage_that_is_near_the_charge_voltage_in_no_scale_is_counted_and_not_used() -> None:
    frames = cycle(pack(voltage_v=10.0, charge_voltage_limit_v=58.4))
    assert [drop.reason for drop in drops(fed(Decoder(), frames))] == [Drop.VALUE]
    assert collected(frames) == []


def test_the_scale_holds_while_the_charge_voltage_says_stop() -> None:
    decoder = Decoder()
    fed(decoder, cycle(x351="2f02040b040bb001", x356="170204001801"))
    (voltage,) = [
        message.reading["voltage_v"]
        for message in messages(fed(decoder, cycle(x351="0000000000000000", x356="170204001801")))
        if message.name == "measurement"
    ]
    assert voltage == 53.5


def test_a_fine_state_of_charge_is_only_taken_beside_a_coarse_one_that_agrees() -> None:
    assert said(0x355, "320064008813").raw == {"soc_hires_pct": 50.0}
    assert said(0x355, "39006300fd0cf30c").raw == {}, "LuxPower has millivolts there"
    assert said(0x355, "39006300ffffffff").raw == {}
    assert said(0x355, "32006400ec13").raw == {"soc_hires_pct": 51.0}
    assert said(0x355, "32006400ed13").raw == {}
    assert said(0x355, "0000640000000000").raw == {}, "0 is none stated"


@pytest.mark.parametrize(
    ("can_id", "data", "reason"),
    [
        (0x351, "1402740e74", Drop.LENGTH),
        (0x355, "1a0064", Drop.LENGTH),
        (0x356, "0213000000", Drop.LENGTH),
        (0x359, "000000", Drop.LENGTH),
        (0x35C, "", Drop.LENGTH),
        (0x355, "2c016400", Drop.VALUE),  # 300 %
        (0x356, "0213d08a4a01", Drop.VALUE),  # -3000 A
        (0x370, "76006c004d45414c", Drop.UNKNOWN),  # a text, as others send there
        (0x373, "0000000000000000", Drop.UNKNOWN),
        (0x4210, "a50930759d042e64", Drop.UNKNOWN),
        (0x361, "2d0d080de600e600", Drop.UNKNOWN),  # nobody has said that it is a Deye
    ],
)
def test_what_cannot_be_used_is_counted_under_its_kind(can_id: int, data: str, reason: Drop) -> None:
    drop = dropped(can_id, data, extended=can_id > 0x7FF)
    assert (drop.reason, drop.size) == (reason, max(1, len(data) // 2))


def test_extremes_of_a_deye_pack_that_no_cell_can_have_are_not_used() -> None:
    decoder = Decoder()
    fed(decoder, [CanFrame(0x35E, b"DY001\x1c\xfc\x08")])
    (drop,) = drops(decoder.feed(CanFrame(0x361, bytes.fromhex("080d2d0de600e600"))))
    assert drop.reason is Drop.VALUE, "the lowest above the highest"


def test_a_core_identifier_of_29_bits_is_another_protocol() -> None:
    assert dropped(0x351, "1402740e740ecc01", extended=True).reason is Drop.UNKNOWN


def test_energy_is_counted_in_tenths_of_a_kilowatt_hour() -> None:
    assert said(0x378, "a6020000b2020000").raw == {"energy_charged_kwh": 67.8, "energy_discharged_kwh": 69.0}


def test_states_that_are_not_available_are_none() -> None:
    assert said(0x355, "ffffffff").reading == {"soc_pct": None, "soh_pct": None}


def test_bytes_are_no_frames() -> None:
    assert Decoder().feed(b"\xdd\x03") == [Dropped(Drop.NOISE, 2, "no CAN frame")]


frames_of_any_kind = st.builds(
    CanFrame,
    st.one_of(st.integers(0, 0x7FF), st.sampled_from([*range(0x351, 0x383), 0x305, 0x150, 0x354])),
    st.binary(max_size=8),
    st.booleans(),
)


@given(
    frames=st.lists(frames_of_any_kind, max_size=60),
    brand=st.sampled_from([b"", b"DY001\x1c\xfc\x08", b"DISCOVER"]),
)
def test_no_frames_raise_and_no_limit_is_ever_negative(frames: list[CanFrame], brand: bytes) -> None:
    named = [CanFrame(0x35E, brand), *frames, *cycle()] if brand else [*frames, *cycle()]
    for reading in collected(named):
        for key in ("charge_current_limit_a", "discharge_current_limit_a"):
            assert (reading[key] or 0.0) >= 0.0


@given(
    voltage_v=st.integers(4400, 5800).map(lambda steps: steps / 100),
    current_a=st.integers(-15000, 15000).map(lambda steps: steps / 10),
    soc_pct=st.integers(0, 100),
    charge_current_limit_a=st.integers(0, 15000).map(lambda steps: steps / 10),
    discharge_current_limit_a=st.integers(0, 15000).map(lambda steps: steps / 10),
    charge_allowed=st.booleans(),
    discharge_allowed=st.booleans(),
)
def test_any_state_of_a_simulated_rack_is_read_back(**state: Any) -> None:
    assert one(cycle(pack(**state))) == pack(**state)


def test_a_simulated_rack_shows_its_alarms() -> None:
    state = pack(
        protections=frozenset({Alarm.CELL_OVERVOLTAGE, Alarm.CHARGE_OVERCURRENT}),
        warnings=frozenset({Alarm.BMS_COMMUNICATION, Alarm.SOC_LOW}),
    )
    reading = one(cycle(state))
    assert reading["protections"] == {Alarm.CELL_OVERVOLTAGE, Alarm.CHARGE_OVERCURRENT}
    assert reading["warnings"] == {Alarm.BMS_COMMUNICATION}


def test_a_simulated_rack_refuses_values_that_a_frame_cannot_carry() -> None:
    with pytest.raises(BridgeBug, match="do not fit"):
        Device(Options()).tick(pack(charge_current_limit_a=4000.0))


# What is ever sent


def test_nothing_is_ever_sent_to_it() -> None:
    session = Session(Options())
    assert session.streams is True
    assert [list(script) for script in (session.open(), session.info(), session.poll())] == [[], [], []]
    assert Device(Options()).receive(CanFrame(0x305, bytes(8)), PACK) == []


def test_its_spec_is_a_can_bus_of_500_kbit() -> None:
    assert (SPEC.links, SPEC.bitrate) == (("can",), 500_000)


def test_importing_it_costs_no_heavy_library() -> None:
    heavy = "print({'cantools', 'pydantic', 'can'} & set(sys.modules))"
    script = f"import sys, bridge.protocols.pylontech_can; {heavy}"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"
