"""What a BYD battery tells a Plenticore, as bytes and back.

Floats are little-endian single precision; a limit is never above its value for that. The field list is of
dalathegreat/Battery-Emulator Software/src/inverter/KOSTAL-RS485, whose constants are taken for what
nobody has explained.
"""

from __future__ import annotations

import struct

from bridge.errors import BridgeBug
from bridge.model import Reading
from bridge.protocols.contract import Raw
from bridge.registers.amounts import Said
from bridge.registers.image import counts
from bridge.sinks.quantities import Rounding, steps

_INFO = struct.Struct("<fIIfHH2sIHB3x")
_CYCLIC = struct.Struct("<12fH6B")
_DATE, _SERIAL, _FIRMWARE, _MODEL = 0x5C8A70E4, 0x00D300B5, 0x18C2, 0
_VENDOR, _INFO_TAIL = b"YB", 0xA0  # BYD
_CELLS_A_MODULE = 16
_OPEN, _SHUT, _FULL = 2, 0, 0x40
_STEP_A, _STEP_V, _STEP_MEASURED = 0.1, 0.1, 0.001
_MEASURED_MAX = 100_000.0
FULL_PCT = 100
INFO_SIZE, STATE_SIZE = _INFO.size, _CYCLIC.size


def info(said: Said) -> bytes:
    """What the battery is. Its voltage is the most that it may have."""
    modules = max(1, int(said.numbers.get("cell_count", 0)) // _CELLS_A_MODULE)
    return _INFO.pack(
        _down(said, "charge_voltage_limit_v", _STEP_V),
        _DATE,
        _SERIAL,
        _down(said, "full_ah", _STEP_A),
        _FIRMWARE,
        0,
        _VENDOR,
        _MODEL,
        min(0xFFFF, modules),
        _INFO_TAIL,
    )


def state(said: Said, *, closed: bool, first: bool) -> bytes:
    """How the battery is."""
    mean_c = _measured(said, "temperature_c")
    current_a = _measured(said, "current_a")
    charge_a, discharge_a = (
        _down(said, f"{name}_current_limit_a", _STEP_A) * said.flag(f"{name}_enabled")
        for name in ("charge", "discharge")
    )
    return _CYCLIC.pack(
        _measured(said, "voltage_v") if closed else 0.0,
        _down(said, "charge_voltage_limit_v", _STEP_V),
        mean_c,
        current_a,
        current_a,
        discharge_a,
        _down(said, "full_ah", _STEP_A),
        charge_a,
        _measured(said, "temperature_max_c", mean_c),
        _measured(said, "temperature_min_c", mean_c),
        _measured(said, "cell_max_v"),
        _measured(said, "cell_min_v"),
        counts(said.numbers.get("cycles", 0.0), 1, 0, "u16", Rounding.NEAREST),
        not said.flag("stopped"),
        _FULL if said.flag("full") else 0,
        min(FULL_PCT, counts(said.numbers["soc_pct"], 1, 0, "u8", Rounding.DOWN)),
        _SHUT if closed else _OPEN,
        0,
        first,
    )


def _measured(said: Said, name: str, otherwise: float = 0.0) -> float:
    """A measured value. Raises BridgeBug if it is no finite number."""
    value = steps(said.numbers.get(name, otherwise), _STEP_MEASURED, Rounding.NEAREST) * _STEP_MEASURED
    return min(_MEASURED_MAX, max(-_MEASURED_MAX, value))


def _down(said: Said, name: str, step: float) -> float:
    """A value in whole steps, and as a single never above that."""
    raw = said.numbers.get(name, 0.0)
    if raw < 0:
        raise BridgeBug(f"{name}: {raw} is no limit; a limit is 0 or more")
    value = min(_MEASURED_MAX, steps(raw, step, Rounding.DOWN) * step)
    data = struct.pack("<f", value)
    (single,) = struct.unpack("<f", data)
    if single <= value:
        return float(single)
    (lower,) = struct.unpack("<f", (int.from_bytes(data, "little") - 1).to_bytes(4, "little"))
    return float(lower)


def info_said(payload: bytes) -> tuple[Reading, dict[str, Raw]]:
    """What `info` says."""
    voltage, date, serial, full, firmware, _, vendor, _, modules, tail = _INFO.unpack(payload)
    return {"design_ah": round(full, 3)}, {
        "design_voltage_v": round(voltage, 3),
        "made_s": date,
        "serial": serial,
        "firmware": firmware,
        "vendor": vendor.decode("latin-1"),
        "modules_in_series": modules,
        "tail": tail,
    }


def state_said(payload: bytes) -> tuple[Reading, dict[str, Raw]]:
    """What `state` says."""
    volts, most, mean, peak, amps, discharge, full, charge, hot, cold, high, low, cycles, *tail = (
        _CYCLIC.unpack(payload)
    )
    reading: Reading = {
        "voltage_v": round(volts, 3),
        "current_a": round(amps, 3),
        "soc_pct": tail[2],
        "full_ah": round(full, 3),
        "cycles": cycles,
        "charge_voltage_limit_v": round(most, 3),
        "charge_current_limit_a": round(charge, 3),
        "discharge_current_limit_a": round(discharge, 3),
    }
    return reading, {
        "peak_current_a": round(peak, 3),
        "temperature_c": round(mean, 3),
        "temperature_max_c": round(hot, 3),
        "temperature_min_c": round(cold, 3),
        "cell_max_v": round(high, 4),
        "cell_min_v": round(low, 4),
        "enabled": bool(tail[0]),
        "full": bool(tail[1] & _FULL),
        "contactors_open": tail[3] == _OPEN,
        "first": bool(tail[5]),
    }
