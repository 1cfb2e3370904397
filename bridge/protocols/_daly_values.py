"""The 8 data bytes of Daly's classic commands, as A5 frames and CAN frames both carry them.

    0x90 .. 0x98  telemetry        0x50 .. 0x63  settings        0xD8  end of a poll (PC tool)

One idea: every command is a function from its 8 bytes to what they say, and knows nothing of frames,
boards or time. All fields are big-endian. Bytes that a command does not use hold whatever the reply
before left there, or 00 or FF: they are never looked at.

Sources: Daly UART/485 communications protocol V1.2 (maland16/daly-bms-uart docs), Daly CAN protocol V1.0
(jblance/mpp-solar docs), mr-manuel/venus-os_dbus-serialbattery bms/daly.py, diysolarforum.com threads
21898 and 65439 (settings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct

from bridge.model import Reading
from bridge.protocols._daly import (
    CELL_MAX_MV,
    CELLS_MAX,
    CURRENT_ZERO,
    SOC_MAX_RAW,
    date,
    switch,
    temperature_c,
    text,
)
from bridge.protocols._daly_faults import fault_names, judge
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Raw

PACK, EXTREMES, PROBE_EXTREMES, SWITCHES, STATUS = 0x90, 0x91, 0x92, 0x93, 0x94
CELLS, PROBES, BALANCE, FAULTS = 0x95, 0x96, 0x97, 0x98
RATED, CELL_LIMITS, PACK_LIMITS, CURRENT_LIMITS = 0x50, 0x59, 0x5A, 0x5B
BATTERY_CODE, SOFTWARE, HARDWARE = 0x57, 0x62, 0x63

PROBES_MAX = 21  # three frames of seven
NOTHING = (bytes(8), b"\xff" * 8)  # a board that just woke, or has no such data

_H4 = Struct(">4H")
_H2_BYTES = Struct(">HBHB")
_I2 = Struct(">2I")

Said = tuple[Reading, dict[str, Raw]]


def value_error(detail: str) -> BadFrame:
    """The contents of a well-formed frame cannot be true."""
    return BadFrame(Drop.VALUE, detail)


def _pack(d: bytes) -> Said:
    """0x90. The sign of the current needs more than this frame, so the current is only raw here."""
    voltage, _, current_raw, soc = _H4.unpack(d)
    if voltage == 0 or current_raw in {0, 0xFFFF}:
        raise value_error("filler instead of pack values")
    reading: Reading = {"voltage_v": voltage / 10, "soc_pct": soc / 10 if soc <= SOC_MAX_RAW else None}
    transmitted_a = (current_raw - CURRENT_ZERO) / 10
    return reading, {"current_raw": current_raw, "current_transmitted_a": transmitted_a}


def _extremes(d: bytes) -> Said:
    high, high_cell, low, low_cell = _H2_BYTES.unpack(d[:6])
    if not 0 < high <= CELL_MAX_MV or low > high:
        raise value_error("cell extremes that no cells have")
    return {}, {
        "cell_max_v": high / 1000, "cell_max_no": high_cell,
        "cell_min_v": low / 1000, "cell_min_no": low_cell,
    }  # fmt: skip


def _probe_extremes(d: bytes) -> Said:
    if d[:4] in {NOTHING[0][:4], NOTHING[1][:4]}:
        raise value_error("filler instead of temperatures")
    high, low = temperature_c(d[0]), temperature_c(d[2])
    return {}, {
        "temp_max_c": None if d[0] == 0xFF else d[0] - 40, "temp_max_no": d[1],
        "temp_min_c": None if d[2] == 0xFF else d[2] - 40, "temp_min_no": d[3],
        "temp_valid": high is not None and low is not None,
    }  # fmt: skip


def _switches(d: bytes) -> Said:
    if d in NOTHING or d[0] > 2:
        raise value_error("filler instead of switch states")
    reading: Reading = {
        "charge_fet_on": switch(d[1]),
        "discharge_fet_on": switch(d[2]),
        "remaining_ah": int.from_bytes(d[4:], "big") / 1000,
    }
    return reading, {"state": d[0], "heartbeat": d[3]}


def _status(d: bytes) -> Said:
    """0x94 without the cycles, whose place depends on the firmware: see `cycles`."""
    if not 1 <= d[0] <= CELLS_MAX or d[1] > PROBES_MAX:
        raise value_error(f"{d[0]} cells and {d[1]} probes")
    return {"cell_count": d[0]}, {
        "temp_count": d[1], "charger_connected": bool(d[2]), "load_connected": bool(d[3]),
        "dio_bits": d[4], "bytes5_7": list(d[5:]),
    }  # fmt: skip


def cycles(d: bytes, pads: set[int]) -> int | None:
    """The cycle count in 0x94. Older firmware has it at d5-d6 and leaves old bytes in d7, newer at d6-d7.

    pads: last bytes of the board's replies around this one; d7 is one of them on older firmware.
    Failing that: every captured older board has one probe, every captured newer one more.
    """
    older = d[7] in pads or d[1] == 1
    count = (d[5] << 8 | d[6]) if older else (d[6] << 8 | d[7])
    return None if count == 0xFFFF else count


def _balance(d: bytes) -> Said:
    if d[:6] == NOTHING[1][:6]:
        raise value_error("filler instead of balancing bits")
    bits = int.from_bytes(d[:6], "little")
    cells = [index + 1 for index in range(CELLS_MAX) if bits >> index & 1] if bits else []
    return {"balancing": bool(cells)}, {"balancing_cells": list(cells)}


def _faults(d: bytes) -> Said:
    if d[:7] == NOTHING[1][:7]:
        raise value_error("filler instead of faults")
    names = fault_names(d[:7])
    verdict = judge(names)
    reading: Reading = {"protections": verdict.protections, "warnings": verdict.warnings}
    return reading, {"alarms": list(names), "fault_code": d[7]}


def _poll_end(d: bytes) -> Said:
    return {}, {"d8_payload": d.hex()}


def _command_echo(d: bytes) -> Said:
    return {}, {"echo_on": bool(d[0])}


def _rated(d: bytes) -> Said:
    capacity_mah, cell_mv = _I2.unpack(d)
    if d in NOTHING:
        raise value_error("filler instead of ratings")
    return {"design_ah": capacity_mah / 1000 or None}, {"reference_cell_v": cell_mv / 1000}


def _boards(d: bytes) -> Said:
    return {}, {"boards": d[0], "cells_per_board": list(d[1:4]), "temps_per_board": list(d[4:7])}


def _throughput(d: bytes) -> Said:
    charge_ah, discharge_ah = _I2.unpack(d)
    return {}, {"cumulative_charge_ah": charge_ah, "cumulative_discharge_ah": discharge_ah}


def _product(d: bytes) -> Said:
    return {}, {"battery_type": d[1], "production": date(*d[2:5]), "sleep_raw": d[5] << 8 | d[6]}


def _firmware_index(d: bytes) -> Said:
    return {}, {"text": text(d)}


def _levels(first: str, second: str, steps: int) -> Callable[[bytes], Said]:
    """Four thresholds: level 1 and 2 of `first`, level 1 and 2 of `second`, `steps` to the volt."""
    names = [f"{stem}_{level}_v" for stem in (first, second) for level in ("l1", "l2")]

    def levels(d: bytes) -> Said:
        return {}, {name: raw / steps for name, raw in zip(names, _H4.unpack(d), strict=True)}

    return levels


def _current_limits(d: bytes) -> Said:
    """0x5B. Charge first, stored below the zero point, discharge above it; one pack has one negated."""
    raw: dict[str, Raw] = {}
    names = ("charge_limit_l1", "charge_limit_l2", "discharge_limit_l1", "discharge_limit_l2")
    for name, value in zip(names, _H4.unpack(d), strict=True):
        raw[f"{name}_raw"] = value
        raw[f"{name}_a"] = abs(value - CURRENT_ZERO) / 10
    return {}, raw


def _differences(d: bytes) -> Said:
    first, second = d[0] << 8 | d[1], d[2] << 8 | d[3]
    return {}, {
        "cell_diff_l1_v": first / 1000, "cell_diff_l2_v": second / 1000,
        "temp_diff_l1_c": d[4], "temp_diff_l2_c": d[5],
    }  # fmt: skip


def _balance_settings(d: bytes) -> Said:
    start_mv, diff_mv, *_ = _H4.unpack(d)
    return {}, {"balance_start_v": start_mv / 1000, "balance_diff_v": diff_mv / 1000}


def _short_circuit(d: bytes) -> Said:
    current_a, shunt_uohm, *_ = _H4.unpack(d)
    return {}, {"short_circuit_a": current_a, "shunt_mohm": shunt_uohm / 1000}


def _clock(d: bytes) -> Said:
    day = date(*d[:3])
    clock = f"{day}T{d[3]:02}:{d[4]:02}:{d[5]:02}" if day else None
    return {"soc_pct": (d[6] << 8 | d[7]) / 10}, {"datetime": clock}


SINGLE: Mapping[int, tuple[str, Callable[[bytes], Said]]] = {
    PACK: ("pack", _pack),
    EXTREMES: ("cell_extremes", _extremes),
    PROBE_EXTREMES: ("temperature_extremes", _probe_extremes),
    SWITCHES: ("switches", _switches),
    STATUS: ("status", _status),
    BALANCE: ("balancing", _balance),
    FAULTS: ("faults", _faults),
    0xD8: ("poll_end", _poll_end),
    0xD9: ("discharge_switch_written", _command_echo),
    0xDA: ("charge_switch_written", _command_echo),
    RATED: ("rated", _rated),
    0x51: ("boards", _boards),
    0x52: ("throughput", _throughput),
    0x53: ("product", _product),
    0x54: ("firmware_index", _firmware_index),
    CELL_LIMITS: ("cell_limits", _levels("cell_high", "cell_low", 1000)),
    PACK_LIMITS: ("pack_limits", _levels("pack_high", "pack_low", 10)),
    CURRENT_LIMITS: ("current_limits", _current_limits),
    0x5E: ("differences", _differences),
    0x5F: ("balance_settings", _balance_settings),
    0x60: ("short_circuit", _short_circuit),
    0x61: ("clock", _clock),
}
"""Commands that are answered in one frame: the message's name and what reads it."""

SEVERAL: Mapping[int, tuple[str, int]] = {
    CELLS: ("cell_voltages", 16),
    PROBES: ("temperatures", 3),
    BATTERY_CODE: ("battery_code", 5),
    SOFTWARE: ("software", 2),
    HARDWARE: ("hardware", 2),
}
"""Commands that are answered in several numbered frames: the message's name and the most frames."""

NAMES: Mapping[int, str] = {command: entry[0] for command, entry in (*SINGLE.items(), *SEVERAL.items())}
