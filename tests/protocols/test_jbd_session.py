from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug, ConfigError
from bridge.model import NO_ALARMS, Alarm, CanFrame, PackInfo, Ratings, Reading
from bridge.protocols._jbd_data import basic_data, basic_of, cells_data
from bridge.protocols._jbd_frames import key_frame, read_request, reply
from bridge.protocols._jbd_registers import LIMITS, parameter_words, ratings_of
from bridge.protocols.contract import Message, NoReply, Options, Payload, Script, load
from bridge.protocols.jbd import SPEC, Decoder, Device, Session
from tests.protocols.helpers import GARBAGE, Silent, Vector, ask, bytewise, fed, messages, vectors

VECTORS = vectors("jbd")
BY_NAME = {vector.name: vector for vector in VECTORS}
JBD = load("jbd")
MAC = "a4:c1:37:04:2d:be"
BASIC = BY_NAME["vendor_15s_basic"].stream
CELLS = BY_NAME["vendor_15s_cells"].stream
NAME = BY_NAME["vendor_name"].stream


def _message(stream: bytes) -> Message:
    (message,) = fed(Decoder(), [stream])
    assert isinstance(message, Message)
    return message


ALLOWED = {
    read_request(3),
    read_request(4),
    read_request(5),
    read_request(0xFA, b"\x00\x00\x1a"),
    key_frame(0x15, b"000000"),
    key_frame(0x17),
}

PACK: Reading = {
    "voltage_v": 53.12,
    "current_a": -20.5,
    "soc_pct": 61,
    "remaining_ah": 61.2,
    "design_ah": 100.0,
    "cycles": 12,
    "cell_count": 16,
    "cell_voltages_v": (3.32,) * 16,
    "temperatures_c": (21.5, -3.4),
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "balancing": False,
    "protections": NO_ALARMS,
}


def _answer(script: Script[Any], stream: bytes) -> Any:
    """The script's next request, or its result."""
    try:
        return script.send(_message(stream))
    except StopIteration as stop:
        return stop.value


def _polled(session: Session, basic: bytes, cells: bytes) -> Reading:
    script = session.poll()
    assert next(script).data == read_request(3)
    assert _answer(script, basic).data == read_request(4)
    reading: Reading = _answer(script, cells)
    return reading


def test_a_poll_is_basic_information_and_cells_as_one_reading() -> None:
    reading = _polled(Session(Options()), BASIC, CELLS)
    assert reading["voltage_v"] == 58.88
    assert len(reading["cell_voltages_v"]) == reading["cell_count"] == 15
    assert reading["warnings"] == NO_ALARMS


def test_a_poll_waits_for_the_right_messages() -> None:
    script = Session(Options()).poll()
    assert next(script).reply == "basic"
    assert _answer(script, BASIC).reply == "cells"


def test_a_poll_without_cells_is_no_reading() -> None:
    script = Session(Options()).poll()
    next(script)
    script.send(_message(BASIC))
    with pytest.raises(NoReply):
        script.throw(NoReply("silence"))


def test_a_broken_sense_lead_is_an_unreadable_cell_and_a_warning() -> None:
    reading = _polled(Session(Options()), BASIC, reply(4, CELLS[4:-5] + b"\x00\x00"))
    assert reading["cell_voltages_v"][-2:] == (3.942, None)
    assert reading["warnings"] == {Alarm.CELL_DISCONNECTED}


@pytest.mark.parametrize(("count", "used"), [(14, 14), (16, 15)])
def test_cells_that_the_replies_count_differently_are_the_fewer_with_a_warning(count: int, used: int) -> None:
    reading = _polled(Session(Options()), BASIC, reply(4, b"\x0c\xe4" * count))
    assert reading["cell_count"] == len(reading["cell_voltages_v"]) == used
    assert reading["warnings"] == {Alarm.CELL_DISCONNECTED}


def test_a_poll_leaves_its_messages_as_they_were() -> None:
    basic, cells = _message(BASIC), _message(reply(4, b"\x00\x00"))
    script = Session(Options()).poll()
    next(script)
    script.send(basic)
    with pytest.raises(StopIteration):
        script.send(cells)
    assert basic == _message(BASIC)
    assert cells.reading["cell_voltages_v"] == (0.0,)


