"""The inverter's side of Pylontech RS485, for simulators: it asks, and says what it understood.

Written from the documents (PYLON RS485 protocol V2.8 and V3.3, the layouts of 61 to 63) on the text of the
frames and with its own arithmetic, so that it can judge the answers of `Responder`.

What is asked when: an Axpert with PYL sends 4F, 42 and 92 (stuartpittaway/diyBMSv4ESP32 issue 227); an
EASUN SMX II 61, 62 and 63 in turn (ai-republic/bms-to-inverter issue 124); a logger all that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import TYPE_CHECKING

from bridge.responders.contract import Drop, Dropped, Port, Question, Raw, Understood

if TYPE_CHECKING:
    from bridge.responders.pylontech_rs485 import Options

CYCLES = {
    "axpert": (0x4F, 0x42, 0x92),
    "system": (0x61, 0x62, 0x63),
    "logger": (0x4F, 0x51, 0x42, 0x44, 0x47, 0x92, 0x93, 0x96),
}
NAMES = {
    0x4F: "protocol_version", 0x51: "manufacturer", 0x42: "analog_values", 0x44: "alarm_states",
    0x47: "system_parameters", 0x92: "management", 0x93: "serial_number", 0x96: "firmware",
    0x61: "system_analog", 0x62: "system_alarms", 0x63: "system_limits",
}  # fmt: skip
NO_INFO = (0x4F, 0x51, 0x47, 0x61, 0x62, 0x63)
LONGEST = 4113

PROTECTION_1 = (
    "mosfet_overtemperature", "undertemperature", "overtemperature", "cell_undervoltage",
    "cell_overvoltage", "pack_undervoltage", "pack_overvoltage",
)  # fmt: skip
"""Byte 3 of 62, from bit 1; byte 1 has the same."""
STATUS_1 = {
    0: "pack_overvoltage", 1: "cell_undervoltage", 2: "charge_overcurrent", 4: "discharge_overcurrent",
    5: "discharge_overtemperature", 6: "charge_overtemperature", 7: "pack_undervoltage",
}  # fmt: skip


class Master:
    """One inverter. It asks the battery at the port's address, and for the system at its own."""

    def __init__(self, port: Port[Options]) -> None:
        self._address = 2 if port.address is None else port.address
        self._options = port.options
        self._cycle = cycle(CYCLES[port.options.asks])
        self._asked = 0
        self._buffer = b""

    def question(self) -> Question:
        """The next of its cycle."""
        self._asked = next(self._cycle)
        self._buffer = b""
        address = self._options.system_address if self._asked in {0x61, 0x62, 0x63} else self._address
        info = "" if self._asked in NO_INFO else f"{address:02X}"
        body = f"20{address:02X}46{self._asked:02X}{'E002' if info else '0000'}{info}"
        return Question(NAMES[self._asked], f"~{body}{_sum(body):04X}\r".encode())

    def feed(self, chunk: bytes) -> list[Understood | Dropped]:
        """What has become certain of the answer."""
        found: list[Understood | Dropped] = []
        *lines, self._buffer = (self._buffer + chunk).split(b"\r")
        for line in lines:
            noise, begun, text = line.rpartition(b"~")
            if noise or not begun:
                found.append(Dropped(Drop.NOISE, len(noise) or len(line) or 1))
            if begun:
                found.append(self._understood(text))
        if len(self._buffer) > LONGEST:
            found.append(Dropped(Drop.OVERFLOW, len(self._buffer)))
            self._buffer = b""
        return found

    def reset(self) -> list[Understood | Dropped]:
        """No (whole) answer came in time."""
        left, self._buffer = len(self._buffer), b""
        return [Dropped(Drop.TRUNCATED, left)] if left else []

    def _understood(self, text: bytes) -> Understood | Dropped:
        size = len(text) + 2
        try:
            body, said = text[:-4].decode("ascii"), int(text[-4:], 16)
            length = int(body[8:12], 16)
            info = bytes.fromhex(body[12:])
        except ValueError:
            return Dropped(Drop.TRUNCATED, size)
        if said != _sum(body):
            return Dropped(Drop.CHECKSUM, size)
        digits = sum(int(digit, 16) for digit in body[8:12])
        if length & 0xFFF != 2 * len(info) or (length and digits % 16):
            return Dropped(Drop.LENGTH, size)
        if body[6:8] != "00":
            return Dropped(Drop.REFUSED, size, f"return code {body[6:8]}")
        if body[:6] != f"20{self._answers_from():02X}46":
            return Dropped(Drop.UNKNOWN, size, f"from {body[:6]}")
        try:
            values = _VALUES.get(self._asked, _nothing)(info, self._options)
        except (IndexError, ZeroDivisionError):
            return Dropped(Drop.LENGTH, size, f"{len(info)} bytes")
        return Understood(NAMES[self._asked], values)

    def _answers_from(self) -> int:
        is_system = self._asked in {0x61, 0x62, 0x63}
        return (
            self._options.system_address if is_system and self._options.echo_system_address else self._address
        )


def _sum(body: str) -> int:
    return (0x10000 - sum(ord(letter) for letter in body) % 0x10000) % 0x10000


