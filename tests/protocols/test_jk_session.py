"""What JK sessions ask, what they make of the answers, and what they can never send."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from bridge.model import Alarm, Reading
from bridge.protocols import jk, jk_modbus, jk_nw, jk_pb
from bridge.protocols._jk_frames import INFO, SETTINGS, STATUS
from bridge.protocols._jk_pack import Pack
from bridge.protocols.contract import (
    Device,
    Message,
    NoReply,
    Options,
    Payload,
    Request,
    Script,
    Session,
    load,
)
from tests.protocols.helpers import Silent, ask, fed, messages, vectors

PACK: Reading = {
    "voltage_v": 52.8,
    "current_a": -12.5,
    "soc_pct": 55,
    "soh_pct": 99,
    "remaining_ah": 154.0,
    "full_ah": 280.0,
    "cycles": 12,
    "cell_count": 16,
    "cell_voltages_v": (3.3,) * 16,
    "temperatures_c": (20.1, 13.2, 19.5, None),
    "mosfet_temperature_c": 25.0,
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "balancing": False,
    "protections": frozenset(),
    "warnings": frozenset(),
}
SETTINGS_ON: dict[str, Any] = {"charge_enabled": True, "discharge_enabled": True, "control_bits": 0}


def status(**values: Any) -> Message:
    reading: Reading = {**PACK, "charge_allowed": True, "discharge_allowed": True, **values}  # type: ignore[typeddict-item]
    return Message("status", reading, {}, 1)


def settings(**values: Any) -> Message:
    return Message("settings", {"cell_count": 16, "design_ah": 280.0}, SETTINGS_ON | values, 1)


def with_settings(**values: Any) -> Pack:
    pack = Pack(asks_voltage=True)
    pack.note(settings(**values))
    return pack


def test_nothing_is_allowed_before_the_settings_were_read() -> None:
    reading = Pack().reading(status())
    assert reading["charge_allowed"] is None
    assert reading["discharge_allowed"] is None
    assert Pack().reading(status(charge_allowed=False))["charge_allowed"] is False


@pytest.mark.parametrize(
    ("switches", "charge", "discharge"),
    [
        ({}, True, True),
        ({"charge_enabled": False}, False, True),
        ({"discharge_enabled": False}, True, False),
        ({"charge_enabled": None}, None, True),
    ],
)
def test_permission_needs_the_users_switch(
    switches: dict[str, bool], charge: bool | None, discharge: bool | None
) -> None:
    reading = with_settings(**switches).reading(status())
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)
    assert (Alarm.FET_LOCKED in reading["warnings"]) == (False in switches.values())


def test_what_the_board_forbids_no_switch_allows() -> None:
    reading = with_settings().reading(status(charge_allowed=False, discharge_allowed=False))
    assert reading["charge_allowed"] is reading["discharge_allowed"] is False


def test_disabled_temperature_sensors_are_a_warning() -> None:
    assert with_settings(control_bits=2).reading(status())["warnings"] == {Alarm.TEMPERATURE_SENSOR_FAULT}


def test_a_board_without_cells_gives_no_values() -> None:
    reading = with_settings().reading(status(cell_voltages_v=(), voltage_v=0.0, soc_pct=0))
    assert reading["voltage_v"] is reading["soc_pct"] is reading["soh_pct"] is None


def test_a_balancer_never_gives_permission() -> None:
    balancer = Message("status", {"cell_voltages_v": (3.3,), "voltage_v": 3.3})
    assert "charge_allowed" not in with_settings().reading(balancer)


LIMITS = {"request_charge_v": 3.45, "cell_uvp_v": 2.5, "cell_ovp_v": 3.65}


def test_a_requested_charge_voltage_is_passed_on_for_all_cells() -> None:
    assert with_settings(**LIMITS).reading(status())["charge_voltage_limit_v"] == 55.2


@pytest.mark.parametrize("request_v", [0.0, 2.5, 3.65, 9.0])
def test_a_requested_charge_voltage_outside_the_cell_limits_is_none(request_v: float) -> None:
    reading = with_settings(**LIMITS | {"request_charge_v": request_v}).reading(status())
    assert "charge_voltage_limit_v" not in reading


@pytest.mark.parametrize(("model", "asks"), [("JK_PB2A16S20P", True), ("JK_B2A8S30P", False)])
def test_over_bluetooth_only_inverter_boards_request_a_voltage(model: str, asks: bool) -> None:
    pack = Pack()
    pack.note(settings(**LIMITS))
    pack.note(Message("device_info", {}, {"model": model}))
    assert ("charge_voltage_limit_v" in pack.reading(status())) == asks


def test_info_is_what_was_heard_so_far() -> None:
    pack = Pack()
    assert pack.info() is None
    pack.note(Message("device_info", {}, {"model": "JK_PB2A16S20P", "sw_version": "15.41"}))
    pack.note(status())
    info = pack.info()
    assert info is not None
    assert (info.model, info.firmware, info.serial, info.cell_count) == ("JK_PB2A16S20P", "15.41", None, None)
    pack.note(settings(max_charge_a=80.0, cell_ovp_v=3.65))
    info = pack.info()
    assert info is not None
    assert (info.cell_count, info.ratings.charge_ocp_a, info.ratings.cell_ovp_v) == (16, 80.0, 3.65)


def run(name: str, options: Options, reading: Reading = PACK) -> tuple[Session, Reading, list[Payload]]:
    """Opens, asks and polls a simulated device of the protocol."""
    entry = load(name)
    session, device = entry.session(options), entry.device(options)
    sent = ask(entry, session.open(), device, reading)[1]
    info, asked = ask(entry, session.info(), device, reading)
    assert info is not None
    polled, more = ask(entry, session.poll(), device, reading)
    return session, polled, sent + asked + more


@pytest.mark.parametrize("name", ["jk", "jk-pb", "jk-modbus"])
def test_a_poll_reads_all_that_the_board_shows(name: str) -> None:
    _, reading, _ = run(name, Options(address=3))
    assert {key: reading.get(key) for key in PACK} == dict(PACK)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (True, True)
    assert reading["charge_voltage_limit_v"] == 55.2
    assert reading["design_ah"] == 280.0


@pytest.mark.parametrize("name", ["jk", "jk-pb", "jk-modbus", "jk-nw"])
def test_a_direction_that_the_user_locked_is_not_allowed(name: str) -> None:
    locked: Reading = {**PACK, "charge_fet_on": False, "warnings": frozenset({Alarm.FET_LOCKED})}
    _, reading, _ = run(name, Options(address=1), locked)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)
    assert Alarm.FET_LOCKED in reading["warnings"]


def test_the_stream_is_collected_and_its_settings_remembered() -> None:
    session, _, _ = run("jk", Options())
    assert session.streams
    assert session.collect(settings(charge_enabled=False)) is None
    reading = session.collect(status())
    assert reading is not None
    assert reading["charge_allowed"] is False


def test_opening_again_forgets_the_switches() -> None:
    session, _, _ = run("jk", Options())
    ask(load("jk"), session.open(), Silent(), PACK)
    reading = session.collect(status())
    assert reading is not None
    assert reading["charge_allowed"] is None


def test_info_right_after_opening_asks_for_nothing_and_later_asks_again() -> None:
    entry = load("jk")
    session, device = entry.session(Options()), entry.device(Options())
    assert ask(entry, session.open(), device, PACK)[1] == [jk.request(0x97), jk.request(0x96)]
    assert ask(entry, session.info(), device, PACK)[1] == []
    assert ask(entry, session.info(), device, PACK)[1] == [jk.request(0x97), jk.request(0x96)]


def test_polls_ask_for_settings_until_they_come_and_then_once_a_minute() -> None:
    entry = load("jk-pb")
    session, device = entry.session(Options(address=2)), entry.device(Options(address=2))
    asked = [ask(entry, session.poll(), device, PACK)[1] for _ in range(121)]
    settings_at = [number for number, sent in enumerate(asked) if jk_pb.trigger(2, SETTINGS) in sent]
    assert settings_at == [0, 57, 117]


class Deaf:
    """A device that does not answer requests for settings."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        is_settings = payload in (jk_pb.trigger(1, SETTINGS), jk_modbus.read_request(1, 0x1000, 64))
        return [] if is_settings else self.device.receive(payload, reading)