def test_capacities_that_nobody_set_are_unknown() -> None:
    data = bytearray(BASIC[4:-3] + bytes(9))
    data[6:8] = b"\x00\x00"
    reading = _polled(Session(Options()), reply(3, bytes(data)), CELLS)
    assert reading["design_ah"] is None
    assert reading["full_ah"] is None


def _locked(fets: int, current_a: float, *, locked: bool = True) -> bytes:
    pack = PACK.copy()
    pack["current_a"] = current_a
    return reply(3, basic_data(pack, {"fet_bits": fets, "protection_bits": 0x1000 if locked else 0}))


PACK_CELLS = reply(4, cells_data(PACK))


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([(0b10, 0.0)], (False, True)),
        ([(0b01, 0.0)], (True, False)),
        ([(0b10, 0.0), (0b11, -5.0), (0b11, 0.0)], (False, True)),  # the switch flickers, the lock stays
        ([(0b01, 0.0), (0b11, 5.0), (0b11, 0.0)], (True, False)),
        ([(0b11, -5.0)], (False, True)),  # a closed switch proves nothing against the current
        ([(0b11, 5.0)], (True, False)),
        ([(0b11, 0.0)], (True, True)),
        ([(0b10, 0.0), (0b01, 0.0)], (False, False)),
    ],
)
def test_a_lock_lasts_until_its_bit_clears(
    story: list[tuple[int, float]], expected: tuple[bool, bool]
) -> None:
    """KG-Development/SmartBMSUtility issue 32: boards close a locked switch against reverse current."""
    session = Session(Options())
    for fets, current_a in story:
        reading = _polled(session, _locked(fets, current_a), PACK_CELLS)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == expected
    free = _polled(session, _locked(0b11, 0.0, locked=False), PACK_CELLS)
    assert (free["charge_allowed"], free["discharge_allowed"]) == (True, True)


def test_nothing_is_collected_that_nobody_asked_for() -> None:
    assert Session(Options()).collect(_message(BASIC)) is None


def test_info_is_name_firmware_and_limits() -> None:
    limits = {"cell_ovp_v": 3.65, "cell_uvp_v": 2.5, "charge_ocp_a": 110.0, "discharge_ocp_a": 120.0}
    device = Device(Options(extra={"model": "JBD-SP16S", **limits}))
    info, sent = ask(JBD, Session(Options()).info(), device, PACK)
    assert info == PackInfo(model="JBD-SP16S", firmware="2.0", cell_count=16, ratings=Ratings(**limits))
    assert sent == [read_request(5), read_request(3), read_request(0xFA, b"\x00\x00\x1a")]


def test_info_after_a_poll_does_not_ask_for_basic_information_again() -> None:
    session = Session(Options())
    _polled(session, BASIC, CELLS)
    info, sent = ask(JBD, session.info(), Device(Options()), PACK)
    assert isinstance(info, PackInfo)
    assert (info.firmware, info.cell_count) == ("1.0", 15)
    assert read_request(3) not in sent


def test_info_does_without_what_an_old_board_does_not_answer() -> None:
    script = Session(Options()).info()
    next(script)
    script.throw(NoReply("no name"))
    _answer(script, BASIC)
    with pytest.raises(StopIteration) as ended:
        script.throw(NoReply("refused"))
    assert ended.value.value == PackInfo(firmware="1.0", cell_count=15)


def test_info_of_a_silent_board_is_none() -> None:
    assert ask(JBD, Session(Options()).info(), Silent(), PACK)[0] is None


def test_parameters_from_another_start_give_no_limits() -> None:
    session = Session(Options())
    script = session.info()
    next(script)
    _answer(script, NAME)
    _answer(script, BASIC)
    info = _answer(script, BY_NAME["fa_read_two_params"].stream)
    assert info == PackInfo(model="0123456789", firmware="1.0", cell_count=15)


# Limits: registers 10 to 29 of the SP04S034 in the vectors, with the three that were not captured filled in
SETTINGS = {
    8: 3481, 9: 3281, 10: 2631, 11: 2681, 12: 3481, 13: 3281, 14: 2631, 15: 2731, 16: 1460, 17: 1420,
    18: 1000, 19: 1080, 20: 3650, 21: 3550, 22: 2500, 23: 2700, 24: 23000, 25: 42536,
}  # fmt: skip


