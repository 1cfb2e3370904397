"""What the answers of a Pylontech RS485 battery amount to: from the steps of the wire to readings.

One idea: an answer does not say what it answers, so it is read as what was asked of its address, and
dropped where it does not have that form. Only where no request was seen is it taken by its length, which
no two answers share but by chance.

In 44 each state but 00 acts as a protection. What stands in a current's place but is no over-current
(F0) ends that direction and says no more. Sources: as in the layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from bridge.model import NO_ALARMS, Alarm, Ratings, Reading
from bridge.protocols import _pylontech_rs485_classic as classic
from bridge.protocols import _pylontech_rs485_system as system
from bridge.protocols._pylontech_core import BLOCKS_CHARGE, BLOCKS_DISCHARGE, trusted_limits
from bridge.protocols._pylontech_rs485_frames import Frame, Return
from bridge.protocols._pylontech_rs485_requests import ANYBODY, SYSTEM, Command, Question
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Message, Raw

ZERO_C = 2731  # 0 degC in 0.1 K, as the maker rounds it
COLDEST_C, HOTTEST_C = -60.0, 150.0
CHARGE, DISCHARGE, CHARGE_NOW_1, CHARGE_NOW_2, FULL_CHARGE = 0x80, 0x40, 0x20, 0x10, 0x08
"""Bits of the status in 92 and 63."""
CHARGE_FET, DISCHARGE_FET = 0x02, 0x04
"""Bits of status 2 in 44."""
FULL = 0x08
"""A bit of status 3 in 44."""

STATUS_1 = (
    Alarm.PACK_OVERVOLTAGE, Alarm.CELL_UNDERVOLTAGE, Alarm.CHARGE_OVERCURRENT, Alarm.OTHER,
    Alarm.DISCHARGE_OVERCURRENT, Alarm.DISCHARGE_OVERTEMPERATURE, Alarm.CHARGE_OVERTEMPERATURE,
    Alarm.PACK_UNDERVOLTAGE,
)  # fmt: skip
"""Status 1 in 44, from bit 0; bit 3 has no documented meaning."""
_CELLS = {classic.ABOVE: {Alarm.CELL_OVERVOLTAGE}, classic.BELOW: {Alarm.CELL_UNDERVOLTAGE}}
_PROBES = {classic.ABOVE: system.HOT, classic.BELOW: system.COLD}
_VOLTAGE = {classic.ABOVE: {Alarm.PACK_OVERVOLTAGE}, classic.BELOW: {Alarm.PACK_UNDERVOLTAGE}}

Content = tuple[Reading, Mapping[str, Raw]]


def answered(frame: Frame, question: Question | None, system_step_a: float = 0.1) -> list[Message]:
    """The messages in an answer; one for each module. question: the last that was asked, if known.
    system_step_a: of the currents in 63.

    Raises BadFrame for a refusal, and where the answer does not have the form that was asked for.
    """
    asked = question if question is not None and _is_from(frame, question) else None
    if frame.code != Return.NORMAL:
        raise BadFrame(Drop.REFUSED, f"{asked.name if asked else 'request'}: return code {frame.code:02X}")
    if asked is None:
        return _guessed(frame, system_step_a)
    if asked.command is None or asked.refusal is not None:
        raise BadFrame(Drop.UNKNOWN, f"an answer to {asked.name}")
    return _read(asked.command, frame, asked, system_step_a)


def _is_from(frame: Frame, question: Question) -> bool:
    """Whether who answers was asked. System questions go to 12h and are answered from 02h."""
    return question.command in SYSTEM or question.frame.address in {frame.address, ANYBODY}


def _guessed(frame: Frame, system_step_a: float) -> list[Message]:
    by_length = _BY_LENGTH.get(len(frame.info))
    for command in (Command.ANALOG_VALUES, Command.ALARM_STATES, *([by_length] if by_length else [])):
        with suppress(BadFrame):
            return _read(command, frame, None, system_step_a)
    raise BadFrame(Drop.UNKNOWN, f"an answer of {len(frame.info)} bytes to a request that was not seen")


def _read(command: Command, frame: Frame, asked: Question | None, system_step_a: float) -> list[Message]:
    if command is Command.SYSTEM_LIMITS:
        return [
            Message("system_limits", *limits(system.read_limits(frame.info), system_step_a), frame.address)
        ]
    return _READERS[command](frame, asked)


def _modules(
    title: str,
    read: Callable[..., classic.Told],
    content: Callable[..., Content],
) -> Callable[[Frame, Question | None], list[Message]]:
    def reader(frame: Frame, question: Question | None) -> list[Message]:
        told = read(frame.info, whole_group=None if question is None else question.whole_group)
        if len(told.modules) == 1 and (question is None or not question.whole_group):
            _belongs(frame, told.subject)
        shared: dict[str, Raw] = {"flag": told.flag, "modules": len(told.modules)}
        return [
            Message(title, reading, {**shared, **raw}, frame.address + number)
            for number, (reading, raw) in enumerate(map(content, told.modules))
        ]

    return reader


def _belongs(frame: Frame, module: int) -> None:
    if module != frame.address:
        raise BadFrame(Drop.VALUE, f"battery {frame.address} speaks of {module}")


def analog(module: classic.Analog) -> Content:
    """42. The first probe is on the board, the others are means over cells."""
    probes = tuple(celsius(one) for one in module.temperatures)
    remaining_ah, full_ah = _ah(module.remaining_mah), _ah(module.total_mah)
    reading = Reading(
        voltage_v=module.voltage_mv / 1000,
        current_a=module.current / 10,
        soc_pct=100 * remaining_ah / full_ah if full_ah and remaining_ah is not None else None,
        remaining_ah=remaining_ah,
        full_ah=full_ah,
        cycles=module.cycles,
        cell_count=len(module.cells_mv),
        cell_voltages_v=tuple(mv / 1000 if mv > 0 else None for mv in module.cells_mv),
        temperatures_c=probes[1:],
        mosfet_temperature_c=probes[0] if probes else None,
    )
    if (reading["soc_pct"] or 0.0) > 110:
        raise BadFrame(Drop.VALUE, f"{remaining_ah} Ah left of {full_ah} Ah")
    return reading, {"items": classic.WIDE_ITEMS if module.wide else classic.NARROW_ITEMS}


def states(module: classic.States) -> Content:
    """44."""
    one, two, three, *errors = module.status
    protections = {alarm for bit, alarm in enumerate(STATUS_1) if one >> bit & 1}
    for states_, alarms in (
        (module.cells, _CELLS),
        (module.temperatures, _PROBES),
        ((module.voltage,), _VOLTAGE),
    ):
        for state in {*states_} - {classic.OK}:
            protections |= alarms.get(state, {Alarm.OTHER})
    if module.charge_current in {classic.ABOVE, classic.BELOW}:
        protections.add(Alarm.CHARGE_OVERCURRENT)
    if module.discharge_current in {classic.ABOVE, classic.BELOW}:
        protections.add(Alarm.DISCHARGE_OVERCURRENT)
    if any(errors):
        protections |= {Alarm.CELL_DISCONNECTED, Alarm.OTHER}
    charge_on, discharge_on = bool(two & CHARGE_FET), bool(two & DISCHARGE_FET)
    reading = Reading(
        charge_fet_on=charge_on,
        discharge_fet_on=discharge_on,
        charge_allowed=charge_on and not module.charge_current and not protections & BLOCKS_CHARGE,
        discharge_allowed=discharge_on
        and not module.discharge_current
        and not protections & BLOCKS_DISCHARGE,
        protections=frozenset(protections),
        warnings=frozenset({Alarm.FULLY_CHARGED}) if three & FULL else NO_ALARMS,
    )
    return reading, {
        "cell_states": list(module.cells),
        "temperature_states": list(module.temperatures),
        "current_and_voltage_states": [module.charge_current, module.voltage, module.discharge_current],
        "status": list(module.status),
        "extra": module.extra.hex(),
    }


def limits(told: classic.Management, step_a: float = 0.1) -> Content:
    """92 and 63. Real batteries send the discharge limit negative; a negative charge limit allows nothing."""
    sent = Reading(
        charge_voltage_limit_v=told.charge_mv / 1000,
        discharge_voltage_limit_v=told.discharge_mv / 1000,
        charge_current_limit_a=round(told.charge_current * step_a, 2),
        discharge_current_limit_a=round(told.discharge_current * step_a, 2),
    )
    used, _ = trusted_limits(sent)
    used["charge_allowed"] = bool(told.status & CHARGE) and used["charge_voltage_limit_v"] is not None
    used["discharge_allowed"] = bool(told.status & DISCHARGE)
    return used, {
        "discharge_limit_sent_a": sent["discharge_current_limit_a"],
        "status": told.status,
        "charge_immediately_1": bool(told.status & CHARGE_NOW_1),
        "charge_immediately_2": bool(told.status & CHARGE_NOW_2),
        "full_charge_request": bool(told.status & FULL_CHARGE),
    }


def _management(frame: Frame, _: Question | None) -> list[Message]:
    module, told = classic.read_management(frame.info)
    _belongs(frame, module)
    return [Message("management", *limits(told), frame.address)]


def _parameters(frame: Frame, _: Question | None) -> list[Message]:
    flag, words = classic.read_parameters(frame.info)
    raw: dict[str, Raw] = {"flag": flag}
    for name, word in words._asdict().items():
        if name.endswith("_mv"):
            raw[f"{name[:-3]}_v"] = word / 1000
        else:
            raw[f"{name}_c" if "temperature" in name else f"{name}_a"] = (
                celsius(word) if "temperature" in name else word / 10
            )
    return [Message("system_parameters", Reading(), raw, frame.address)]


def ratings(words: Mapping[str, Raw]) -> Ratings:
    """What 47 says, as `system_parameters` has it in raw."""

    def value(name: str) -> float | None:
        found = words.get(name)
        return abs(found) if isinstance(found, float | int) and found else None

    def probe(name: str) -> float | None:
        found = words.get(name)
        return found if isinstance(found, float) else None

    return Ratings(
        cell_ovp_v=value("cell_high_v"),
        cell_uvp_v=value("cell_under_v"),
        pack_ovp_v=value("module_high_v"),
        pack_uvp_v=value("module_under_v"),
        charge_ocp_a=value("charge_current_a"),
        discharge_ocp_a=value("discharge_current_a"),
        charge_otp_c=probe("charge_high_temperature_c"),
        charge_utp_c=probe("charge_low_temperature_c"),
        discharge_otp_c=probe("discharge_high_temperature_c"),
        discharge_utp_c=probe("discharge_low_temperature_c"),
    )


def _version(frame: Frame, _: Question | None) -> list[Message]:
    if frame.info:
        raise BadFrame(Drop.LENGTH, f"{len(frame.info)} bytes of INFO, not 0")
    version = f"{frame.version >> 4}.{frame.version & 0xF}"
    return [Message("protocol_version", Reading(), {"version": version}, frame.address)]


def _maker(frame: Frame, _: Question | None) -> list[Message]:
    name, version, maker = classic.read_maker(frame.info)
    raw: dict[str, Raw] = {"device": name, "software": version, "manufacturer": maker}
    return [Message("manufacturer", Reading(), raw, frame.address)]


def _serial(frame: Frame, _: Question | None) -> list[Message]:
    module, serial = classic.read_serial(frame.info)
    _belongs(frame, module)
    return [Message("serial_number", Reading(), {"serial": serial}, frame.address)]


def _firmware(frame: Frame, _: Question | None) -> list[Message]:
    module, maker, main = classic.read_firmware(frame.info)
    _belongs(frame, module)
    return [Message("firmware", Reading(), {"manufacturer": maker, "main": main}, frame.address)]


def _system_analog(frame: Frame, _: Question | None) -> list[Message]:
    told = system.read_analog(frame.info)
    if told.soc_pct > 100:
        raise BadFrame(Drop.VALUE, f"state of charge of {told.soc_pct} %")
    reading = Reading(
        voltage_v=told.voltage_mv / 1000,
        current_a=told.current / 100,
        soc_pct=float(told.soc_pct),
        soh_pct=float(told.soh_min_pct),
        cycles=told.cycles_max,
    )
    raw: dict[str, Raw] = {
        "cycles_mean": told.cycles_mean,
        "soh_mean_pct": told.soh_mean_pct,
        "cell_max_v": told.cell_max_mv / 1000,
        "cell_min_v": told.cell_min_mv / 1000,
    }
    for name, value in told._asdict().items():
        if name.endswith("_place"):
            raw[name] = value
        elif name.startswith(("cell_", "mosfet_", "board_")) and not name.endswith("_mv"):
            raw[f"{name}_c"] = celsius(value)
    return [Message("system_analog", reading, raw, frame.address)]


def _system_alarms(frame: Frame, _: Question | None) -> list[Message]:
    told = system.read_alarms(frame.info)
    warnings = _alarms(told[:2], system.ALARM_BITS)
    protections = _alarms(told[2:], system.PROTECTION_BITS)
    reading = Reading(protections=protections, warnings=warnings)
    return [Message("system_alarms", reading, {**told._asdict()}, frame.address)]


def _alarms(values: tuple[int, ...], tables: tuple[Mapping[int, frozenset[Alarm]], ...]) -> frozenset[Alarm]:
    found: set[Alarm] = set()
    for byte, table in zip(values, tables, strict=True):
        for bit in range(8):
            if byte >> bit & 1:
                found |= table.get(bit, {Alarm.OTHER})
    return frozenset(found)


def celsius(tenths: int) -> float | None:
    """A temperature of the wire; None where no cell could have it."""
    value = (tenths - ZERO_C) / 10
    return value if COLDEST_C <= value <= HOTTEST_C else None


def _ah(mah: int | None) -> float | None:
    return None if mah is None else mah / 1000


_READERS: Mapping[Command, Callable[[Frame, Question | None], list[Message]]] = {
    Command.ANALOG_VALUES: _modules("analog_values", classic.read_analog, analog),
    Command.ALARM_STATES: _modules("alarm_states", classic.read_states, states),
    Command.SYSTEM_PARAMETERS: _parameters,
    Command.PROTOCOL_VERSION: _version,
    Command.MANUFACTURER: _maker,
    Command.MANAGEMENT: _management,
    Command.SERIAL_NUMBER: _serial,
    Command.FIRMWARE: _firmware,
    Command.SYSTEM_ANALOG: _system_analog,
    Command.SYSTEM_ALARMS: _system_alarms,
}
_BY_LENGTH = {
    0: Command.PROTOCOL_VERSION, 4: Command.SYSTEM_ALARMS, 6: Command.FIRMWARE, 9: Command.SYSTEM_LIMITS,
    10: Command.MANAGEMENT, 17: Command.SERIAL_NUMBER, 25: Command.SYSTEM_PARAMETERS,
    32: Command.MANUFACTURER, 49: Command.SYSTEM_ANALOG,
}  # fmt: skip
