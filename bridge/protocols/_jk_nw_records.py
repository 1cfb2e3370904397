"""The records inside JK's NW replies, both ways: bytes <-> named values, and values -> reading.

A record is an id and a fixed number of bytes, big-endian. The one idea: a reply is walked from id to id.
Values look like ids, so searching for an id finds wrong ones; at an id whose width is not known the walk
ends and the whole reply is dropped. The password (record B2) is never kept.

    current      0.01 A; with record C0 = 1: bit 15 says charging; without: 10000 - raw
    temperature  0..100 degC; above: 100 - raw

Sources: "Communication protocol between monitoring platform and BMS" in syssi/esphome-jk-bms docs (widths,
temperature rule) and components/jk_bms; ArminJo/JK-BMSToPylontechCAN (a cell that reads 0 is a failed
measurement); hoylabs/OpenDTU-OnBattery include/battery/jkbms (8C is the live state, AB and AC are switches).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bridge.model import Alarm, Reading
from bridge.protocols._jk_alarms import NW
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Raw

CELLS = 0x79
CELLS_MAX = 32
CELL_MAX_MV = 5000
SUM_TOLERANCE_V = 1.0
PROBE_MIN_C = -60  # a folded temperature below this is none
CHARGE_FET, DISCHARGE_FET, BALANCING = 1, 2, 4  # bits of 8C
BATTERY_UNDERTEMPERATURE = 1 << 9  # bit of 8B
CHARGING = 1 << 15


class Record(NamedTuple):
    """One id. kind: "u" unsigned, "i" signed, "?" switch, "c" temperature, "t" text, "T" text with gaps,
    "-" not kept.
    """

    size: int
    name: str
    kind: str = "u"
    divisor: int = 1


RECORDS: Mapping[int, Record] = {
    0x80: Record(2, "mosfet_temperature_c", "c"),
    0x81: Record(2, "box_c", "c"),
    0x82: Record(2, "battery_c", "c"),
    0x83: Record(2, "voltage_v", divisor=100),
    0x84: Record(2, "current"),
    0x85: Record(1, "soc_pct"),
    0x86: Record(1, "temp_sensor_count"),
    0x87: Record(2, "cycles"),
    0x89: Record(4, "cycle_ah"),
    0x8A: Record(2, "cell_count"),
    0x8B: Record(2, "alarm_bitmask"),
    0x8C: Record(2, "status_bits"),
    0x8E: Record(2, "pack_ovp_v", divisor=100),
    0x8F: Record(2, "pack_uvp_v", divisor=100),
    0x90: Record(2, "cell_ovp_v", divisor=1000),
    0x91: Record(2, "cell_ovpr_v", divisor=1000),
    0x92: Record(2, "cell_ovp_delay_s"),
    0x93: Record(2, "cell_uvp_v", divisor=1000),
    0x94: Record(2, "cell_uvpr_v", divisor=1000),
    0x95: Record(2, "cell_uvp_delay_s"),
    0x96: Record(2, "cell_delta_protect_v", divisor=1000),
    0x97: Record(2, "max_discharge_a"),
    0x98: Record(2, "discharge_ocp_delay_s"),
    0x99: Record(2, "max_charge_a"),
    0x9A: Record(2, "charge_ocp_delay_s"),
    0x9B: Record(2, "balance_start_v", divisor=1000),
    0x9C: Record(2, "balance_trigger_v", divisor=1000),
    0x9D: Record(1, "balance_enabled", "?"),
    0x9E: Record(2, "mos_otp_c"),
    0x9F: Record(2, "mos_otpr_c"),
    0xA0: Record(2, "box_otp_c"),
    0xA1: Record(2, "box_otpr_c"),
    0xA2: Record(2, "probe_delta_protect_c"),
    0xA3: Record(2, "charge_otp_c"),
    0xA4: Record(2, "discharge_otp_c"),
    0xA5: Record(2, "charge_utp_c", "i"),
    0xA6: Record(2, "charge_utpr_c", "i"),
    0xA7: Record(2, "discharge_utp_c", "i"),
    0xA8: Record(2, "discharge_utpr_c", "i"),
    0xA9: Record(1, "cell_count_setting"),
    0xAA: Record(4, "capacity_ah"),
    0xAB: Record(1, "charge_enabled", "?"),
    0xAC: Record(1, "discharge_enabled", "?"),
    0xAD: Record(2, "current_calibration_a", divisor=1000),
    0xAE: Record(1, "device_address"),
    0xAF: Record(1, "battery_type"),  # 0 LFP, 1 ternary, 2 LTO
    0xB0: Record(2, "sleep_wait_s"),
    0xB1: Record(1, "low_soc_alarm_pct"),
    0xB2: Record(10, "password", "-"),
    0xB3: Record(1, "dedicated_charger", "?"),
    0xB4: Record(8, "device_id", "t"),
    0xB5: Record(4, "manufacturing_date", "t"),
    0xB6: Record(4, "runtime_min"),
    0xB7: Record(15, "sw_version", "t"),
    0xB8: Record(1, "calibrating", "?"),
    0xB9: Record(4, "actual_capacity_ah"),
    0xBA: Record(24, "device_text", "T"),
    0xC0: Record(1, "protocol_version"),
}
_SIMULATED_SETTINGS: Mapping[str, Raw] = {
    "pack_ovp_v": 57.6, "pack_uvp_v": 40.0, "cell_ovp_v": 3.6, "cell_ovpr_v": 3.45, "cell_ovp_delay_s": 5,
    "cell_uvp_v": 2.5, "cell_uvpr_v": 2.8, "cell_uvp_delay_s": 5, "cell_delta_protect_v": 0.3,
    "max_discharge_a": 100, "discharge_ocp_delay_s": 300, "max_charge_a": 50, "charge_ocp_delay_s": 30,
    "balance_start_v": 3.3, "balance_trigger_v": 0.01, "balance_enabled": True, "mos_otp_c": 90,
    "mos_otpr_c": 70, "box_otp_c": 80, "box_otpr_c": 70, "probe_delta_protect_c": 20, "charge_otp_c": 60,
    "discharge_otp_c": 65, "charge_utp_c": 0, "charge_utpr_c": 5, "discharge_utp_c": -20,
    "discharge_utpr_c": -10,
    "current_calibration_a": 1.0, "device_address": 1, "sleep_wait_s": 10, "low_soc_alarm_pct": 20,
    "device_id": "Input Us", "manufacturing_date": "2306", "runtime_min": 1440,
    "sw_version": "11.XW_S11.26___", "device_text": "Input UserdaJK_B2A20S20P", "protocol_version": 1,
}  # fmt: skip
IN_READING = frozenset({
    "voltage_v", "current", "soc_pct", "cycles", "cell_count", "mosfet_temperature_c", "box_c", "battery_c",
})  # fmt: skip
_COMPLETE = frozenset({"voltage_v", "current", "soc_pct", "alarm_bitmask", "status_bits"})


def walk(records: bytes) -> tuple[dict[str, Raw], tuple[int, ...]]:
    values: dict[str, Raw] = {}
    cells_mv: tuple[int, ...] = ()
    at = 0
    while at < len(records):
        code = records[at]
        record = RECORDS.get(code)
        size = record.size if record else _cells_size(records, at)
        data = records[at + 1 : at + 1 + size]
        if len(data) < size:
            raise BadFrame(Drop.LENGTH, f"record {code:02X} is cut")
        if record is None:
            cells_mv = _cells(data)
        elif record.kind != "-":
            values[record.name] = _value(record, data)
        at += 1 + size
    return values, cells_mv


def _cells_size(records: bytes, at: int) -> int:
    if records[at] != CELLS:
        raise BadFrame(Drop.UNKNOWN, f"record {records[at]:02X}")
    return 1 + records[at + 1] if at + 1 < len(records) else 1


def _cells(data: bytes) -> tuple[int, ...]:
    """Cell voltages, mV. data: count byte, then (number, 2 bytes) a cell, numbered from 1."""
    numbers, count = data[1::3], data[0] // 3
    if data[0] % 3 or not 0 < count <= CELLS_MAX or numbers != bytes(range(1, count + 1)):
        raise BadFrame(Drop.VALUE, f"{data[0]} bytes of cells, numbered {numbers.hex()}")
    return tuple([int.from_bytes(data[at : at + 2], "big") for at in range(2, len(data), 3)])


def _value(record: Record, data: bytes) -> Raw:
    if record.kind in "tT":
        text = data.split(b"\0", 1)[0] if record.kind == "t" else data.replace(b"\0", b" ")
        return text.decode("ascii", "replace").strip("_ ")
    number = int.from_bytes(data, "big", signed=record.kind == "i")
    if record.kind == "?":
        return bool(number)
    if record.kind == "c":
        celsius = number if number <= 100 else 100 - number
        return celsius if celsius >= PROBE_MIN_C else None
    return number if record.divisor == 1 else number / record.divisor


def check_plausible(values: Mapping[str, Raw], cells_mv: tuple[int, ...]) -> None:
    soc_pct, voltage_v, count = values.get("soc_pct"), values.get("voltage_v"), values.get("cell_count")
    if isinstance(soc_pct, int) and soc_pct > 100:
        raise BadFrame(Drop.VALUE, f"SOC {soc_pct} %")
    if not cells_mv:
        return
    if isinstance(count, int) and count != len(cells_mv):
        raise BadFrame(Drop.VALUE, f"{len(cells_mv)} cells, counted {count}")
    good = [mv for mv in cells_mv if 0 < mv <= CELL_MAX_MV]
    least_v, most_v = sum(good) / 1000, (sum(good) + (len(cells_mv) - len(good)) * CELL_MAX_MV) / 1000
    if (
        isinstance(voltage_v, float)
        and not least_v - SUM_TOLERANCE_V <= voltage_v <= most_v + SUM_TOLERANCE_V
    ):
        raise BadFrame(Drop.VALUE, f"{len(good)} cells sum to {least_v} V, pack {voltage_v} V")


def reading_of(values: Mapping[str, Raw], cells_mv: tuple[int, ...]) -> Reading:
    """What the records say of the pack; of single records only what needs no other one."""
    reading: Reading = {}
    if (voltage_v := values.get("voltage_v")) is not None:
        reading["voltage_v"] = _float(voltage_v)
    if (soc_pct := values.get("soc_pct")) is not None:
        reading["soc_pct"] = _int(soc_pct)
    if (cycles := values.get("cycles")) is not None:
        reading["cycles"] = _int(cycles)
    if (design_ah := values.get("capacity_ah")) is not None:
        reading["design_ah"] = _float(design_ah)
    if full_ah := values.get("actual_capacity_ah"):  # older firmware leaves it 0
        reading["full_ah"] = _float(full_ah)
    if "mosfet_temperature_c" in values:
        reading["mosfet_temperature_c"] = _float(values["mosfet_temperature_c"])
    if "box_c" in values and "battery_c" in values:
        probes = (_float(values["box_c"]), _float(values["battery_c"]))
        fitted = values.get("temp_sensor_count", 2)
        reading["temperatures_c"] = tuple(
            [celsius if isinstance(fitted, int) and n < fitted else None for n, celsius in enumerate(probes)]
        )
    if cells_mv:
        reading["cell_count"] = len(cells_mv)
        reading["cell_voltages_v"] = tuple([mv / 1000 if 0 < mv <= CELL_MAX_MV else None for mv in cells_mv])
    if is_complete(values, cells_mv):
        _add_state(reading, values)
    return reading


def is_complete(values: Mapping[str, Raw], cells_mv: tuple[int, ...]) -> bool:
    """Whether these are the records of a reply to "read all", not of one to a single id."""
    return bool(cells_mv) and values.keys() >= _COMPLETE


def _add_state(reading: Reading, values: Mapping[str, Raw]) -> None:
    current, alarms, state = (_int(values[name]) or 0 for name in ("current", "alarm_bitmask", "status_bits"))
    verdict = NW.judge(alarms)
    charge_on, discharge_on = bool(state & CHARGE_FET), bool(state & DISCHARGE_FET)
    switches = values.get("charge_enabled"), values.get("discharge_enabled")
    reading["current_a"] = _current_a(current, values.get("protocol_version"))
    reading["charge_fet_on"], reading["discharge_fet_on"] = charge_on, discharge_on
    reading["balancing"] = bool(state & BALANCING)
    reading["charge_allowed"] = _all(charge_on, verdict.charge_allowed, switches[0])
    reading["discharge_allowed"] = _all(
        discharge_on, verdict.discharge_allowed, switches[1], not _too_cold_to_discharge(alarms, values)
    )
    reading["protections"] = verdict.protections
    reading["warnings"] = verdict.warnings


def _current_a(raw: int, protocol_version: Raw) -> float:
    if protocol_version == 1:
        return raw / -100 if raw < CHARGING else (raw - CHARGING) / 100
    return (10000 - raw) / 100


def _too_cold_to_discharge(alarms: int, values: Mapping[str, Raw]) -> bool:
    """The cold alarm names no direction: whether the battery is below its limit for discharging, too."""
    if not alarms & BATTERY_UNDERTEMPERATURE:
        return False
    battery_c, limit_c = values.get("battery_c"), values.get("discharge_utp_c")
    return not (isinstance(battery_c, int) and isinstance(limit_c, int) and battery_c > limit_c)


def _all(*conditions: Raw) -> bool | None:
    if False in conditions:
        return False
    return None if None in conditions else True


def _float(value: Raw) -> float | None:
    return value if isinstance(value, int | float) else None


def _int(value: Raw) -> int | None:
    return value if isinstance(value, int) else None


def write_records(values: Mapping[str, Raw], cells_mv: tuple[int, ...]) -> bytes:
    """A reply's records in the order of the wire. Names that are missing read 0."""
    cells = b"".join(bytes((n,)) + mv.to_bytes(2, "big") for n, mv in enumerate(cells_mv, 1))
    records = [bytes((CELLS, len(cells))) + cells]
    records += [bytes((code,)) + _bytes(record, values.get(record.name)) for code, record in RECORDS.items()]
    return b"".join(records)


