"""How inverters poll their battery by Modbus, and what they make of the answers; for simulators.

Written from the documents by addresses of their own, so that they can judge the register maps. Where no
document says what an inverter looks at, these read what the map's document explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.model import Alarm
from bridge.protocols.contract import Raw

Look = Callable[[Sequence[int]], Raw]
"""What is read in a block of words that begins at its first register."""


@dataclass(frozen=True, slots=True)
class Read:
    """Registers that are read at once, and what is made of them; by their addresses. address: the slave
    that is asked, where it is another one.
    """

    start: int
    count: int
    looks: Mapping[str, tuple[int, Look]] = field(default_factory=dict)
    function: int = 3
    address: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Values that are written; each time the next row of them."""

    start: int
    rows: tuple[tuple[int, ...], ...]
    function: int = 16
    address: int | None = None


Step = Read | Write


def unsigned(at: int, step: float = 1.0) -> tuple[int, Look]:
    """One word."""
    return at, lambda words: _rounded(words[0] * step)


def signed(at: int, step: float = 1.0, absent: int | None = None) -> tuple[int, Look]:
    """One word in two's complement; `absent` stands for nothing."""

    def look(words: Sequence[int]) -> Raw:
        raw = words[0] - 0x10000 if words[0] > 0x7FFF else words[0]
        return None if raw == absent else _rounded(raw * step)

    return at, look


def kelvin(at: int) -> tuple[int, Look]:
    """Tenths of a kelvin as degrees Celsius, as these devices count."""
    return at, lambda words: _rounded((words[0] - 2731) / 10)


def long(at: int, step: float, *, low_first: bool = False) -> tuple[int, Look]:
    """Two words."""

    def look(words: Sequence[int]) -> Raw:
        high, low = (words[1], words[0]) if low_first else (words[0], words[1])
        return _rounded((high * 0x10000 + low) * step)

    return at, look


def cells(at: int, count: int, step: float = 0.001) -> tuple[int, Look]:
    """One word a cell; those that are not there are 0."""
    return at, lambda words: [_rounded(word * step) for word in words[:count] if word]


def bit(at: int, number: int) -> tuple[int, Look]:
    """One bit that says yes."""
    return at, lambda words: bool(words[0] & 1 << number)


def no_bit(at: int, number: int) -> tuple[int, Look]:
    """One bit that says no."""
    return at, lambda words: not words[0] & 1 << number


def alarms(at: int, *bits: Iterable[Alarm]) -> tuple[int, Look]:
    """A word of alarms, from its lowest bit on."""

    def look(words: Sequence[int]) -> Raw:
        found = {
            alarm.value for number, names in enumerate(bits) if words[0] >> number & 1 for alarm in names
        }
        return sorted(found)

    return at, look


def _rounded(value: float) -> float:
    return round(value, 6)


_GROWATT_ERRORS = (
    [Alarm.DISCHARGE_OVERCURRENT], [Alarm.SHORT_CIRCUIT], [Alarm.CELL_OVERVOLTAGE, Alarm.PACK_OVERVOLTAGE],
    [Alarm.CELL_UNDERVOLTAGE, Alarm.PACK_UNDERVOLTAGE], [Alarm.DISCHARGE_OVERTEMPERATURE],
    [Alarm.CHARGE_OVERTEMPERATURE],
    [Alarm.DISCHARGE_UNDERTEMPERATURE], [Alarm.CHARGE_UNDERTEMPERATURE], [Alarm.PRECHARGE_FAILED],
    [Alarm.BMS_FAULT], [Alarm.CELL_IMBALANCE], [Alarm.CHARGE_OVERCURRENT], [Alarm.MOSFET_OVERTEMPERATURE],
    [Alarm.AMBIENT_OVERTEMPERATURE], [Alarm.AMBIENT_UNDERTEMPERATURE],
)  # fmt: skip
_GROWATT_WARNINGS = (
    [Alarm.CELL_OVERVOLTAGE], [Alarm.CELL_UNDERVOLTAGE], [Alarm.PACK_OVERVOLTAGE], [Alarm.PACK_UNDERVOLTAGE],
    [Alarm.DISCHARGE_OVERCURRENT], [Alarm.CHARGE_OVERCURRENT], [Alarm.DISCHARGE_OVERTEMPERATURE],
    [Alarm.DISCHARGE_UNDERTEMPERATURE], [Alarm.CHARGE_OVERTEMPERATURE], [Alarm.CHARGE_UNDERTEMPERATURE],
    [Alarm.MOSFET_OVERTEMPERATURE], [Alarm.AMBIENT_OVERTEMPERATURE], [Alarm.AMBIENT_UNDERTEMPERATURE],
)  # fmt: skip
_GROWATT = {
    "charge_enabled": bit(0x13, 6),
    "discharge_enabled": bit(0x13, 5),
    "force_charge_2": bit(0x13, 12),
    "protections": alarms(0x14, *_GROWATT_ERRORS),
    "soc_pct": unsigned(0x15),
    "voltage_v": unsigned(0x16, 0.01),
    "current_a": signed(0x17, 0.01),
    "temperature_c": signed(0x18),
    "charge_current_limit_a": unsigned(0x19, 0.01),
    "remaining_ah": unsigned(0x1A, 0.01),
    "full_ah": unsigned(0x1B, 0.01),
    "cycles": unsigned(0x1E),
    "charge_voltage_limit_v": unsigned(0x21, 0.01),
    "warnings": alarms(0x22, *_GROWATT_WARNINGS),
}
_GROWATT_MORE = {
    "discharge_current_limit_a": unsigned(0x23, 0.01),
    "cell_max_v": unsigned(0x25, 0.001),
    "cell_min_v": unsigned(0x26, 0.001),
}