@pytest.mark.parametrize("name", ["jk-pb", "jk-modbus"])
def test_a_board_that_keeps_its_settings_is_read_but_not_allowed(name: str) -> None:
    entry = load(name)
    session, device = entry.session(Options()), Deaf(entry.device(Options()))
    ask(entry, session.info(), device, PACK)
    reading, _ = ask(entry, session.poll(), device, PACK)
    assert reading["voltage_v"] == 52.8
    assert reading["charge_allowed"] is None


def polled(session: Session, answers: dict[str, Reading]) -> Reading:
    """What a poll makes of these answers, by the names of the messages."""
    script = session.poll()
    request = next(script)
    try:
        while True:
            request = script.send(Message(request.reply, answers.get(request.reply, {}), {}, request.address))
    except StopIteration as stop:
        reading: Reading = stop.value
        return reading


def test_cells_and_status_of_different_packs_are_no_reading() -> None:
    answers: dict[str, Reading] = {"cells": {"cell_voltages_v": (3.3,) * 16}, "status": {"voltage_v": 26.4}}
    with pytest.raises(NoReply, match="sum to"):
        polled(jk_modbus.Session(Options()), answers)


def test_a_board_without_cells_has_nothing_to_compare() -> None:
    assert polled(jk_modbus.Session(Options()), {"status": {"voltage_v": 0.0}})["voltage_v"] is None


