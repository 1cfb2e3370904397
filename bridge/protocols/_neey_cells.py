"""The cell information of an active balancer: cells, sense wires, temperatures, faults.

Two layouts of the cell information exist: v1 of the pure balancers, and v2 of the EK-B models, which are
a BMS as well. They agree up to byte 216; from there v2 has one byte more, and further on 36 more.

One idea: a frame does not say which layout it has, so it is told by its contents. Read in the wrong
layout, a temperature is put together from parts of two floats, and comes out as nothing that a probe
reads: neither 0 nor between a thousandth of a degree and 150. Offsets below are those of the whole frame.

Sources: syssi/esphome-jk-bms components/heltec_balancer_ble and docs/neey-* (captures);
patman15/aiobmsble aiobmsble/bms/neey_bms.py (current and charge of v2).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bridge.model import Alarm, Reading
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Raw

Content = tuple[Reading, Mapping[str, Raw]]

INPUTS = 24
BALANCING = 5
HIGHEST_CELL_V = 5.0
LEAST, MOST = 0.001, 150.0  # magnitudes of what a board measures in degC and A, 0 apart
WORST_LINE_OHM = 1.0  # above that the sense wire is at fault, not the cell


class Layout(NamedTuple):
    """Where the fields of the cell information stand that differ between the versions."""

    version: int
    balance_current: int
    temperatures: tuple[int, ...]
    faults: int
    run_time: int


V1 = Layout(1, 217, (221, 225), 229, 254)
V2 = Layout(2, 218, (226, 230, 234, 238), 266, 291)
_V2_CURRENT, _V2_CHARGE = 222, 242


def layout_of(model: str) -> Layout:
    """The layout that a model with this name is known to use."""
    return V2 if model.startswith("EK-B") else V1


def read(whole: bytes, expected: Layout | None) -> Content:
    """A frame of 300 bytes; raises BadFrame if it cannot be true.

    expected: the layout of the model, where it has said its name.
    """
    cells_v = f32s(whole, 9, 4)
    readable = [volts for volts in cells_v if volts is not None]
    if len(readable) < INPUTS or not 0 < max(readable) <= HIGHEST_CELL_V or min(readable) < 0:
        raise BadFrame(Drop.VALUE, f"cells of {cells_v} V")
    layout = _layout(whole, expected)
    status = whole[216]
    common: dict[str, Raw] = {
        "frame_counter": whole[8],
        "cell_resistances_ohm": tuple(f32s(whole, 105, 4)),
        "cell_avg_v": f32(whole, 205, 4),
        "cell_delta_v": f32(whole, 209, 4),
        "max_cell_index0": whole[213],
        "min_cell_index0": whole[214],
        "last_cell_index0": whole[215],
        "operation_status": status,
        "layout_version": layout.version,
        "balance_current_a": f32(whole, layout.balance_current, 3),
        "uptime_s": int.from_bytes(whole[layout.run_time : layout.run_time + 4], "little"),
    }
    faults = _faults(whole, layout.faults)
    reading = Reading(
        voltage_v=f32(whole, 201, 3),
        cell_voltages_v=tuple(cells_v),
        temperatures_c=tuple(_temperature_c(whole, at) for at in layout.temperatures),
        balancing=status == BALANCING,
    )
    if layout is V2:
        reading |= _charge(whole)
        common["status_extra"] = whole[217]
    reading["warnings"] = _warnings(common | faults, connected_cells(whole[215], cells_v))
    return reading, common | faults


def _charge(whole: bytes) -> Reading:
    """What v2 says of the pack."""
    # unverified: the current's sign; one unit, SW-2.0.0
    full, remaining, soc = (_V2_CHARGE + 4 * index for index in range(3))
    return Reading(
        current_a=f32(whole, _V2_CURRENT, 3),
        full_ah=f32(whole, full, 3),
        remaining_ah=f32(whole, remaining, 3),
        soc_pct=f32(whole, soc, 2),
    )


def _layout(whole: bytes, expected: Layout | None) -> Layout:
    """The layout in which the temperatures are temperatures, whatever the model's name suggests.

    Where both fit (all probes at exactly 0, say) or none does (a broken probe), the model decides; if it
    is not known, v2 is taken for a charge that makes sense, which v1 has not. Raises BadFrame if nothing
    speaks for either.
    """
    fitting = [layout for layout in (V1, V2) if _fits(whole, layout)]
    if len(fitting) == 1:
        return fitting[0]
    if expected is not None:
        return expected
    if not fitting:
        raise BadFrame(Drop.VALUE, "neither layout gives temperatures")
    full, remaining, soc = struct.unpack_from("<3f", whole, _V2_CHARGE)
    return V2 if full > 0 and 0 <= remaining <= 2 * full and 0 <= soc <= 100 else V1


def _fits(whole: bytes, layout: Layout) -> bool:
    return all(_measurable(whole, at) for at in (layout.balance_current, *layout.temperatures))


def _measurable(whole: bytes, at: int) -> bool:
    value: float = struct.unpack_from("<f", whole, at)[0]
    return value == 0 or LEAST <= abs(value) <= MOST


def connected_cells(last_index: int, cells_v: Sequence[float | None]) -> int:
    """How many inputs have a cell: as many as the board says, and no fewer than read a voltage."""
    read = max((index + 1 for index, volts in enumerate(cells_v) if volts), default=0)
    return max(read, last_index + 1) if last_index < INPUTS else read


_BITS = ("detect_fail_bits", "overvoltage_bits", "undervoltage_bits", "polarity_bits", "line_resistance_bits")


def _faults(whole: bytes, at: int) -> dict[str, Raw]:
    """Five times 24 bits, a bit a cell; over-temperature, charging fault, discharging fault."""
    # unverified in v2: its only capture has no bit set
    masks: dict[str, Raw] = {
        name: int.from_bytes(whole[at + 3 * index : at + 3 * index + 3], "little")
        for index, name in enumerate(_BITS)
    }
    overheated, charging, discharging = whole[at + 15 : at + 18]
    return masks | {
        "overtemp_bits": overheated,
        "charge_fault": bool(charging),
        "discharge_fault": bool(discharging),
    }


_WARNINGS = {
    "detect_fail_bits": Alarm.CELL_DISCONNECTED,
    "overvoltage_bits": Alarm.CELL_OVERVOLTAGE,
    "undervoltage_bits": Alarm.CELL_UNDERVOLTAGE,
    "polarity_bits": Alarm.REVERSE_POLARITY,
    "line_resistance_bits": Alarm.CELL_DISCONNECTED,
}
_STATUS_WARNINGS = {
    1: Alarm.OTHER,  # wrong cell count
    3: Alarm.CELL_DISCONNECTED,  # line resistance exceeded
    7: Alarm.CELL_UNDERVOLTAGE,
    8: Alarm.AMBIENT_OVERTEMPERATURE,
    9: Alarm.BMS_FAULT,
    11: Alarm.AMBIENT_OVERTEMPERATURE,
}


def _warnings(raw: Mapping[str, Raw], cells: int) -> frozenset[Alarm]:
    """All of them warnings: a balancer cuts no current off. Bits of unused inputs are set on some boards."""
    used = (1 << cells) - 1
    found = {alarm for name, alarm in _WARNINGS.items() if _integer(raw[name]) & used}
    lines = raw["cell_resistances_ohm"]
    if isinstance(lines, tuple) and any(ohm is None or ohm > WORST_LINE_OHM for ohm in lines[:cells]):
        found.add(Alarm.CELL_DISCONNECTED)
    if raw["charge_fault"] or raw["discharge_fault"]:
        found.add(Alarm.BMS_FAULT)
    if raw["overtemp_bits"]:
        found.add(Alarm.AMBIENT_OVERTEMPERATURE)
    status = _STATUS_WARNINGS.get(_integer(raw["operation_status"]))
    return frozenset(found if status is None else found | {status})


def _integer(value: Raw) -> int:
    assert isinstance(value, int)
    return value


def _temperature_c(whole: bytes, at: int) -> float | None:
    return f32(whole, at, 2) if _measurable(whole, at) else None


def f32(whole: bytes, at: int, digits: int) -> float | None:
    """A float, rounded; None if it is not a number."""
    (value,) = struct.unpack_from("<f", whole, at)
    return round(value, digits) if math.isfinite(value) else None


def f32s(whole: bytes, at: int, digits: int) -> list[float | None]:
    """A float for each of the inputs."""
    return [f32(whole, at + 4 * index, digits) for index in range(INPUTS)]
