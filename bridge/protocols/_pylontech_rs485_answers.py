"""What a battery says of itself in the Pylontech RS485 protocol: from readings to the steps of the wire.

Both who simulates a battery and who poses as one to an inverter speak through these functions.

One idea: everything has a safe side. Current limits go down and stop at what a word holds, the lowest
voltage goes up, a charge that is left goes down; SoC is not transmitted, so the charge that is left is made
from it. What is not known is left out; without voltage, SoC or capacity there is nothing to say (None).
A direction that is off has limit 0, no enable bit, an open switch and a state that is not 00.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bridge.model import Alarm, Reading
from bridge.protocols import _pylontech_rs485_classic as classic
from bridge.protocols import _pylontech_rs485_readings as readings
from bridge.protocols import _pylontech_rs485_system as system
from bridge.protocols._pylontech_rs485_classic import ABOVE, BELOW, OK, OTHER
from bridge.protocols._pylontech_rs485_frames import VERSION, Return, build
from bridge.protocols._pylontech_rs485_requests import Command, Question
from bridge.sinks.quantities import Rounding, steps

EMPTY_V, ERROR_V = 1.0, 4.2  # a cell beyond has an error bit
IDLE_A = 0.1
MOSFETS_POWERED = 0x08
SHORT_MAX = 0x7FFF


def analog(reading: Reading) -> classic.Analog | None:
    """42; None where voltage, SoC or capacity are not known or have no place on the wire."""
    voltage_mv = steps_of(reading.get("voltage_v"), 1000)
    soc_pct, full_ah = reading.get("soc_pct"), reading.get("full_ah")
    if voltage_mv is None or not 0 < voltage_mv <= classic.WORD_MAX or soc_pct is None or not full_ah:
        return None
    total_mah = min(classic.LONG_MAX, int(steps(full_ah, 0.001, Rounding.DOWN)))
    share = min(1.0, max(0.0, soc_pct / 100))
    return classic.Analog(
        cells_mv=tuple(
            _clamped(steps_of(cell_v, 1000) or 0, SHORT_MAX) for cell_v in reading.get("cell_voltages_v", ())
        ),
        temperatures=_probes(reading),
        current=_clamped(steps_of(reading.get("current_a"), 10) or 0, SHORT_MAX),
        voltage_mv=voltage_mv,
        remaining_mah=int(steps(total_mah * share, 1, Rounding.DOWN)),
        total_mah=total_mah,
        cycles=min(classic.WORD_MAX, reading.get("cycles") or 0),
        wide=total_mah > classic.NARROW_MAX_MAH,
    )


def _probes(reading: Reading) -> tuple[int, ...]:
    """The board's and the cells'. A board that is not known is as warm as the warmest cells."""
    cells_c = [celsius for celsius in reading.get("temperatures_c", ()) if celsius is not None]
    board_c = reading.get("mosfet_temperature_c")
    if board_c is None:
        board_c = max(cells_c, default=None)
    return () if board_c is None else tuple(kelvin(celsius) for celsius in (board_c, *cells_c))


def states(reading: Reading) -> classic.States:
    """44, with as many cells and probes as 42 has."""
    protections = reading.get("protections", frozenset())
    cells_v, probes = reading.get("cell_voltages_v", ()), _probes(reading)
    current_a = reading.get("current_a") or 0.0
    charge, discharge = reading.get("charge_allowed"), reading.get("discharge_allowed")
    two = (
        (MOSFETS_POWERED if charge or discharge else 0)
        | (readings.CHARGE_FET if charge else 0)
        | (readings.DISCHARGE_FET if discharge else 0)
    )
    three = (
        (0x80 if current_a > IDLE_A else 0)
        | (0x40 if current_a < -IDLE_A else 0)
        | (readings.FULL if Alarm.FULLY_CHARGED in reading.get("warnings", ()) else 0)
    )
    errors = sum(1 << bit for bit, cell_v in enumerate(cells_v[:16]) if _is_error(cell_v))
    return classic.States(
        cells=_marked(
            [-1.0 if cell_v is None else cell_v for cell_v in cells_v],
            above=Alarm.CELL_OVERVOLTAGE in protections,
            below=Alarm.CELL_UNDERVOLTAGE in protections,
        ),
        temperatures=_marked(
            probes, above=bool(system.HOT & protections), below=bool(system.COLD & protections)
        ),
        charge_current=_current_state(over=Alarm.CHARGE_OVERCURRENT in protections, stopped=not charge),
        voltage=_voltage_state(protections),
        discharge_current=_current_state(
            over=Alarm.DISCHARGE_OVERCURRENT in protections, stopped=not discharge
        ),
        status=(_status_1(protections), two, three, errors & 0xFF, errors >> 8),
    )


def _status_1(protections: frozenset[Alarm]) -> int:
    """A cell's over-voltage has no bit of its own: it takes the module's."""
    if Alarm.CELL_OVERVOLTAGE in protections:
        protections |= {Alarm.PACK_OVERVOLTAGE}
    return sum(
        1 << bit for bit, alarm in enumerate(readings.STATUS_1) if alarm in protections - {Alarm.OTHER}
    )


def _is_error(cell_v: float | None) -> bool:
    return cell_v is None or not EMPTY_V <= cell_v <= ERROR_V


def _marked(values: Sequence[float], *, above: bool, below: bool) -> tuple[int, ...]:
    """A state for each value: the highest is what is above, the lowest what is below."""
    found = [OK] * len(values)
    if above and found:
        found[max(range(len(values)), key=values.__getitem__)] = ABOVE
    if below and found:
        found[min(range(len(values)), key=values.__getitem__)] = BELOW
    return tuple(found)


def _current_state(*, over: bool, stopped: bool) -> int:
    return ABOVE if over else OTHER if stopped else OK


def _voltage_state(protections: frozenset[Alarm]) -> int:
    if Alarm.PACK_OVERVOLTAGE in protections:
        return ABOVE
    return BELOW if Alarm.PACK_UNDERVOLTAGE in protections else OK


def management(
    reading: Reading, requests: int = 0, *, step_a: float = 0.1, negative_discharge: bool = True
) -> classic.Management:
    """92 and 63. requests: bits of the status by which the battery asks to be charged.

    A lowest voltage that no word holds ends discharging: it must not become a lower one.
    """
    charge_mv = int(
        min(classic.WORD_MAX, steps(reading["charge_voltage_limit_v"] or 0.0, 0.001, Rounding.DOWN))
    )
    lowest_mv = steps(reading["discharge_voltage_limit_v"] or 0.0, 0.001, Rounding.UP)
    charge, discharge = _current(reading, "charge", step_a), _current(reading, "discharge", step_a)
    if lowest_mv > classic.WORD_MAX:
        discharge = 0
    status = (readings.CHARGE | requests if charge else 0) | (readings.DISCHARGE if discharge else 0)
    return classic.Management(
        charge_mv=charge_mv,
        discharge_mv=int(min(classic.WORD_MAX, lowest_mv)),
        charge_current=charge,
        discharge_current=-discharge if negative_discharge else discharge,
        status=status,
    )


def _current(reading: Reading, direction: str, step_a: float) -> int:
    """A current limit in steps; 0 where the direction is off or nothing is known."""
    allowed = reading.get("charge_allowed" if direction == "charge" else "discharge_allowed")
    limit_a = (
        reading.get("charge_current_limit_a")
        if direction == "charge"
        else reading.get("discharge_current_limit_a")
    )
    if not allowed or limit_a is None:
        return 0
    return int(_clamped(steps(max(0.0, limit_a), step_a, Rounding.DOWN), SHORT_MAX))


class Identity(NamedTuple):
    """Who answers, as 51, 93 and 96 say it."""

    name: str
    maker: str
    serial: str
    version: tuple[int, int] = (1, 0)
    main: tuple[int, int, int] = (1, 0, 0)


def parameters(limits: classic.Management, cells: int) -> classic.Parameters | None:
    """47, with the limits of the moment for those of the module; None where its cells are not known.

    The temperatures are those within which LFP cells are used by default (`bridge.model.PackSettings`).
    """
    if not cells:
        return None
    low_mv = -(-limits.discharge_mv // cells)
    return classic.Parameters(
        cell_high_mv=limits.charge_mv // cells,
        cell_low_mv=low_mv,
        cell_under_mv=low_mv,
        charge_high_temperature=kelvin(55.0),
        charge_low_temperature=kelvin(0.0),
        charge_current=limits.charge_current,
        module_high_mv=limits.charge_mv,
        module_low_mv=limits.discharge_mv,
        module_under_mv=limits.discharge_mv,
        discharge_high_temperature=kelvin(60.0),
        discharge_low_temperature=kelvin(-20.0),
        discharge_current=-abs(limits.discharge_current),
    )


def told(question: Question, modules: Sequence[Reading]) -> bytes | None:
    """42 or 44 of these modules; None without any, or where one of them has nothing to say."""
    known = [(values, reading) for reading in modules if (values := analog(reading)) is not None]
    if not known:
        return None
    subject = len(known) if question.whole_group else question.frame.address
    if question.command is Command.ANALOG_VALUES:
        return classic.write_told(classic.Told(0, subject, tuple(values for values, _ in known)))
    return classic.write_told(classic.Told(0, subject, tuple(states(reading) for _, reading in known)))


def single(question: Question, limits: classic.Management, cells: int, identity: Identity) -> bytes | None:
    """INFO of what is asked of one module, but for 42 and 44. None where there is no answer."""
    address = question.frame.address
    match question.command:
        case Command.PROTOCOL_VERSION:
            return b""
        case Command.MANUFACTURER:
            return classic.write_maker(identity.name, identity.version, identity.maker)
        case Command.SYSTEM_PARAMETERS:
            words = parameters(limits, cells)
            return None if words is None else classic.write_parameters(0, words)
        case Command.MANAGEMENT:
            return classic.write_management(address, limits)
        case Command.SERIAL_NUMBER:
            return classic.write_serial(address, identity.serial)
        case Command.FIRMWARE:
            return classic.write_firmware(address, identity.version, identity.main)
    return None


def framed(question: Question, info: bytes, address: int | None = None) -> bytes:
    """The answer that has `info`, from the address that was asked or another one.

    VER is the master's, but in the answer to 4F, where it is what was asked.
    """
    asked = question.frame
    if question.command is Command.PROTOCOL_VERSION:
        asked = asked._replace(version=VERSION)
    return build(asked._replace(address=asked.address if address is None else address, code=0, info=info))


def refusal(question: Question, status: Return) -> bytes:
    """The answer to what is not understood or not done."""
    return build(question.frame._replace(code=status, info=b""))


def system_alarms(reading: Reading) -> system.SystemAlarms:
    """62. A protection without a bit, or a battery that allows neither direction, is a system fault."""
    protections, warnings = reading.get("protections", frozenset()), reading.get("warnings", frozenset())
    known = frozenset[Alarm]().union(
        *(alarms for table in system.PROTECTION_BITS for alarms in table.values())
    )
    alarm_1, alarm_2 = (_bits(warnings, table) for table in system.ALARM_BITS)
    protection_1, protection_2 = (_bits(protections, table) for table in system.PROTECTION_BITS)
    stopped = not (reading.get("charge_allowed") or reading.get("discharge_allowed"))
    if stopped or protections - known:
        protection_2 |= 1 << system.FAULT_BIT
    return system.SystemAlarms(alarm_1, alarm_2, protection_1, protection_2)


def _bits(alarms: frozenset[Alarm], table: Mapping[int, frozenset[Alarm]]) -> int:
    return sum(1 << bit for bit, meant in table.items() if alarms & meant)


def kelvin(celsius: float) -> int:
    """A temperature in the wire's 0.1 K."""
    return int(min(classic.WORD_MAX, max(0, readings.ZERO_C + steps(celsius, 0.1, Rounding.NEAREST))))


def steps_of(value: float | None, per_unit: int) -> int | None:
    """A value in whole steps, the nearest; None stays None."""
    if value is None:
        return None
    return int(_clamped(steps(value, 1 / per_unit, Rounding.NEAREST), classic.LONG_MAX))


def _clamped(value: float, most: int) -> int:
    return int(min(most, max(-most, value)))
