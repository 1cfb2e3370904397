"""JK's CAN frames, one by one: identifier and data -> message.

    0x2F4  every 20 ms   u16 0.1 V · u16 0.1 A + 4000 · u8 SOC % · from byte 6 (version 1) u16 hours
    0x4F4  100 ms        u16 mV · u8 number · u16 mV · u8 number: two cells, mostly the highest first
    0x5F4  500 ms        degC + 50 and number of the hottest, of the coldest probe; mean
    0x7F4  100 ms        alarm levels, 2 bits each, only while there are any
    0x18F128F4  100 ms   remaining, full, cycled 0.1 Ah · cycles, u16 each
    0x18F228F4  500 ms   mask of probes, 5 x degC + 50, FF none; the third is the MOSFETs'
    0x18F328F4  100 ms   fault bits as in the 300-byte frames
    0x18F428F4  500 ms   u32 run time s · u16 heater mA · u8 SOH %
    0x18F528F4  500 ms   bits: charge, discharge MOSFET, balancing, heating, charger, ACC
    0x18E028F4 .. E6     1 s, 4 cells each, u16 mV, 0 not fitted
    0x1806E5F4  500 ms   charge request: u16 0.1 V · u16 0.1 A · u8 0 on · u8 0 charge, 1 heat; big-endian

Little-endian but for the last. A board with address n sends every identifier n higher.

The one idea: every frame stands alone and becomes one message; only cells, of which a frame holds four,
are shown together with those of the frames before them.

Sources: JK's "BMS-CAN" texts V1 and V2.1 in phinix-org/Multiple-JK-BMS-by-Modbus-RS485 docs;
ai-republic/bms-to-inverter issue #99 (captured 0x4F4 with the lower cell first);
mr-manuel/venus-os_dbus-serialbattery bms/jkbms_can.py and issue #288 (addresses).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols._jk_alarms import JK02, AlarmWord, Flag
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Message, Raw

BATTERY, EXTREMES, PROBES, ALARMS = 0x2F4, 0x4F4, 0x5F4, 0x7F4
CAPACITY, TEMPERATURES, FAULTS = 0x18F128F4, 0x18F228F4, 0x18F328F4
INFO, SWITCHES, CHARGE_REQUEST = 0x18F428F4, 0x18F528F4, 0x1806E5F4
CELLS, CELL_FRAMES = 0x18E028F4, 7
ADDRESSES = 16
CELL_MAX_MV = 5000
CURRENT_ZERO = 4000  # 0.1 A
CURRENT_MAX = 20_000  # 0.1 A either way; the largest board carries 1000 A
VOLTAGE_MAX = 1600  # 0.1 V; more than 25 cells of any chemistry
ABSENT = 0xFF

LEVELS = AlarmWord((
    Flag("cell_overvoltage", (Alarm.CELL_OVERVOLTAGE,), stops_charge=True),
    Flag("cell_undervoltage", (Alarm.CELL_UNDERVOLTAGE,), stops_discharge=True),
    Flag("pack_overvoltage", (Alarm.PACK_OVERVOLTAGE,), stops_charge=True),
    Flag("pack_undervoltage", (Alarm.PACK_UNDERVOLTAGE,), stops_discharge=True),
    Flag("cell_difference", (Alarm.CELL_IMBALANCE,), protects=False),
    Flag("discharge_overcurrent", (Alarm.DISCHARGE_OVERCURRENT,), stops_discharge=True),
    Flag("charge_overcurrent", (Alarm.CHARGE_OVERCURRENT,), stops_charge=True),
    Flag("overtemperature", (Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE),
         stops_charge=True, stops_discharge=True),
    Flag("undertemperature", (Alarm.CHARGE_UNDERTEMPERATURE,), stops_charge=True),
    Flag("temperature_difference", (Alarm.TEMPERATURE_IMBALANCE,), protects=False),
    Flag("soc_low", (Alarm.SOC_LOW,), protects=False),
    Flag("insulation", (Alarm.OTHER,), stops_charge=True, stops_discharge=True),
    Flag("interlock", (Alarm.OTHER,), stops_charge=True, stops_discharge=True),
    Flag("external_communication", (Alarm.BMS_FAULT,), protects=False),
    Flag("internal_communication", (Alarm.BMS_FAULT,), stops_charge=True, stops_discharge=True),
    Flag("reserved", (Alarm.OTHER,), protects=False),
))  # fmt: skip
GENERAL = 3  # level 1 is serious, 2 important

Decoded = tuple[str, Reading, dict[str, Raw]]


def base_of(frame: CanFrame) -> tuple[int, int]:
    """The identifier without address, and the address; cells count as their first frame.

    Raises BadFrame for an identifier that is not JK's.
    """
    for base in _DECODERS:
        if base <= frame.can_id < base + ADDRESSES and frame.extended == (base > 0x7FF):
            return base, frame.can_id - base
    for index in range(CELL_FRAMES):
        base = CELLS + (index << 16)
        if frame.extended and base <= frame.can_id < base + ADDRESSES:
            return CELLS, frame.can_id - base
    raise BadFrame(Drop.UNKNOWN, f"identifier {frame.can_id:X}")


def decode(base: int, address: int, data: bytes) -> Message:
    """Any frame but those of cells. Raises BadFrame if it is too short or cannot be true."""
    needed, decoder = _DECODERS[base]
    if len(data) < needed:
        raise BadFrame(Drop.LENGTH, f"{len(data)} bytes")
    name, reading, raw = decoder(data)
    return Message(name, reading, raw | {"device_address": address}, address)


def forbids(message: Message) -> tuple[bool, bool]:
    """Whether a message of faults or alarms forbids to charge, to discharge."""
    word, levels = message.raw.get("fault_bitmask"), message.raw.get("alarm_levels")
    if isinstance(word, int):
        verdict = JK02.judge(word)
    elif isinstance(levels, Mapping):
        serious = (n for n, flag in enumerate(LEVELS.flags) if levels.get(flag.name, GENERAL) != GENERAL)
        verdict = LEVELS.judge(sum(1 << n for n in serious))
    else:
        return False, False
    return not verdict.charge_allowed, not verdict.discharge_allowed


def cells_message(address: int, first_cell: int, cells_mv: list[int]) -> Message:
    """Cells that came in frames behind each other. first_cell counts from 1."""
    volts = tuple([mv / 1000 if 0 < mv <= CELL_MAX_MV else None for mv in cells_mv])
    raw: dict[str, Raw] = {"first_cell": first_cell, "device_address": address}
    return Message("cells", {"cell_voltages_v": volts}, raw, address)


def _battery(data: bytes) -> Decoded:
    tenths_v, current, soc_pct = struct.unpack_from("<HHB", data)
    if soc_pct > 100 or tenths_v > VOLTAGE_MAX or abs(current - CURRENT_ZERO) > CURRENT_MAX:
        raise BadFrame(Drop.VALUE, f"SOC {soc_pct} %, {tenths_v / 10} V, current {current}")
    raw: dict[str, Raw] = {"raw_current_field": current}
    if hours := int.from_bytes(data[6:8], "little"):
        raw["discharge_hours"] = hours
    return "battery", {"voltage_v": tenths_v / 10, "soc_pct": soc_pct}, raw


def _extremes(data: bytes) -> Decoded:
    first_mv, first, second_mv, second = struct.unpack_from("<HBHB", data)
    (min_mv, min_number), (max_mv, max_number) = sorted(((first_mv, first), (second_mv, second)))
    if not 0 < max_mv <= CELL_MAX_MV:
        raise BadFrame(Drop.VALUE, f"cell {max_number} at {max_mv} mV")
    return "cell_extremes", {}, {
        "max_cell_v": max_mv / 1000, "max_cell_number": max_number,
        "min_cell_v": min_mv / 1000, "min_cell_number": min_number,
        "first_pair_v": first_mv / 1000, "first_pair_number": first,
        "second_pair_v": second_mv / 1000, "second_pair_number": second,
    }  # fmt: skip


def _probes(data: bytes) -> Decoded:
    return "cell_temperatures", {}, {
        "max_temp_c": data[0] - 50, "max_temp_number": data[1],
        "min_temp_c": data[2] - 50, "min_temp_number": data[3], "avg_temp_c": data[4] - 50,
    }  # fmt: skip


def _alarms(data: bytes) -> Decoded:
    pairs = int.from_bytes(data[:4], "little")
    levels = [pairs >> 2 * n & 3 for n in range(len(LEVELS.flags))]
    serious = LEVELS.judge(sum(1 << n for n, level in enumerate(levels) if level and level != GENERAL))
    general = LEVELS.judge(sum(1 << n for n, level in enumerate(levels) if level == GENERAL))
    names = (flag.name for flag in LEVELS.flags)
    return (
        "alarms",
        {
            "protections": serious.protections,
            "warnings": serious.warnings | general.protections | general.warnings,
        },
        {"alarm_levels": {name: level for name, level in zip(names, levels, strict=True) if level}},
    )


def _capacity(data: bytes) -> Decoded:
    remaining, full, cycled, cycles = struct.unpack_from("<HHHH", data)
    reading: Reading = {"remaining_ah": remaining / 10, "full_ah": full / 10, "cycles": cycles}
    return "capacity", reading, {"cycle_ah": cycled / 10}


def _temperatures(data: bytes) -> Decoded:
    values = tuple([None if byte == ABSENT else float(byte - 50) for byte in data[1:6]])
    reading: Reading = {"temperatures_c": values, "mosfet_temperature_c": values[2]}
    return "temperatures", reading, {"temp_mask": data[0]}


def _faults(data: bytes) -> Decoded:
    word = int.from_bytes(data[:4], "little")
    verdict = JK02.judge(word)
    reading: Reading = {"protections": verdict.protections, "warnings": verdict.warnings}
    return "faults", reading, {"fault_bitmask": word, "faults": verdict.names}


def _info(data: bytes) -> Decoded:
    runtime_s, heater_ma, soh_pct = struct.unpack_from("<IHB", data)
    if soh_pct > 100:
        raise BadFrame(Drop.VALUE, f"SOH {soh_pct} %")
    return "info", {"soh_pct": soh_pct}, {"runtime_s": runtime_s, "heater_current_a": heater_ma / 1000}


def _switches(data: bytes) -> Decoded:
    bits = data[0]
    reading: Reading = {
        "charge_fet_on": bool(bits & 1),
        "discharge_fet_on": bool(bits & 2),
        "balancing": bool(bits & 4),
    }
    raw = {"heating": bool(bits & 8), "charger_plugged": bool(bits & 16), "acc": bool(bits & 32)}
    return "switches", reading, dict(raw)


def _charge_request(data: bytes) -> Decoded:
    tenths_v, tenths_a = struct.unpack_from(">HH", data)
    return "charge_request", {}, {
        "requested_voltage_v": tenths_v / 10, "requested_current_a": tenths_a / 10,
        "charger_on": data[4] == 0, "heating_mode": data[5] == 1,
    }  # fmt: skip


_DECODERS: Mapping[int, tuple[int, Callable[[bytes], Decoded]]] = {
    BATTERY: (5, _battery),
    EXTREMES: (6, _extremes),
    PROBES: (5, _probes),
    ALARMS: (4, _alarms),
    CAPACITY: (8, _capacity),
    TEMPERATURES: (6, _temperatures),
    FAULTS: (4, _faults),
    INFO: (7, _info),
    SWITCHES: (1, _switches),
    CHARGE_REQUEST: (6, _charge_request),
}


def encode(reading: Reading, address: int, base: int) -> list[CanFrame]:
    """What a board in this state sends under `base`; nothing for alarms when there are none."""
    if base == CELLS:
        cells_mv = [round((volt or 0.0) * 1000) for volt in reading.get("cell_voltages_v", ())]
        groups = [(cells_mv[at : at + 4] + [0] * 4)[:4] for at in range(0, len(cells_mv), 4)]
        return [
            CanFrame(CELLS + (index << 16) + address, struct.pack("<4H", *group), extended=True)
            for index, group in enumerate(groups)
        ]
    data = _ENCODERS[base](reading)
    return [CanFrame(base + address, data.ljust(8, b"\0"), extended=base > 0x7FF)] if data else []


def _tenths(value: float | None) -> int:
    return round((value or 0.0) * 10)


def _shifted(celsius: float | None) -> int:
    return ABSENT if celsius is None else min(254, max(0, round(celsius) + 50))


def _battery_data(reading: Reading) -> bytes:
    current = CURRENT_ZERO + _tenths(reading.get("current_a"))
    return struct.pack("<HHB", _tenths(reading.get("voltage_v")), current, round(reading.get("soc_pct") or 0))


def _extremes_data(reading: Reading) -> bytes:
    cells = [(round((volt or 0.0) * 1000), n) for n, volt in enumerate(reading.get("cell_voltages_v", ()), 1)]
    return struct.pack("<HBHB", *max(cells), *min(cells)) if cells else b""


def _probes_data(reading: Reading) -> bytes:
    probes = [(_shifted(c), n) for n, c in enumerate(reading.get("temperatures_c", ()), 1) if c is not None]
    mean = sum(value for value, _ in probes) // len(probes) if probes else 0
    return bytes((*max(probes), *min(probes), mean)) if probes else b""


def _alarms_data(reading: Reading) -> bytes:
    serious = LEVELS.word_of(reading.get("protections", ()), ())
    general = LEVELS.word_of((), reading.get("warnings", ())) & ~serious
    levels = [1 * (serious >> n & 1) or GENERAL * (general >> n & 1) for n in range(len(LEVELS.flags))]
    pairs = sum(level << 2 * n for n, level in enumerate(levels))
    return pairs.to_bytes(4, "little") if pairs else b""


def _capacity_data(reading: Reading) -> bytes:
    remaining, full = _tenths(reading.get("remaining_ah")), _tenths(reading.get("full_ah"))
    return struct.pack("<HHHH", remaining, full, 0, reading.get("cycles") or 0)


def _temperatures_data(reading: Reading) -> bytes:
    probes = [*reading.get("temperatures_c", ()), None, None, None, None][:4]
    probes.insert(2, reading.get("mosfet_temperature_c"))
    values = [_shifted(celsius) for celsius in probes]
    return bytes((sum(1 << n for n, value in enumerate(values) if value != ABSENT), *values))


def _faults_data(reading: Reading) -> bytes:
    return JK02.word_of(reading.get("protections", ()), reading.get("warnings", ())).to_bytes(4, "little")


def _switches_data(reading: Reading) -> bytes:
    names = ("charge_fet_on", "discharge_fet_on", "balancing")
    return bytes((sum(1 << n for n, name in enumerate(names) if reading.get(name)),))


_ENCODERS: Mapping[int, Callable[[Reading], bytes]] = {
    BATTERY: _battery_data,
    EXTREMES: _extremes_data,
    PROBES: _probes_data,
    ALARMS: _alarms_data,
    CAPACITY: _capacity_data,
    TEMPERATURES: _temperatures_data,
    FAULTS: _faults_data,
    INFO: lambda reading: struct.pack("<IHB", 86400, 0, round(reading.get("soh_pct") or 0)),
    SWITCHES: _switches_data,
}
