"""The registers of Daly's D2 dialect, both ways: where what is read, and what a simulated board holds.

    0x00 .. 0x56  telemetry     0x80 .. 0xA8  settings     0xA9 .. 0xC8  versions

One idea: the table is the documentation. Faults are the bytes of the classic protocol, the low byte of a
register first.

Sources: dalyModbusProtocol.xlsx, Modbus protocol.xlsx and docs/pdus of syssi/esphome-daly-bms,
patman15/aiobmsble tests/bms/test_daly_bms.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import Reading
from bridge.protocols._daly import CURRENT_ZERO, date, switch, temperature_c, text
from bridge.protocols._daly_device import (
    CELL_LEVELS_V,
    CELL_NOMINAL_V,
    HARDWARE_TEXT,
    SOFTWARE_TEXT,
    current_limits,
    current_raw,
    power_raw,
    remaining_ah,
    state_of,
    temperature_raw,
    u16,
)
from bridge.protocols._daly_faults import fault_bytes, fault_names
from bridge.protocols._daly_layout import (
    Block,
    Field,
    Layout,
    Read,
    capacity_ah,
    count,
    flag,
    limits,
    number,
    per,
    percent,
    small_current_a,
    threshold_c,
)
from bridge.protocols._daly_simulated import text_registers

STATUS_80, STATUS_62 = Read(0x00, 80, "status"), Read(0x00, 62, "status")
MOSFET = Read(0x3E, 9, "mosfet")
SETTINGS = Read(0x80, 41, "settings")
VERSIONS = Read(0xA9, 32, "versions")
READS = (STATUS_80, STATUS_62, MOSFET, SETTINGS, VERSIONS)
"""Everything that a session ever asks for."""


def _level_fields(register: int, stems: Sequence[str], steps: int) -> list[Field]:
    """Voltage thresholds: level 1 and level 2 of each stem, one behind the other."""
    keys = [f"{stem}_{level}_v" for stem in stems for level in ("l1", "l2")]
    return [Field(register + index, key, per(steps)) for index, key in enumerate(keys)]


def _temperature_fields(register: int) -> list[Field]:
    stems = ("charge_temp_high", "charge_temp_low", "discharge_temp_high", "discharge_temp_low")
    keys = [f"{stem}_{level}_c" for stem in stems for level in ("l1", "l2")]
    return [Field(register + index, key, threshold_c) for index, key in enumerate(keys)]


def _faults(words: Sequence[int]) -> list[str]:
    """The low byte of a register is the earlier fault byte."""
    return fault_names(b"".join(word.to_bytes(2, "little") for word in words)[:7])


LAYOUT = Layout(
    names={(read.start, read.count): read.name for read in READS}
    | {(0xC9, 3): "password", (0xCC, 2): "production", (0xCF, 1): "balancer_switch"},
    telemetry=range(0x80),
    cells=range(0x20),
    probes=range(0x20, 0x28),
    voltage=0x28,
    current=0x29,
    cell_count=0x31,
    probe_count=0x32,
    state=0x2F,
    balance_map=range(0x3E, 0x40),
    faults=range(0x3A, 0x3E),
    fault_names=_faults,
    fields=(
        Field(0x28, "voltage_v", per(10)),
        Field(0x2A, "soc_pct", percent),
        Field(0x2B, "cell_max_v", per(1000)),
        Field(0x2C, "cell_min_v", per(1000)),
        Field(0x2D, "temp_max_c", temperature_c),
        Field(0x2E, "temp_min_c", temperature_c),
        Field(0x2F, "state", number),
        Field(0x30, "remaining_ah", per(10)),
        Field(0x31, "cell_count", number),
        Field(0x32, "temp_count", number),
        Field(0x33, "cycles", count),
        Field(0x34, "balancing", flag),
        Field(0x35, "charge_fet_on", switch),
        Field(0x36, "discharge_fet_on", switch),
        Field(0x37, "cell_avg_v", per(1000)),
        Field(0x38, "cell_delta_v", per(1000)),
        Field(0x39, "power_w", number),
        Field(0x3D, "fault_code", lambda word: word >> 8),
        Field(0x40, "balance_current_a", small_current_a),
        Field(0x42, "mos_temp_raw", number),
        Field(0x42, "mosfet_temperature_c", temperature_c),
        Field(0x43, "board_temp_c", temperature_c),
        Field(0x80, "design_ah", capacity_ah),
        Field(0x81, "reference_cell_v", per(1000)),
        Field(0x82, "boards", number),
        *(Field(0x83 + n, f"cells_board{n + 1}", number) for n in range(3)),
        *(Field(0x86 + n, f"temps_board{n + 1}_raw", number) for n in range(3)),
        Field(0x89, "battery_type", number),
        Field(0x8A, "sleep_raw", number),
        *_level_fields(0x8B, ("cell_high", "cell_low"), 1000),
        *_level_fields(0x8F, ("pack_high", "pack_low"), 10),
        *limits(0x93, "charge", {"l1": 0, "l2": 1}),
        *limits(0x95, "discharge", {"l1": 0, "l2": 1}),
        *_temperature_fields(0x97),
        Field(0x9F, "cell_diff_l1_v", per(1000)),
        Field(0xA0, "cell_diff_l2_v", per(1000)),
        Field(0xA1, "temp_diff_l1_c", number),
        Field(0xA2, "temp_diff_l2_c", number),
        Field(0xA3, "balance_start_v", per(1000)),
        Field(0xA4, "balance_diff_v", per(1000)),
        Field(0xA5, "charge_mos_switch", switch),
        Field(0xA6, "discharge_mos_switch", switch),
        Field(0xA7, "soc_setting_pct", percent),
        Field(0xA8, "mos_temp_alarm_raw", number),  # 87 on every capture: not with the offset of 40
        Field(0xCF, "balancer_switch", flag),
    ),
    blocks=(
        Block(0xA9, 8, "sw_version", text),
        # Older boards leave the hardware's place empty and put it where others have the machine code.
        Block(0xB1, 24, "hw_version", lambda data: text(data[:16]) or text(data[16:])),
        Block(0xB1, 24, "machine_code", lambda data: text(data[16:]) if text(data[:16]) else ""),
        Block(0xC9, 3, "password_text", text),
        Block(0xCC, 2, "production", lambda data: date(*data[:3])),
    ),
)


def image(reading: Reading, sign: int) -> dict[int, bytes]:
    """The registers of a board in this state, for simulators. sign: which way it counts current."""
    cells, probes = reading.get("cell_voltages_v", ()), reading.get("temperatures_c", ())
    faults = fault_bytes(reading) + b"\0"
    known_v = [value for value in cells if value is not None] or [0.0]
    image = {
        **{index: u16(1000 * (value or 0.0)) for index, value in enumerate(cells)},
        **{0x20 + index: u16(temperature_raw(value) or 0xFF) for index, value in enumerate(probes)},
        0x28: u16(10 * (reading.get("voltage_v") or 0.0)),
        0x29: u16(current_raw(reading.get("current_a"), sign)),
        0x2A: u16(10 * (reading.get("soc_pct") or 0.0)),
        0x2B: u16(1000 * max(known_v)),
        0x2C: u16(1000 * min(known_v)),
        0x2F: u16(state_of(reading.get("current_a"))),
        0x30: u16(10 * remaining_ah(reading)),
        0x31: u16(len(cells)),
        0x32: u16(len(probes)),
        0x33: u16(reading.get("cycles") or 0),
        0x34: u16(bool(reading.get("balancing"))),
        0x35: u16(bool(reading.get("charge_fet_on"))),
        0x36: u16(bool(reading.get("discharge_fet_on"))),
        0x37: u16(1000 * sum(known_v) / len(known_v)),
        0x38: u16(1000 * (max(known_v) - min(known_v))),
        0x39: u16(power_raw(reading)),
        **{0x3A + n: bytes((faults[2 * n + 1], faults[2 * n])) for n in range(4)},
        0x40: u16(CURRENT_ZERO),
        0x42: u16(temperature_raw(reading.get("mosfet_temperature_c")) or 0xFF),
    }
    return (
        image | _settings(reading) | text_registers(0xA9, SOFTWARE_TEXT) | text_registers(0xB1, HARDWARE_TEXT)
    )


def _settings(reading: Reading) -> dict[int, bytes]:
    cells = len(reading.get("cell_voltages_v", ()))
    return {
        0x80: u16(10 * (reading.get("design_ah") or reading.get("full_ah") or 0.0)),
        0x81: u16(1000 * CELL_NOMINAL_V),
        0x82: u16(1),
        0x83: u16(cells),
        0x86: u16(len(reading.get("temperatures_c", ()))),
        0x8A: u16(3600),
        **{0x8B + n: u16(1000 * level_v) for n, level_v in enumerate(CELL_LEVELS_V)},
        **{0x8F + n: u16(10 * cells * level_v) for n, level_v in enumerate(CELL_LEVELS_V)},
        **{0x93 + n: raw for n, raw in enumerate(current_limits(reading))},
        **{0x97 + n: u16(40 + level_c) for n, level_c in enumerate((55, 60, 2, 0, 60, 65, -15, -20))},
        0xA5: u16(bool(reading.get("charge_fet_on"))),
        0xA6: u16(bool(reading.get("discharge_fet_on"))),
        0xA7: u16(10 * (reading.get("soc_pct") or 0.0)),
        0xA8: u16(87),
    }
