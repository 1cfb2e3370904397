"""Posing as a Pylontech battery: what is answered or refused, where nobody answers, how stop is said.

Answers are judged by the master, which was written from the documents with its own arithmetic, and by the
captures of real batteries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Alarm
from bridge.protocols._pylontech_rs485_frames import Frame, build, checksum, parse
from bridge.responders.contract import Ask, Drop, Dropped, Module, Overheard, Picture, Port, Understood
from bridge.responders.pylontech_rs485 import Exchange, Master, Options, Responder
from tests.protocols.helpers import footprint, pieces, vectors

VECTORS = {vector.name: vector for vector in vectors("pylontech_rs485")}

VALUES: dict[str, float | str] = {
    "charge_voltage_limit_v": 55.2,
    "discharge_voltage_limit_v": 44.8,
    "charge_current_limit_a": 87.69,
    "discharge_current_limit_a": 120.04,
    "charge_enabled": True,
    "discharge_enabled": True,
    "force_charge_2": False,
    "full_charge_request": False,
    "voltage_v": 52.83,
    "current_a": -12.3,
    "soc_pct": 61.4,
    "soh_pct": 99.0,
    "full_ah": 280.0,
    "cycles": 12,
    "cell_max_v": 3.31,
    "cell_min_v": 3.29,
    "cell_max_number": 15,
    "cell_min_number": 16,
    "temperature_c": 21.0,
    "temperature_max_c": 23.0,
    "temperature_min_c": -4.6,
}
WHOLE = Module(
    name="bank",
    cell_voltages_v=(*(3.3,) * 14, 3.31, 3.29),
    temperatures_c=(-4.6, 23.0),
    charge_enabled=True,
    discharge_enabled=True,
)
PACK = Module(
    name="left",
    voltage_v=52.8,
    current_a=-4.1,
    soc_pct=60.0,
    full_ah=100.0,
    cell_voltages_v=(3.3,) * 16,
    temperatures_c=(21.0,),
    charge_enabled=True,
    discharge_enabled=True,
)


def picture(
    *modules: Module | None,
    protections: Iterable[Alarm] = (),
    warnings: Iterable[Alarm] = (),
    without: Iterable[str] = (),
    **changes: float,
) -> Picture:
    values = {name: value for name, value in {**VALUES, **changes}.items() if name not in set(without)}
    return Picture(
        values=values, make_whole=lambda: WHOLE, make_modules=lambda: modules,
        protections=frozenset(protections), warnings=frozenset(warnings),
    )  # fmt: skip


STOPPED: dict[str, Any] = {
    "charge_current_limit_a": 0.0, "discharge_current_limit_a": 0.0, "charge_enabled": False,
    "discharge_enabled": False,
}  # fmt: skip


def port(address: int = 2, **options: Any) -> Port[Options]:
    return Port(address, Options(**options))


def replied(responder: Responder, stream: bytes, shown: Picture) -> bytes | None:
    (asked,) = responder.feed(stream)
    assert isinstance(asked, Ask)
    return responder.answer(asked, shown) if asked.for_us else None


def request(address: int, command: int, info: bytes | None = None) -> bytes:
    return build(Frame(address, command, bytes((address,)) if info is None else info))


def told(shown: Picture, address: int = 2, **options: Any) -> dict[str, dict[str, Any]]:
    """All that an inverter understands of one round of its questions; what is not answered is not there."""
    place = port(address, **options)
    responder, master = Responder(place), Master(place)
    found: dict[str, dict[str, Any]] = {}
    for _ in range(8 if place.options.asks == "logger" else 3):
        question = master.question()
        data = replied(responder, question.data, shown)
        if data is None:
            assert master.reset() == []
            continue
        (understood,) = master.feed(data)
        assert isinstance(understood, Understood), understood
        assert understood.name == question.name
        found[question.name] = dict(understood.values)
    return found


# What is answered


def test_an_axpert_understands_the_bank_and_its_limits() -> None:
    found = told(picture())
    assert list(found) == ["protocol_version", "analog_values", "management"]
    assert found["analog_values"] == {
        "voltage_v": 52.83, "current_a": -12.3, "soc_pct": pytest.approx(61.4), "remaining_ah": 171.92,
        "full_ah": 280.0, "cycles": 12, "cell_count": 16, "cell_max_v": 3.31, "cell_min_v": 3.29,
        "temperature_max_c": 23.0, "temperature_min_c": -4.6,
    }  # fmt: skip
    assert found["management"] == {
        "charge_voltage_limit_v": 55.2, "discharge_voltage_limit_v": 44.8, "charge_current_limit_a": 87.6,
        "discharge_current_limit_a": 120.0, "charge_enabled": True, "discharge_enabled": True,
        "force_charge_2": False, "full_charge_request": False,
    }  # fmt: skip


def test_an_srne_understands_the_bank_and_its_limits() -> None:
    found = told(picture(warnings=[Alarm.CELL_IMBALANCE]), asks="system")
    assert found["system_analog"] == {
        "voltage_v": 52.83, "current_a": -12.3, "soc_pct": 61, "cycles": 12, "soh_pct": 99,
        "cell_max_v": 3.31, "cell_min_v": 3.29, "temperature_c": 21.0, "temperature_max_c": 23.0,
        "temperature_min_c": -4.6,
    }  # fmt: skip
    assert found["system_alarms"] == {"protections": [], "warnings": ["cell_imbalance"]}
    assert found["system_limits"]["charge_current_limit_a"] == 87.6


def test_a_logger_gets_an_answer_to_everything_that_it_asks() -> None:
    found = told(picture(), asks="logger")
    assert len(found) == 8
    assert found["alarm_states"] == {"charge_enabled": True, "discharge_enabled": True, "protections": []}
    assert found["system_parameters"] == {
        "charge_voltage_limit_v": 55.2, "discharge_voltage_limit_v": 44.8, "charge_current_limit_a": 87.6,
        "discharge_current_limit_a": 120.0,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["61_request_easun_smx2", "62_request_easun_smx2", "63_request_easun_smx2"])
def test_the_captured_requests_of_an_inverter_are_answered_from_address_two(name: str) -> None:
    data = replied(Responder(port(asks="system")), VECTORS[name].stream, picture())
    assert data is not None
    assert (parse(data).address, parse(data).code) == (2, 0)
    assert len(data) == {"61": 116, "62": 26, "63": 36}[name[:2]]


def test_the_system_is_answered_from_where_it_was_asked_if_the_inverter_wants_it_so() -> None:
    found = told(picture(), asks="system", echo_system_address=True)
    data = replied(Responder(port(echo_system_address=True)), request(0x12, 0x62, b""), picture())
    assert len(found) == 3
    assert data is not None
    assert parse(data).address == 0x12


@pytest.mark.parametrize(("step", "raw"), [("100 mA", (876, 1200)), ("10 mA", (8769, 12004))])
def test_the_systems_limits_are_in_the_step_that_the_inverter_reads(step: str, raw: tuple[int, int]) -> None:
    data = replied(Responder(port(system_step=step)), request(0x12, 0x63, b""), picture())
    assert data is not None
    info = parse(data).info
    assert (int.from_bytes(info[4:6], "big"), int.from_bytes(info[6:8], "big")) == raw


@pytest.mark.parametrize(("negative", "raw"), [(True, -1200), (False, 1200)])
def test_the_discharge_limit_has_the_sign_that_the_inverter_reads(negative: bool, raw: int) -> None:
    data = replied(Responder(port(negative_discharge_limit=negative)), request(2, 0x92), picture())
    assert data is not None
    assert int.from_bytes(parse(data).info[7:9], "big", signed=True) == raw


def test_no_charge_may_be_sent_as_a_tenth_of_an_ampere_beside_the_bit_that_ends_charging() -> None:
    found = told(picture(**STOPPED), never_zero_charge=True)["management"]
    assert (found["charge_current_limit_a"], found["charge_enabled"]) == (0.1, False)
    assert told(picture(**STOPPED))["management"]["charge_current_limit_a"] == 0.0


def test_the_version_of_a_request_is_mirrored_but_not_in_the_answer_that_tells_ours() -> None:
    for command, version in ((0x92, 0x25), (0x4F, 0x20)):
        data = replied(Responder(port()), build(Frame(2, command, b"\x02", version=0x25)), picture())
        assert data is not None
        assert parse(data).version == version


@pytest.mark.parametrize("command", [0x4F, 0x51])
def test_some_clients_ask_for_version_and_maker_at_address_zero(command: int) -> None:
    data = replied(Responder(port()), request(0, command, b""), picture())
    assert data is not None
    assert parse(data).address == 2


@pytest.mark.parametrize("info", [b"\x02", b"\x02\x01", b""])
def test_the_module_may_be_named_once_twice_or_not_at_all(info: bytes) -> None:
    data = replied(Responder(port()), request(2, 0x42, info), picture())
    assert data == replied(Responder(port()), request(2, 0x42), picture())


def test_a_line_feed_behind_a_request_does_not_hide_it() -> None:
    (asked,) = Responder(port()).feed(request(2, 0x92) + b"\n")
    assert isinstance(asked, Ask)


# Stop


@pytest.mark.parametrize("asks", ["axpert", "system", "logger"])
def test_stop_is_said_in_every_answer_that_has_a_place_for_it(asks: str) -> None:
    found = told(picture(protections=[Alarm.CELL_OVERVOLTAGE], **STOPPED), asks=asks)
    for values in found.values():
        for name in ("charge_current_limit_a", "discharge_current_limit_a"):
            assert values.get(name, 0.0) == 0.0
        for name in ("charge_enabled", "discharge_enabled"):
            assert values.get(name, False) is False
        if "protections" in values:
            assert "cell_overvoltage" in values["protections"]


def test_without_a_protection_a_bank_that_stops_is_a_system_fault_for_who_reads_only_alarms() -> None:
    found = told(picture(**STOPPED), asks="system")
    assert found["system_alarms"]["protections"] == ["bms_fault"]


def test_a_full_bank_stops_charging_without_an_alarm() -> None:
    full: dict[str, Any] = {"charge_current_limit_a": 0.0, "charge_enabled": False}
    found = told(picture(warnings=[Alarm.FULLY_CHARGED], **full), asks="logger")
    assert found["alarm_states"] == {"charge_enabled": False, "discharge_enabled": True, "protections": []}
    assert told(picture(**full), asks="system")["system_alarms"] == {"protections": [], "warnings": []}


def test_a_wish_to_be_charged_is_said_only_while_charging_is_allowed() -> None:
    wishes: dict[str, Any] = {"force_charge_2": True, "full_charge_request": True}
    found = told(picture(**wishes))["management"]
    assert (found["force_charge_2"], found["full_charge_request"]) == (True, True)
    found = told(picture(**{**wishes, **STOPPED}))["management"]
    assert (found["force_charge_2"], found["full_charge_request"]) == (False, False)


# What is not known


@pytest.mark.parametrize("name", ["voltage_v", "soc_pct", "full_ah"])
def test_values_of_a_module_are_not_said_without_what_they_are_made_of(name: str) -> None:
    found = told(picture(without=[name]), asks="logger")
    assert not found.keys() & {"analog_values", "alarm_states"}


@pytest.mark.parametrize(
    "name", ["voltage_v", "soc_pct", "cell_max_v", "cell_min_v", "temperature_c", "temperature_min_c"]
)
def test_values_of_the_system_are_not_said_without_what_they_are_made_of(name: str) -> None:
    found = told(picture(without=[name]), asks="system")
    assert list(found) == ["system_alarms", "system_limits"]


def test_what_must_be_known_is_told_for_the_commands_that_the_inverter_uses() -> None:
    assert Responder(port()).required == {"voltage_v", "soc_pct", "full_ah"}
    assert "temperature_c" in Responder(port(asks="system")).required


def test_the_state_of_charge_that_was_decided_is_the_one_that_is_understood() -> None:
    for soc_pct in (0.0, 1.0, 99.0, 100.0):
        assert told(picture(soc_pct=soc_pct))["analog_values"]["soc_pct"] == pytest.approx(soc_pct, abs=0.001)


def test_a_bank_of_more_than_a_word_holds_stops_at_the_words_end() -> None:
    large: dict[str, Any] = {
        "charge_current_limit_a": 5000.0, "discharge_current_limit_a": 5000.0, "current_a": -4000.0,
        "full_ah": 20_000.0,
    }  # fmt: skip
    found = told(picture(**large))
    assert found["analog_values"]["current_a"] == -3276.7
    assert found["analog_values"]["soc_pct"] == pytest.approx(61.4, abs=0.001)
    assert found["management"]["charge_current_limit_a"] == 3276.7
    fine = told(picture(**large), asks="system", system_step="10 mA")
    assert fine["system_limits"]["discharge_current_limit_a"] == 327.67
    assert fine["system_analog"]["current_a"] == -327.67


def test_a_voltage_that_has_no_place_is_not_said_and_ends_discharging() -> None:
    found = told(picture(voltage_v=102.0, discharge_voltage_limit_v=80.0), asks="logger")
    assert "analog_values" not in found
    assert found["management"]["discharge_enabled"] is False
    assert found["management"]["discharge_current_limit_a"] == 0.0


# Where nobody answers, and what is refused


@pytest.mark.parametrize("address", [0, 1, 3, 0x0E, 0x12, 0x7F, 0xFF])
def test_nobody_answers_where_no_battery_is(address: int) -> None:
    assert replied(Responder(port()), request(address, 0x42), picture()) is None
    assert replied(Responder(port()), request(address, 0x99), picture()) is None


@pytest.mark.parametrize(
    ("address", "answers"), [(2, True), (0x12, True), (3, False), (0x13, False), (0, False)]
)
def test_the_system_is_asked_at_its_own_address_or_at_ours(address: int, answers: bool) -> None:
    data = replied(Responder(port()), request(address, 0x63, b""), picture())
    assert (data is not None) is answers


@pytest.mark.parametrize("command", [0x94, 0x95, 0x60, 0x43, 0xC1])
def test_what_writes_and_what_is_not_known_is_refused_and_not_done(command: int) -> None:
    responder = Responder(port())
    (asked,) = responder.feed(request(2, command, bytes(9)))
    assert isinstance(asked, Ask)
    assert asked.name == "refused"
    assert responder.answer(asked, picture()) == build(Frame(2, 0x04))


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"~20024642E00202FD34\r", 0x02),
        (b"~20024642D00202FD34\r", 0x03),
        (b"~20024642E00203FD32\r", 0x06),
    ],
)
def test_a_request_for_us_that_fails_its_sums_is_refused_by_its_fault(stream: bytes, code: int) -> None:
    assert replied(Responder(port()), stream, picture()) == build(Frame(2, code))


def test_an_info_shorter_than_announced_is_refused_as_a_fault_of_form() -> None:
    body = b"20024642C00402"  # four characters announced, two there
    stream = b"~" + body + b"%04X\r" % checksum(body)
    assert replied(Responder(port()), stream, picture()) == build(Frame(2, 0x05))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"~20034642E00202FD34\r", Drop.CHECKSUM),  # for another battery
        (b"~200246FFE00202FD34\r", Drop.CHECKSUM),  # no command that there is
        (b"~20024600E00202FD34\r", Drop.CHECKSUM),  # an answer, perhaps our own
        (b"~20024642~", Drop.TRUNCATED),
    ],
)
def test_what_may_not_have_been_for_us_is_not_even_refused(stream: bytes, reason: Drop) -> None:
    responder = Responder(port())
    found = [*responder.feed(stream), *responder.reset()]
    assert all(isinstance(item, Dropped) and item.reason is reason for item in found)


def test_answers_are_overheard_and_those_from_our_address_told_apart() -> None:
    stream = VECTORS["92_us5000_adr3"].stream
    assert Responder(port()).feed(stream) == [Overheard("answer", 3, len(stream))]
    assert Responder(port(3)).feed(stream) == [Overheard("answer", 3, len(stream), ours=True)]


def test_a_request_of_another_family_is_never_for_us() -> None:
    (asked,) = Responder(port()).feed(build(Frame(2, 0x42, b"", family=0x4A)))
    assert isinstance(asked, Ask)
    assert not asked.for_us


# One battery for each pack


def test_posing_as_each_pack_there_are_as_many_batteries_and_they_share_the_limits() -> None:
    shown = picture(PACK, None, PACK)
    responder = Responder(port(pose="each"))
    found = {address: replied(responder, request(address, 0x92), shown) for address in range(2, 6)}
    assert [address for address, data in found.items() if data is not None] == [2, 4]
    total_a = sum(int.from_bytes(parse(data).info[5:7], "big") / 10 for data in found.values() if data)
    assert 87.69 - 0.2 < total_a <= 87.69


def test_a_pack_that_is_off_is_off_for_itself_only() -> None:
    off = Module(name="right", voltage_v=52.8, soc_pct=60.0, full_ah=100.0, discharge_enabled=True)
    shown = picture(PACK, off)
    statuses = []
    for address in (2, 3):
        data = replied(Responder(port(pose="each")), request(address, 0x92), shown)
        assert data is not None
        statuses.append(parse(data).info[-1])
    assert statuses == [0xC0, 0x40]


def test_a_bank_that_stops_stops_each_of_its_packs() -> None:
    for direction, status in (("charge_enabled", 0x40), ("discharge_enabled", 0x80)):
        off: dict[str, Any] = {direction: False}
        data = replied(Responder(port(pose="each")), request(2, 0x92), picture(PACK, **off))
        assert data is not None
        assert parse(data).info[-1] == status


def test_a_whole_group_is_answered_with_the_packs_that_are_heard() -> None:
    data = replied(Responder(port(pose="each")), request(2, 0x42, b"\xff"), picture(PACK, None, PACK))
    assert data is not None
    assert parse(data).info[1] == 2
    exchange = Exchange(Options())
    exchange.sent(request(2, 0x42, b"\xff"))
    assert len(exchange.feed(data)) == 2


def test_the_thirteenth_pack_is_the_first_of_the_second_group() -> None:
    last = Module(name="last", voltage_v=50.0, soc_pct=10.0, full_ah=100.0)
    responder, shown = Responder(port(pose="each")), picture(*[PACK] * 12, last)
    data = replied(responder, request(0x12, 0x42), shown)
    assert data is not None
    assert Exchange(Options()).feed(data)[0].reading["voltage_v"] == 50.0  # type: ignore[union-attr]
    assert replied(responder, request(0x13, 0x42), shown) is None
    assert replied(responder, request(0x0E, 0x42), shown) is None
    whole = replied(responder, request(0x02, 0x42, b"\xff"), shown)
    assert whole is not None
    assert parse(whole).info[1] == 12


def test_a_fault_asked_of_a_pack_that_there_is_not_is_not_answered() -> None:
    responder = Responder(port(pose="each"))
    for stream in (request(3, 0x94), b"~20034642E00203FD34\r"):
        (asked,) = responder.feed(stream)
        assert isinstance(asked, Ask)
        assert responder.answer(asked, picture(PACK)) is None


def test_the_place_of_the_highest_cell_is_its_pack_and_its_number() -> None:
    high = Module(name="high", cell_voltages_v=(3.3, 3.4, 3.3))
    data = replied(Responder(port()), request(0x12, 0x61, b""), picture(PACK, high))
    assert data is not None
    assert parse(data).info[13:15] == bytes((2, 2))
    data = replied(Responder(port()), request(0x12, 0x61, b""), picture())
    assert data is not None
    assert parse(data).info[13:15] == bytes((1, 15))


# Anything at all


def streams() -> st.SearchStrategy[bytes]:
    good = st.sampled_from(
        [request(2, command) for command in (0x42, 0x44, 0x92, 0x94)]
        + [
            request(0x12, 0x61, b""),
            request(0xFF, 0x4F, b""),
            VECTORS["42ff_us2000x3"].stream,
            b"~2002",
            b"\r",
        ]
    )
    frames = st.builds(
        lambda *fields: build(Frame(*fields)),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=12),
    )
    return st.lists(st.one_of(good, frames, st.binary(max_size=30)), max_size=8).map(b"".join)


def merged(items: Iterable[Ask | Overheard | Dropped]) -> list[Ask | Overheard]:
    return [item for item in items if not isinstance(item, Dropped)]


@given(stream=streams(), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_chunking_of_anything_gives_the_same_questions(stream: bytes, sizes: list[int]) -> None:
    whole, cut = Responder(port()), Responder(port())
    chunks = pieces(stream, sizes * (len(stream) // sum(sizes) + 1)) if stream else []
    found = [item for chunk in chunks for item in cut.feed(chunk)]
    assert merged([*found, *cut.reset()]) == merged([*whole.feed(stream), *whole.reset()])


@given(stream=streams(), pose=st.sampled_from(["one", "each"]))
def test_whatever_arrives_is_answered_with_a_sound_frame_or_with_nothing(stream: bytes, pose: str) -> None:
    responder = Responder(port(pose=pose))
    for item in merged([*responder.feed(stream), *responder.reset()]):
        if isinstance(item, Ask) and item.for_us:
            data = responder.answer(item, picture(PACK, None))
            assert data is None or parse(data).is_answer


@given(chunk=st.binary(max_size=400))
def test_a_master_is_never_upset_and_believes_no_noise(chunk: bytes) -> None:
    master = Master(port())
    master.question()
    assert all(isinstance(item, Dropped) for item in [*master.feed(chunk), *master.reset()])


@given(data=st.data())
def test_a_master_believes_nothing_of_an_answer_with_a_wrong_bit(data: st.DataObject) -> None:
    place = port(asks=data.draw(st.sampled_from(["axpert", "system", "logger"])))
    master, responder = Master(place), Responder(place)
    for _ in range(data.draw(st.integers(1, 8))):
        question = master.question()
    right = replied(responder, question.data, picture())
    assert right is not None
    spoiled = bytearray(right)
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    found = [item for item in [*master.feed(bytes(spoiled)), *master.reset()] if isinstance(item, Understood)]
    assert found in ([], master.feed(right))


def flood() -> Iterator[bytes]:
    yield from (b"~", b"~2002", b"0" * 64, b"\r", b"~20024642E00202FD33", b"\xff" * 64)


@pytest.mark.parametrize("fill", list(flood()))
def test_bytes_without_end_do_not_make_it_grow(fill: bytes) -> None:
    responder, master = Responder(port()), Master(port())
    for _ in range(300):
        responder.feed(fill)
        master.feed(fill)
    early = footprint(responder) + footprint(master)
    for _ in range(3000):
        responder.feed(fill)
        master.feed(fill)
    assert footprint(responder) + footprint(master) <= early + 5000


@given(
    charge_a=st.floats(0, 1e5), discharge_a=st.floats(0, 1e5), voltage_v=st.floats(1, 120),
    packs=st.integers(1, 16),
    asked=st.sampled_from([("axpert", "one"), ("axpert", "each"), ("system", "one")]),
)  # fmt: skip
def test_no_limits_that_are_understood_are_higher_than_those_that_were_decided(
    charge_a: float, discharge_a: float, voltage_v: float, packs: int, asked: tuple[str, str]
) -> None:
    asks, pose = asked
    shown = picture(
        *[PACK] * packs, charge_current_limit_a=charge_a, discharge_current_limit_a=discharge_a,
        charge_voltage_limit_v=voltage_v,
    )  # fmt: skip
    found = told(shown, asks=asks, pose=pose)["management" if asks == "axpert" else "system_limits"]
    times = packs if pose == "each" else 1
    assert times * found["charge_current_limit_a"] <= charge_a * (1 + 1e-9)
    assert times * found["discharge_current_limit_a"] <= discharge_a * (1 + 1e-9)
    assert found["charge_voltage_limit_v"] <= voltage_v + 1e-9


def test_both_directions_of_a_capture_are_named_alike() -> None:
    exchange = Exchange(Options())
    (asked,) = exchange.sent(request(2, 0x92))
    data = replied(Responder(port()), request(2, 0x92), picture())
    assert data is not None
    (answered,) = exchange.feed(data)
    assert asked.name == answered.name == "management"  # type: ignore[union-attr]
    assert answered.reading["charge_current_limit_a"] == 87.6  # type: ignore[union-attr]
    assert [item.reason for item in [*exchange.feed(b"~20"), *exchange.reset()]] == [Drop.TRUNCATED]  # type: ignore[union-attr]