_PACE_WARNINGS = (
    [Alarm.CELL_OVERVOLTAGE], [Alarm.CELL_UNDERVOLTAGE], [Alarm.PACK_OVERVOLTAGE], [Alarm.PACK_UNDERVOLTAGE],
    [Alarm.CHARGE_OVERCURRENT], [Alarm.DISCHARGE_OVERCURRENT], (), (), [Alarm.CHARGE_OVERTEMPERATURE],
    [Alarm.DISCHARGE_OVERTEMPERATURE], [Alarm.CHARGE_UNDERTEMPERATURE], [Alarm.DISCHARGE_UNDERTEMPERATURE],
    [Alarm.AMBIENT_OVERTEMPERATURE], [Alarm.AMBIENT_UNDERTEMPERATURE], [Alarm.MOSFET_OVERTEMPERATURE],
    [Alarm.SOC_LOW],
)  # fmt: skip
_PACE_PROTECTIONS = (
    *_PACE_WARNINGS[:6], [Alarm.SHORT_CIRCUIT], (), *_PACE_WARNINGS[8:12], [Alarm.MOSFET_OVERTEMPERATURE],
    [Alarm.AMBIENT_OVERTEMPERATURE], [Alarm.AMBIENT_UNDERTEMPERATURE],
)  # fmt: skip
_PACE = (
    Read(0, 37, {
        "current_a": signed(0, 0.01),
        "voltage_v": unsigned(1, 0.01),
        "soc_pct": unsigned(2),
        "soh_pct": unsigned(3),
        "remaining_ah": unsigned(4, 0.01),
        "full_ah": unsigned(5, 0.01),
        "warnings": alarms(9, *_PACE_WARNINGS),
        "protections": alarms(10, *_PACE_PROTECTIONS),
        "charge_enabled": bit(11, 10),
        "discharge_enabled": bit(11, 11),
        "cell_voltages_v": cells(15, 16),
        "temperature_1_c": signed(31, 0.1, absent=-2000),
    }),
    Read(60, 21, {
        "charge_voltage_limit_v": unsigned(61, 0.001),
        "discharge_voltage_limit_v": unsigned(69, 0.001),
        "charge_current_limit_a": unsigned(77),
        "discharge_current_limit_a": unsigned(80),
    }),
)  # fmt: skip

_EPEVER_VALUES = {
    "voltage_v": unsigned(0x3101, 0.01),
    "current_a": signed(0x3102, 0.01),
    "power_size_w": long(0x3103, 0.01, low_first=True),
    "full_ah": unsigned(0x3105),
    "soc_pct": unsigned(0x3106),
    "charge_enabled": no_bit(0x3127, 15),
    "discharge_enabled": no_bit(0x3127, 14),
    "force_charge_2": bit(0x3127, 13),
}
_EPEVER_LIMITS = {
    "discharge_voltage_limit_v": unsigned(0x9001, 0.01),
    "charge_voltage_limit_v": unsigned(0x9002, 0.01),
    "charge_current_limit_a": unsigned(0x9005, 0.01),
    "discharge_current_limit_a": unsigned(0x9007, 0.01),
}
_EPEVER = (Read(0x3100, 40, _EPEVER_VALUES, 4), Read(0x9000, 21, _EPEVER_LIMITS))
_CONVERTER = 3

