"""A Voltronic inverter's side of its "Inverter and BMS 485", for simulators; written from the document."""

from __future__ import annotations

from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import Drop, Dropped, Raw
from bridge.responders.contract import Question, Understood

BLOCKS = ((0x0010, 38), (0x0036, 10), (0x0070, 8))
"""First register and count of each read. The document names registers, not reads: these are ours."""


class Axpert:
    """One inverter, which asks the pack at `address` for one block after another."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._turn = -1
        self._buffer = b""
        self._waits = False

    def question(self) -> Question:
        """The next block."""
        self._turn += 1
        self._buffer, self._waits = b"", True
        start, count = BLOCKS[self._turn % len(BLOCKS)]
        body = bytes((self._address, 3)) + start.to_bytes(2, "big") + count.to_bytes(2, "big")
        return Question("read", _sealed(body))

    def feed(self, chunk: bytes) -> list[Understood | Dropped]:
        """What has become certain of the answer."""
        start, count = BLOCKS[self._turn % len(BLOCKS)]
        self._buffer += chunk
        head = bytes((self._address, 3)) + count.to_bytes(2, "big")
        error = bytes((self._address, 0x83))
        if self._waits and error.startswith(self._buffer[:2]) and self._buffer[1:2] != b"\3":
            size = 5
        elif self._waits and head.startswith(self._buffer[:4]):
            size = 6 + 2 * count
        else:
            return self._given_up(Drop.NOISE)
        if len(self._buffer) < size:
            return []
        frame, self._buffer, self._waits = self._buffer[:size], self._buffer[size:], False
        if frame != _sealed(frame[:-2]):
            return [Dropped(Drop.CHECKSUM, size)]
        if frame[1] & 0x80:
            return [Dropped(Drop.REFUSED, size, f"code {frame[2]}")]
        words = [frame[at] << 8 | frame[at + 1] for at in range(4, size - 2, 2)]
        return [Understood(f"read_{start:04x}", _understood(start, words))]

    def reset(self) -> list[Understood | Dropped]:
        """No whole answer came in time."""
        self._waits = False
        return self._given_up(Drop.TRUNCATED)

    def _given_up(self, reason: Drop) -> list[Understood | Dropped]:
        size, self._buffer = len(self._buffer), b""
        return [Dropped(reason, size)] if size else []


def _sealed(body: bytes) -> bytes:
    return body + crc16_modbus(body).to_bytes(2, "little")


def _understood(start: int, words: list[int]) -> dict[str, Raw]:
    def at(register: int, step: float = 1.0) -> float:
        return round(words[register - start] * step, 6)

    if start == 0x0010:
        return {
            "cell_count": at(0x10),
            "cell_voltages_v": [at(register, 0.1) for register in range(0x11, 0x25) if at(register)],
            "temperatures_c": [round(at(0x26 + probe, 0.1) - 273.1, 6) for probe in range(int(at(0x25)))],
            "current_a": round(at(0x30, 0.1) - at(0x31, 0.1), 6),
            "voltage_v": at(0x32, 0.1),
            "soc_pct": at(0x33),
            "full_ah": round(at(0x34) * 65.536 + at(0x35) / 1000, 6),
        }
    if start == 0x0036:
        stops = {
            "charge_protected": bool(at(0x39) or at(0x3A)),
            "discharge_protected": bool(at(0x3B) or at(0x3C)),
        }
        return {"module_count": at(0x36), **stops}
    flags = words[4]
    return {
        "charge_voltage_limit_v": at(0x70, 0.1),
        "discharge_voltage_limit_v": at(0x71, 0.1),
        "charge_current_limit_a": at(0x72, 0.1),
        "discharge_current_limit_a": at(0x73, 0.1),
        "charge_enabled": bool(flags & 0x80),
        "discharge_enabled": bool(flags & 0x40),
        "force_charge_2": bool(flags & 0x30),
        "full_charge_request": bool(flags & 0x08),
        "remaining_ah": round(at(0x76) * 65.536 + at(0x77) / 1000, 6),
    }