def _word(info: bytes, at: int) -> int:
    return info[at] * 256 + info[at + 1]


def _short(info: bytes, at: int) -> int:
    word = _word(info, at)
    return word - 0x10000 if word >= 0x8000 else word


Values = Mapping[str, Raw]


def _nothing(_: bytes, __: Options) -> Values:
    return {}


def _analog(info: bytes, _: Options) -> Values:
    at = 3 + 2 * info[2]
    cells_v = [_short(info, place) / 1000 for place in range(3, at, 2)]
    probes = info[at]
    temperatures_c = [(_word(info, at + 1 + 2 * place) - 2731) / 10 for place in range(probes)]
    at += 1 + 2 * probes
    left, total = _word(info, at + 4), _word(info, at + 7)
    if info[at + 6] == 4:
        wide = info[at + 11 : at + 17]
        left, total = int(wide[:3].hex(), 16), int(wide[3:].hex(), 16)
    return {
        "voltage_v": _word(info, at + 2) / 1000,
        "current_a": _short(info, at) / 10,
        "soc_pct": 100 * left / total,
        "remaining_ah": left / 1000,
        "full_ah": total / 1000,
        "cycles": _word(info, at + 9),
        "cell_count": len(cells_v),
        **_extremes("cell", "v", cells_v),
        **_extremes("temperature", "c", temperatures_c[1:]),
    }


def _extremes(what: str, unit: str, values: list[float]) -> Values:
    return {f"{what}_max_{unit}": max(values), f"{what}_min_{unit}": min(values)} if values else {}


def _states(info: bytes, _: Options) -> Values:
    probes_at = 3 + info[2]
    at = probes_at + 1 + info[probes_at]
    cells, probes = info[3:probes_at], info[probes_at + 1 : at]
    found = {name for bit, name in STATUS_1.items() if info[at + 3] & 1 << bit}
    found |= {"cell_overvoltage"} if 2 in cells else set()
    found |= {"cell_undervoltage"} if 1 in cells else set()
    found |= {"overtemperature"} if 2 in probes else set()
    found |= {"undertemperature"} if 1 in probes else set()
    return {
        "charge_enabled": bool(info[at + 4] & 2) and not info[at],
        "discharge_enabled": bool(info[at + 4] & 4) and not info[at + 2],
        "protections": sorted(found),
    }


def _parameters(info: bytes, _: Options) -> Values:
    return {
        "charge_voltage_limit_v": _word(info, 13) / 1000,
        "discharge_voltage_limit_v": _word(info, 15) / 1000,
        "charge_current_limit_a": _short(info, 11) / 10,
        "discharge_current_limit_a": abs(_short(info, 23)) / 10,
    }


def _limits(info: bytes, per_ampere: int) -> Values:
    status = info[8]
    return {
        "charge_voltage_limit_v": _word(info, 0) / 1000,
        "discharge_voltage_limit_v": _word(info, 2) / 1000,
        "charge_current_limit_a": _short(info, 4) / per_ampere,
        "discharge_current_limit_a": abs(_short(info, 6)) / per_ampere,
        "charge_enabled": bool(status & 128),
        "discharge_enabled": bool(status & 64),
        "force_charge_2": bool(status & 16),
        "full_charge_request": bool(status & 8),
    }


def _system_analog(info: bytes, _: Options) -> Values:
    return {
        "voltage_v": _word(info, 0) / 1000,
        "current_a": _short(info, 2) / 100,
        "soc_pct": info[4],
        "cycles": _word(info, 7),
        "soh_pct": info[10],
        "cell_max_v": _word(info, 11) / 1000,
        "cell_min_v": _word(info, 15) / 1000,
        "temperature_c": (_word(info, 19) - 2731) / 10,
        "temperature_max_c": (_word(info, 21) - 2731) / 10,
        "temperature_min_c": (_word(info, 25) - 2731) / 10,
    }


def _system_alarms(info: bytes, _: Options) -> Values:
    alarm_1, alarm_2, protection_1, protection_2 = info[0], info[1], info[2], info[3]
    high = {1 << bit: name for bit, name in enumerate(PROTECTION_1, 1)}
    second = {64: "charge_overcurrent", 32: "discharge_overcurrent"}
    warned = {name for bit, name in high.items() if alarm_1 & bit}
    warned |= {name for bit, name in second.items() if alarm_2 & bit}
    warned |= {"cell_imbalance"} if alarm_1 & 1 else set()
    protected = {name for bit, name in high.items() if protection_1 & bit}
    protected |= {name for bit, name in {**second, 8: "bms_fault"}.items() if protection_2 & bit}
    return {"protections": sorted(protected), "warnings": sorted(warned)}


_VALUES: Mapping[int, Callable[[bytes, Options], Values]] = {
    0x42: _analog,
    0x44: _states,
    0x47: _parameters,
    0x92: lambda info, _: _limits(info[1:], 10),
    0x61: _system_analog,
    0x62: _system_alarms,
    0x63: lambda info, options: _limits(info, 10 if options.system_step == "100 mA" else 100),
}