_BYD = (
    Read(100, 68),
    Read(200, 13, {"full_wh": unsigned(202)}),
    Write(401, ((0x00FF,), (0xFF00,))),
    Read(300, 24, {
        "state": unsigned(300),
        "soc_pct": unsigned(303, 0.01),
        "full_wh": unsigned(304),
        "remaining_wh": unsigned(305),
        "discharge_power_limit_w": unsigned(306),
        "charge_power_limit_w": unsigned(307),
        "voltage_v": unsigned(308, 0.1),
        "power_w": (309, lambda words: float(-(words[0] - 0x10000 if words[0] > 0x7FFF else words[0]))),
        "temperature_min_c": signed(312, 0.1),
        "temperature_max_c": signed(313, 0.1),
        "soh_pct": unsigned(323, 0.01),
    }),
)  # fmt: skip

PLANS: Mapping[str, tuple[Step, ...]] = {
    "growatt-1xsxxp": (
        Write(0x13, ((0,),)),
        Read(0x13, 16, _GROWATT),
        Read(0x23, 7, _GROWATT_MORE),
        Read(0x71, 16, {"cell_voltages_v": cells(0x71, 16)}),
    ),
    "eg4-6500ex": (Read(0x13, 16, _GROWATT),),
    "anenji-li4": (Read(0x13, 17, {**_GROWATT, "discharge_current_limit_a": unsigned(0x23, 0.01)}),),
    "pace": _PACE,
    "srne-wow": _PACE,
    "epever": (
        *_EPEVER,
        Write(0x9014, ((10,),)),
        Read(1, 5, function=1, address=_CONVERTER),
        Read(0x2000, 21, function=2, address=_CONVERTER),
        Read(0x9000, 32, function=3, address=_CONVERTER),
        Read(0x3100, 41, function=4, address=_CONVERTER),
        Read(0x30FF, 1, {"online": unsigned(0x30FF)}, function=4, address=_CONVERTER),
        Write(0x0008, ((0xFF00,),), function=5, address=_CONVERTER),
        Write(0x9000, (tuple(range(1, 33)),), address=_CONVERTER),
    ),
    "epever-box": _EPEVER,
    "byd-hvm": _BYD,
    "eg4-ll": (
        Read(0, 39, {
            "voltage_v": unsigned(0, 0.01),
            "current_a": signed(1, 0.01),
            "cell_voltages_v": cells(2, 16),
            "temperature_c": signed(19),
            "charge_current_limit_a": unsigned(22),
            "soh_pct": unsigned(23),
            "soc_pct": unsigned(24),
            "full_ah": long(31, 1 / 3_600_000),
        }),
    ),
    "seplos-v3": (
        Read(0x1000, 18, {
            "voltage_v": unsigned(0x1000, 0.01),
            "current_a": signed(0x1001, 0.01),
            "remaining_ah": unsigned(0x1002, 0.01),
            "full_ah": unsigned(0x1003, 0.01),
            "soc_pct": unsigned(0x1005, 0.1),
            "cycles": unsigned(0x1007),
            "cell_max_v": unsigned(0x100A, 0.001),
            "cell_min_v": unsigned(0x100B, 0.001),
            "temperature_max_c": kelvin(0x100C),
            "discharge_current_limit_a": unsigned(0x100F),
            "charge_current_limit_a": unsigned(0x1010),
        }, 4),
        Read(0x1100, 26, {"cell_voltages_v": cells(0x1100, 16)}, 4),
    ),
    "felicity": (
        Read(0x1302, 3, {"charge_enabled": bit(0x1302, 0), "discharge_enabled": bit(0x1302, 2)}),
        Read(0x1306, 2, {"voltage_v": unsigned(0x1306, 0.01), "current_a": signed(0x1307, -0.1)}),
        Read(0x130B, 1, {"soc_pct": unsigned(0x130B)}),
        Read(0x131C, 4, {
            "charge_voltage_limit_v": unsigned(0x131C, 0.01),
            "discharge_voltage_limit_v": unsigned(0x131D, 0.01),
            "charge_current_limit_a": unsigned(0x131E, 0.1),
            "discharge_current_limit_a": unsigned(0x131F, 0.1),
        }),
        Read(0x132A, 16, {"cell_voltages_v": cells(0x132A, 16)}),
    ),
}  # fmt: skip
"""By map, and by inverter where it is known how one asks.

Sources: gonzalop/wombatt docs/cmds/forward.md (EG4 6500EX), syssi/esphome-smg-ii issue 102 (Li4),
mikaabra/pylontech-bms-mqtt (EPever UP5000), dalathegreat/Battery-Emulator PRs 2841 and 2852 (GEN24),
mr-manuel/venus-os_dbus-serialbattery (a monitor of Felicity packs).
"""