def _words(**changed: int) -> list[int]:
    words = [SETTINGS.get(number, 0) for number in range(26)]
    for name, value in changed.items():
        words[int(name.removeprefix("n"))] = value
    return words


def test_limits_are_what_the_registers_say() -> None:
    assert ratings_of(_words(), high_capacity=False) == Ratings(
        cell_ovp_v=3.65,
        cell_uvp_v=2.5,
        pack_ovp_v=14.6,
        pack_uvp_v=10.0,
        charge_ocp_a=230.0,
        discharge_ocp_a=230.0,
        charge_otp_c=75.0,
        charge_utp_c=-10.0,
        discharge_otp_c=75.0,
        discharge_utp_c=-10.0,
    )


def test_a_high_capacity_unit_has_ten_times_the_current_limits() -> None:
    assert ratings_of(_words(n24=4000), high_capacity=True).charge_ocp_a == 400.0


@pytest.mark.parametrize(
    ("words", "name"),
    [(_words(n24=0), "charge_ocp_a"), (_words(n8=0xFFFF), "charge_otp_c"), (_words(n16=60000), "pack_ovp_v")],
)
def test_a_limit_beyond_belief_is_none_and_the_others_stay(words: list[int], name: str) -> None:
    ratings = ratings_of(words, high_capacity=False)
    assert getattr(ratings, name) is None
    assert ratings.cell_ovp_v == 3.65


@pytest.mark.parametrize("words", [_words(n20=2400), _words(n23=3600), _words(n21=3700), [0] * 25, []])
def test_settings_out_of_order_give_no_limits_at_all(words: list[int]) -> None:
    assert ratings_of(words, high_capacity=False) == Ratings()


def test_limits_come_back_as_they_were_set() -> None:
    limits = {name: round((limit.low + limit.high) / 2) for name, limit in LIMITS.items()}
    limits |= {"cell_uvp_v": 2, "cell_ovp_v": 4, "charge_ocp_a": 300, "discharge_ocp_a": 300}
    limits |= {"pack_uvp_v": 40, "pack_ovp_v": 58}
    assert ratings_of(parameter_words(limits), high_capacity=False) == Ratings(**limits)


# Keys


def test_without_a_password_a_conversation_opens_by_itself() -> None:
    assert ask(JBD, Session(Options()).open(), Silent(), PACK) == (None, [])


def test_a_board_with_a_password_is_opened_by_it_and_silent_before() -> None:
    options = Options(password="123412", mac=MAC)
    device, session = Device(options), Session(options)
    assert device.receive(read_request(3), PACK) == []
    _, sent = ask(JBD, session.open(), device, PACK)
    assert sent == [
        bytes.fromhex("ffaa15063030303030303b"),
        bytes.fromhex("ffaa170017"),
        BY_NAME["auth_password_accepted"].request,
    ]
    assert ask(JBD, session.poll(), device, PACK)[0]["soc_pct"] == 61


def test_a_new_connection_needs_the_password_again() -> None:
    device = Device(Options(password="123412", mac=MAC))
    ask(JBD, Session(Options(password="123412", mac=MAC)).open(), device, PACK)
    device.receive(key_frame(0x15, b"000000"), PACK)
    assert device.receive(read_request(3), PACK) == []


def test_a_wrong_password_is_told() -> None:
    device = Device(Options(password="123412", mac=MAC))
    with pytest.raises(NoReply, match="rejected the password"):
        ask(JBD, Session(Options(password="000000", mac=MAC)).open(), device, PACK)
    assert device.receive(read_request(3), PACK) == []


def test_a_board_without_a_password_is_not_told_ours() -> None:
    _, sent = ask(JBD, Session(Options(password="123412", mac=MAC)).open(), Device(Options()), PACK)
    assert sent == [key_frame(0x15, b"000000")]


def test_an_old_board_that_knows_no_keys_is_read_as_it_is() -> None:
    assert ask(JBD, Session(Options(password="123412", mac=MAC)).open(), Silent(), PACK)[0] is None


