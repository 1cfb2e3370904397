"""The BMS's side of Daly's classic commands, for simulators: a reading becomes 8 data bytes a frame.

It behaves as captured older boards do, bad manners included: bytes that a command does not use keep
what stood there before, so slots behind the last cell repeat the frame before (or are 0, where all frames
were asked for), and the status ends with the last byte of the capacity. What a reading does not hold is
not answered.

Sources: captures in diysolarforum.com thread 21898 and jblance/mpp-solar issues 83 and 516.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bridge.errors import BridgeBug
from bridge.model import Reading
from bridge.protocols._daly import CELLS_MAX, CHARGING, CURRENT_ZERO, DISCHARGING, RAW_TEMPERATURE_ZERO
from bridge.protocols._daly_board import ALL_CELL_FRAMES, CELLS_A_FRAME, PROBES_A_FRAME
from bridge.protocols._daly_faults import fault_bytes
from bridge.protocols._daly_values import (
    BALANCE,
    CELL_LIMITS,
    CELLS,
    CURRENT_LIMITS,
    EXTREMES,
    FAULTS,
    HARDWARE,
    PACK,
    PACK_LIMITS,
    PROBE_EXTREMES,
    PROBES,
    RATED,
    SOFTWARE,
    STATUS,
    SWITCHES,
)

CELL_NOMINAL_V = 3.2
CELL_LEVELS_V = (3.60, 3.65, 2.80, 2.50)  # high L1, high L2, low L1, low L2 of a usual LFP setting
SECOND_LEVEL = 1.25  # of the over-current thresholds
SOFTWARE_TEXT, HARDWARE_TEXT = b"SIM-20240101  ", b"DL-SIM-R16-01 "
_TEXT_A_FRAME = 7
_ALL_PROBE_FRAMES = 3


def u16(value: float) -> bytes:
    """`value`, rounded, in two bytes. Raises BridgeBug if it does not fit."""
    raw = round(value)
    if not 0 <= raw <= 0xFFFF:
        raise BridgeBug(f"{value} does not fit two bytes of the wire (allowed 0..65535)")
    return raw.to_bytes(2, "big")


def current_raw(current_a: float | None, sign: int) -> int:
    """The wire's current, for a board that counts by `sign` (+1: charging is above zero)."""
    return CURRENT_ZERO + sign * round(10 * (current_a or 0.0))


def state_of(current_a: float | None) -> int:
    """The state field: 0 idle, 1 charging, 2 discharging."""
    steps = round(10 * (current_a or 0.0))
    return CHARGING if steps > 0 else DISCHARGING if steps < 0 else 0


def power_raw(reading: Reading) -> int:
    """The wire's power, W, without a sign."""
    return min(0xFFFF, round(abs((reading.get("voltage_v") or 0.0) * (reading.get("current_a") or 0.0))))


def current_limits(reading: Reading) -> list[bytes]:
    """Over-current thresholds: charge level 1 and 2, discharge level 1 and 2; FFFF where there is none."""
    charge_a, discharge_a = reading.get("charge_current_limit_a"), reading.get("discharge_current_limit_a")
    if not charge_a or not discharge_a:
        return [b"\xff\xff"] * 4
    steps = (-charge_a, -charge_a * SECOND_LEVEL, discharge_a, discharge_a * SECOND_LEVEL)
    return [u16(CURRENT_ZERO + 10 * step_a) for step_a in steps]


def temperature_raw(temperature_c: float | None) -> int:
    """A probe's byte; 0 for one that is not there. Raises BridgeBug outside of -39..214 degC."""
    if temperature_c is None:
        return 0
    raw = round(temperature_c) + RAW_TEMPERATURE_ZERO
    if not 0 < raw < 0xFF:
        raise BridgeBug(f"{temperature_c} degC does not fit a probe's byte (allowed -39..214)")
    return raw


def remaining_ah(reading: Reading) -> float:
    """What is left in the pack, from its state of charge where it does not say it itself."""
    remaining = reading.get("remaining_ah")
    full = reading.get("full_ah") or reading.get("design_ah") or 0.0
    return full * (reading.get("soc_pct") or 0.0) / 100 if remaining is None else remaining