def listening(address: int) -> Session:
    return jk_pb.Session(Options(address=address, extra={"listen": True}))


def test_listening_beside_a_master_collects_one_pack_and_sends_nothing() -> None:
    entry = load("jk-pb")
    session = listening(1)
    assert session.streams
    assert ask(entry, session.open(), Silent(), PACK) == (None, [])
    assert ask(entry, session.info(), Silent(), PACK) == (None, [])
    heard = {vector.name: vector for vector in vectors("jk_pb")}["pb_sniff_full_master_cycle"].chunks
    readings = [session.collect(message) for message in messages(fed(entry.decoder(), heard))]
    readings += [session.collect(message) for message in messages(fed(entry.decoder(), heard))]
    first, second = (reading for reading in readings if reading is not None)
    assert first["voltage_v"] == second["voltage_v"] == 52.287
    assert first["charge_allowed"] is None
    assert second["charge_allowed"] is True
    info, sent = ask(entry, session.info(), Silent(), PACK)
    assert sent == []
    assert info is not None
    assert info.ratings.charge_ocp_a == 40.0


@pytest.mark.parametrize("address", [0, 3])
def test_what_a_master_shows_of_a_simulated_pack_is_collected(address: int) -> None:
    entry = load("jk-pb")
    session, device = listening(address), jk_pb.Device(Options(address=address))
    found = messages(fed(entry.decoder(), device.tick(PACK) + device.tick(PACK)))
    reading = [reading for reading in map(session.collect, found) if reading][-1]
    assert reading["cell_voltages_v"] == (3.3,) * 16
    assert reading["charge_allowed"] is True


def test_a_polling_session_takes_no_status_that_it_did_not_ask_for() -> None:
    session = jk_pb.Session(Options(address=1))
    assert not session.streams
    assert session.collect(status()) is None
    assert session.collect(replace(status(), address=2)) is None


def test_nw_says_everything_in_one_reply() -> None:
    session, reading, sent = run("jk-nw", Options())
    assert sent == [jk_nw.read_all()] * 2
    assert reading["cell_voltages_v"] == (3.3,) * 16
    assert reading["current_a"] == -12.5
    assert session.collect(status()) is None


def _sent(script: Script[object], answers: dict[str, Message]) -> set[Payload]:
    """All that a script sends, with answers and without."""
    found: set[Payload] = set()
    generator: Generator[Request, Message, object] = script
    try:
        request = next(generator)
        while True:
            found.add(request.data)
            answer = answers.get(request.reply)
            request = generator.send(answer) if answer else generator.throw(NoReply("silence"))
    except (StopIteration, NoReply):
        return found


ANSWERS = {
    name: Message(name, {"cell_voltages_v": (3.3,)} if name == "cells" else {"voltage_v": 3.3}, SETTINGS_ON)
    for name in ("status", "settings", "device_info", "cells")
}
EVER_SENT: dict[str, set[Payload]] = {
    "jk": {jk.request(0x96), jk.request(0x97)},
    "jk-nw": {bytes.fromhex("4e5700130000000006030000000000006800000129")},
    "jk-pb": {jk_pb.trigger(address, kind) for address in range(1, 16) for kind in (STATUS, SETTINGS, INFO)},
    "jk-modbus": {
        jk_modbus.read_request(address, start, words)
        for address in range(1, 16)
        for start, words in ((0x1000, 64), (0x1200, 36), (0x128A, 58), (0x1400, 18))
    },
    "jk-can": set(),
}


@pytest.mark.parametrize("name", sorted(EVER_SENT))
def test_nothing_else_is_ever_sent(name: str) -> None:
    entry = load(name)
    sent: set[Payload] = set()
    for address in entry.spec.addresses or (None,):
        for answers in (ANSWERS, {}):
            session = entry.session(Options(address=address))
            for _ in range(130):
                for script in (session.open(), session.info(), session.info(), session.poll()):
                    sent |= _sent(script, answers)
    assert sent == EVER_SENT[name]


def test_the_requests_are_those_of_the_captures() -> None:
    assert jk.request(0x97).hex() == "aa5590eb97000000000000000000000000000011"
    assert jk.request(0x96).hex() == "aa5590eb96000000000000000000000000000010"
    assert jk_pb.trigger(1, STATUS).hex() == "011016200001020000d6f1"
    assert jk_pb.trigger(3, SETTINGS).hex() == "0310161e0001020000cb4f"
    assert jk_pb.trigger(3, INFO).hex() == "0310161c0001020000caad"
    assert jk_modbus.read_request(1, 0x1290, 5).hex() == "010312900005809c"