def test_a_rejected_app_key_is_told() -> None:
    script = Session(Options(password="123412", mac=MAC)).open()
    next(script)
    with pytest.raises(NoReply, match="rejected the app key"):
        script.send(_message(BY_NAME["auth_app_key_rejected"].stream))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (Options(password="12345", mac=MAC), "six letters or digits"),
        (Options(password="12345ä", mac=MAC), "six letters or digits"),
        (Options(password="123456"), "no Bluetooth address"),
        (Options(password="123456", mac="a4:c1:37"), "no Bluetooth address"),
        (Options(password="123456", mac="no address"), "no Bluetooth address"),
        (Options(address=256), "allowed 0..255"),
    ],
)
def test_options_that_cannot_be_are_refused_without_saying_the_password(
    options: Options, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        Session(options)
    assert options.password is None or options.password not in str(refused.value)


# Only reading


@given(
    st.lists(st.one_of(st.none(), st.sampled_from(VECTORS)), max_size=12),
    st.sampled_from([None, "123412"]),
)
def test_whatever_is_answered_only_reads_are_ever_sent(
    answers: list[Vector | None], password: str | None
) -> None:
    session = Session(Options(password=password, mac=MAC))
    left = list(answers)
    for script in (session.open(), session.info(), session.poll(), session.poll()):
        for data in _sent(script, left):
            assert isinstance(data, bytes)
            assert data in ALLOWED or data[:4] == b"\xff\xaa\x18\x06"


def _sent(script: Script[Any], answers: list[Vector | None]) -> list[Payload]:
    """What a script sends when these vectors answer, as far as a driver would let them through."""
    sent: list[Payload] = []
    try:
        request = next(script)
        while True:
            sent.append(request.data)
            vector = answers.pop() if answers else None
            found = messages(fed(Decoder(), vector.chunks)) if vector else []
            answer = next((message for message in found if message.name == request.reply), None)
            request = script.send(answer) if answer else script.throw(NoReply("silence"))
    except (StopIteration, NoReply):
        return sent


def test_an_addressed_board_is_asked_in_its_own_form() -> None:
    options = Options(address=2)
    reading, sent = ask(JBD, Session(options).poll(), Device(options), PACK)
    assert sent == [read_request(3, address=2), read_request(4, address=2)]
    assert reading["soc_pct"] == 61


# The board's side


def test_a_request_in_pieces_is_answered_once_it_is_whole() -> None:
    device = Device(Options())
    assert [len(device.receive(piece, PACK)) for piece in bytewise(read_request(3))] == [0, 0, 0, 0, 0, 0, 1]


def test_two_requests_at_once_are_both_answered() -> None:
    answers = Device(Options()).receive(GARBAGE + read_request(3) + read_request(4), PACK)
    assert [_message(bytes(answer)).name for answer in answers if isinstance(answer, bytes)] == [
        "basic",
        "cells",
    ]


@pytest.mark.parametrize(
    ("request_frame", "answer"),
    [
        (read_request(0x24), reply(0x24, status=0x81)),
        (read_request(0xA1), reply(0xA1, status=0x81)),
        (read_request(0x77), reply(0x77, status=0x80)),
        (read_request(0xFA, b"\x00"), reply(0xFA, status=0x80)),
        (read_request(0xAA), reply(0xAA, bytes(24))),
        (bytes.fromhex("dd5a060706000000000000ffed77"), reply(0x06)),
        (bytes.fromhex("dd5a00025678ff3077"), reply(0x00)),
        (bytes.fromhex("dd5a01020000fffd77"), reply(0x01)),
        (bytes.fromhex("dd5a01022828ffad77"), reply(0x01, status=0x81)),
        (bytes.fromhex("dd5ae1020001ff1c77"), reply(0xE1, status=0x81)),
    ],
)
def test_a_board_answers_what_it_must_and_takes_no_write(request_frame: bytes, answer: bytes) -> None:
    assert (
        b"".join(
            bytes(item) for item in Device(Options()).receive(request_frame, PACK) if isinstance(item, bytes)
        )
        == answer
    )


def test_a_board_does_not_answer_for_another_address_nor_to_answers_nor_to_can() -> None:
    device = Device(Options(address=2))
    assert device.receive(read_request(3, address=3), PACK) == []
    assert device.receive(reply(3, BASIC[4:-3]), PACK) == []
    assert device.receive(CanFrame(1, b""), PACK) == []
    assert device.receive(key_frame(0x1D), PACK) == []
    assert len(device.receive(read_request(3), PACK)) == 1


def test_missing_values_are_sent_as_boards_send_them() -> None:
    reading, raw = basic_of(basic_data({"temperatures_c": (None, 20.0)})) or ({}, {})
    assert reading["voltage_v"] == 0.0
    assert reading["temperatures_c"] == (None, 20.0)
    assert reading["charge_fet_on"] is False
    assert raw["production_date"] is None
    assert cells_data({"cell_voltages_v": (3.3, None)}) == b"\x0c\xe4\x00\x00"


def test_permissions_stand_for_switches_that_are_not_said() -> None:
    assert basic_data({"charge_allowed": True, "discharge_allowed": False})[20] == 0x01


def test_the_highest_cell_is_the_one_that_is_bled() -> None:
    data = basic_data({"balancing": True, "cell_voltages_v": (3.3, None, 3.5, 3.4)})
    assert data[12:16] == b"\x00\x04\x00\x00"
    assert basic_data({"balancing": True})[12:16] == bytes(4)


@pytest.mark.parametrize(
    ("reading", "field"),
    [
        ({"voltage_v": 655.36}, "voltage_v"),
        ({"voltage_v": -0.01}, "voltage_v"),
        ({"current_a": 3276.8}, "current_a"),
        ({"design_ah": 6553.6}, "design_ah"),
        ({"cell_count": 256}, "cell_count"),
    ],
)
def test_a_value_that_does_not_fit_is_our_bug_and_names_its_field(reading: Reading, field: str) -> None:
    with pytest.raises(BridgeBug, match=field):
        basic_data(reading)


def test_more_cells_than_a_reply_holds_are_our_bug() -> None:
    with pytest.raises(BridgeBug, match="33 cells"):
        cells_data({"cell_voltages_v": (3.3,) * 33})


def _at(low: int, high: int, per_unit: int) -> st.SearchStrategy[float]:
    """Values on the wire's own grid."""
    return st.integers(low, high).map(lambda steps: steps / per_unit)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Whatever a board can say, on its own grid."""
    steps = draw(st.sampled_from([10, 100]))
    cells_v = tuple(draw(st.lists(_at(1, 5000, 1000), min_size=1, max_size=32)))
    reading: Reading = {
        "voltage_v": draw(_at(0, 0xFFFF, 100)),
        "current_a": draw(_at(-0x8000, 0x7FFF, steps)),
        "soc_pct": draw(st.integers(0, 100)),
        "remaining_ah": draw(_at(0, 0xFFFF, steps)),
        "design_ah": draw(_at(1, 0xFFFF, steps)),
        "cycles": draw(st.integers(0, 0xFFFF)),
        "cell_count": len(cells_v),
        "cell_voltages_v": cells_v,
        "temperatures_c": tuple(draw(st.lists(st.one_of(st.none(), _at(-400, 1200, 10)), max_size=8))),
        "charge_fet_on": draw(st.booleans()),
        "discharge_fet_on": draw(st.booleans()),
        "protections": frozenset(
            draw(st.sets(st.sampled_from([Alarm.CELL_OVERVOLTAGE, Alarm.SHORT_CIRCUIT, Alarm.FET_LOCKED])))
        ),
    }
    if draw(st.booleans()):
        reading["full_ah"] = draw(_at(1, 0xFFFF, steps))
    return reading


SAME = ("voltage_v", "soc_pct", "cycles", "cell_voltages_v", "temperatures_c", "protections", "charge_fet_on")


@given(readings())
def test_what_a_board_says_is_what_a_session_reads(reading: Reading) -> None:
    polled, _ = ask(JBD, Session(Options()).poll(), Device(Options()), reading)
    said: dict[str, Any] = dict(reading)
    found: dict[str, Any] = dict(polled)
    assert {key: found[key] for key in SAME} == {key: said[key] for key in SAME}
    quantities: dict[str, float] = {
        key: said[key] for key in ("remaining_ah", "design_ah", "full_ah") if key in said
    }
    is_high = abs(said["current_a"]) > 327.67 or max(quantities.values()) > 655.35
    quantities["current_a"] = said["current_a"]
    for key, value in quantities.items():
        assert (found[key] or 0.0) == pytest.approx(value, abs=0.0500001 if is_high else 1e-9)


def test_the_wire_is_the_one_that_boards_have() -> None:
    assert (SPEC.baudrate, SPEC.links, SPEC.shared) == (9600, ("serial", "ble"), False)
    assert SPEC.ble is not None
    assert SPEC.ble.pairs[0] == ("ff00", "ff01", "ff02")