class Answers:
    """What one simulated board answers. sign: which way it counts current."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._heartbeat = 0
        self._pad = 0
        self._single: Mapping[int, Callable[[Reading], bytes]] = {
            PACK: self._pack, EXTREMES: _extremes, PROBE_EXTREMES: _probe_extremes,
            SWITCHES: self._switches, STATUS: self._status, BALANCE: _balance, FAULTS: _faults,
            RATED: _rated, CELL_LIMITS: _cell_limits, PACK_LIMITS: _pack_limits,
            CURRENT_LIMITS: _current_limits, 0xD8: lambda _: bytes(8),
        }  # fmt: skip

    def to(self, command: int, reading: Reading, *, wide: bool) -> Sequence[bytes]:
        """The data bytes of the frames that answer `command`; none for what it does not know."""
        if command in self._single:
            data = self._single[command](reading)
            return [data.ljust(8, b"\0")] if data else []
        if command == CELLS:
            return self._cells(reading, wide=wide)
        if command == PROBES:
            return self._probes(reading, wide=wide)
        if command in {SOFTWARE, HARDWARE}:
            text = SOFTWARE_TEXT if command == SOFTWARE else HARDWARE_TEXT
            return [bytes((n + 1,)) + text[n * _TEXT_A_FRAME :][:_TEXT_A_FRAME] for n in range(2)]
        return []

    def _pack(self, reading: Reading) -> bytes:
        voltage_v = reading.get("voltage_v")
        if voltage_v is None:
            return b""
        raw = current_raw(reading.get("current_a"), self._sign)
        return u16(10 * voltage_v) + bytes(2) + u16(raw) + u16(10 * (reading.get("soc_pct") or 0.0))

    def _switches(self, reading: Reading) -> bytes:
        self._heartbeat = (self._heartbeat + 1) & 0xFF
        capacity = round(1000 * remaining_ah(reading)).to_bytes(4, "big")
        self._pad = capacity[-1]
        switches = (bool(reading.get("charge_fet_on")), bool(reading.get("discharge_fet_on")))
        return bytes((state_of(reading.get("current_a")), *switches, self._heartbeat)) + capacity

    def _status(self, reading: Reading) -> bytes:
        cells, probes = len(reading.get("cell_voltages_v", ())), len(reading.get("temperatures_c", ()))
        if not cells:
            return b""
        return bytes((cells, probes, 0, 0, 0)) + u16(reading.get("cycles") or 0) + bytes((self._pad,))

    def _cells(self, reading: Reading, *, wide: bool) -> list[bytes]:
        values_v = reading.get("cell_voltages_v", ())
        needed = -(-len(values_v) // CELLS_A_FRAME)
        slots = [u16(1000 * (value or 0.0)) for value in values_v]
        while len(slots) % CELLS_A_FRAME and not wide:  # old bytes: the same slot of the frame before
            slots.append(slots[-CELLS_A_FRAME] if len(slots) > CELLS_A_FRAME else bytes(2))
        frames = []
        for number in range(ALL_CELL_FRAMES if wide and values_v else needed):
            data = b"".join(slots[number * CELLS_A_FRAME :][:CELLS_A_FRAME]).ljust(6, b"\0")
            frames.append(bytes((number + 1,)) + data + bytes((self._pad,)))
        return frames

    def _probes(self, reading: Reading, *, wide: bool) -> list[bytes]:
        values = bytes(map(temperature_raw, reading.get("temperatures_c", ())))
        count = _ALL_PROBE_FRAMES if wide else -(-len(values) // PROBES_A_FRAME)
        frames = [values[number * PROBES_A_FRAME :][:PROBES_A_FRAME] for number in range(count)]
        return [bytes((n + 1,)) + data.ljust(PROBES_A_FRAME, b"\0") for n, data in enumerate(frames)]


def _extremes(reading: Reading) -> bytes:
    cells = [(v, n + 1) for n, v in enumerate(reading.get("cell_voltages_v", ())) if v is not None]
    if not cells:
        return b""
    (high_v, high_cell), (low_v, low_cell) = max(cells), min(cells)
    return u16(1000 * high_v) + bytes((high_cell,)) + u16(1000 * low_v) + bytes((low_cell,))


def _probe_extremes(reading: Reading) -> bytes:
    probes = [(t, n + 1) for n, t in enumerate(reading.get("temperatures_c", ())) if t is not None]
    if not probes:
        return bytes((0, 1, 0, 1))
    (high_c, high_probe), (low_c, low_probe) = max(probes), min(probes)
    return bytes((temperature_raw(high_c), high_probe, temperature_raw(low_c), low_probe))


def _balance(reading: Reading) -> bytes:
    """The highest cell balances, if any does: a reading does not say which."""
    cells = reading.get("cell_voltages_v", ())
    if not reading.get("balancing") or not cells:
        return bytes(8)
    highest = max(range(len(cells)), key=lambda index: cells[index] or 0.0)
    return (1 << highest).to_bytes(CELLS_MAX // 8, "little")


def _faults(reading: Reading) -> bytes:
    return fault_bytes(reading)


def _rated(reading: Reading) -> bytes:
    rated_ah = reading.get("design_ah") or reading.get("full_ah")
    if not rated_ah:
        return b""
    return round(1000 * rated_ah).to_bytes(4, "big") + bytes(2) + u16(1000 * CELL_NOMINAL_V)


def _cell_limits(_: Reading) -> bytes:
    return b"".join(u16(1000 * level_v) for level_v in CELL_LEVELS_V)


def _pack_limits(reading: Reading) -> bytes:
    cells = len(reading.get("cell_voltages_v", ()))
    return b"".join(u16(10 * cells * level_v) for level_v in CELL_LEVELS_V) if cells else b""


def _current_limits(reading: Reading) -> bytes:
    return b"".join(current_limits(reading))