def _bytes(record: Record, value: Raw) -> bytes:
    if record.kind in "tT-":
        return str(value or "").encode("ascii", "replace")[: record.size].ljust(record.size, b"\0")
    number = round(value * record.divisor) if isinstance(value, int | float) else 0
    if record.kind == "c" and number < 0:
        number = 100 - number
    return number.to_bytes(record.size, "big", signed=record.kind == "i")


def simulated(reading: Reading) -> dict[str, Raw]:
    """The named values of a board in this state."""
    current = round((reading.get("current_a") or 0.0) * 100)
    probes = [*reading.get("temperatures_c", ()), None, None]
    locked = Alarm.FET_LOCKED in reading.get("warnings", ())
    charge_on, discharge_on = (
        reading.get(name) is not False for name in ("charge_fet_on", "discharge_fet_on")
    )
    state = (
        (CHARGE_FET * charge_on)
        | (DISCHARGE_FET * discharge_on)
        | (BALANCING * bool(reading.get("balancing")))
    )
    return {
        **_SIMULATED_SETTINGS,
        "mosfet_temperature_c": reading.get("mosfet_temperature_c"),
        "box_c": probes[0], "battery_c": probes[1],
        "temp_sensor_count": len(reading.get("temperatures_c", ())),
        "voltage_v": reading.get("voltage_v"), "current": CHARGING + current if current > 0 else -current,
        "soc_pct": reading.get("soc_pct"), "cycles": reading.get("cycles"),
        "cell_count": len(reading.get("cell_voltages_v", ())),
        "cell_count_setting": len(reading.get("cell_voltages_v", ())),
        "alarm_bitmask": NW.word_of(reading.get("protections", ()), reading.get("warnings", ())),
        "status_bits": state, "capacity_ah": reading.get("design_ah") or reading.get("full_ah"),
        "charge_enabled": charge_on or not locked, "discharge_enabled": discharge_on or not locked,
    }  # fmt: skip


def simulated_cells(reading: Reading) -> tuple[int, ...]:
    """Cell voltages, mV; a cell that cannot be read is 0."""
    return tuple([round((volt or 0.0) * 1000) for volt in reading.get("cell_voltages_v", ())])
