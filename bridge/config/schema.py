"""The configuration file's tables: which keys there are, of what type and in what range.

A key that is absent is None here, whatever its default: defaults live in one place, the settings
that the values end up in (`bridge.model` and `settings`). Types are strict, because a number in
quotes is a sign that something else was meant too. Every key has an example, which complaints and
their readers use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Scalar = str | int | float
Value = Scalar | list[str]
"""What a key of a pack can hold; true and false are whole numbers to Python."""

Volts = Annotated[float | None, Field(ge=1.5, le=4.25, examples=[3.45])]
"""A cell voltage of any chemistry; what it may be for one is checked with the pack."""

Amps = Annotated[float | None, Field(gt=0, le=2000, examples=[140])]
Text = Annotated[str, StringConstraints(min_length=1)]
NAME_PATTERN = r"^[A-Za-z0-9_-]{1,32}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


def _single(value: object) -> object:
    """One complaint for what is no single value, instead of one for each type that it could have been."""
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("not a single value")


Option = Annotated[str | int | float | bool, BeforeValidator(_single)]
"""A protocol's own option; what it may be is the protocol's to say."""


POINTS: Mapping[str, tuple[float, float, float]] = {
    "charge_by_temperature_c": (-50, 100, 10),
    "discharge_by_temperature_c": (-50, 100, 10),
    "charge_by_cell_v": (1.0, 4.5, 1),
    "discharge_by_cell_v": (1.0, 4.5, 1),
    "charge_by_mosfet_c": (-50, 150, 1),
    "discharge_by_mosfet_c": (-50, 150, 1),
    "charge_by_soc_pct": (0, 100, 1),
    "discharge_by_soc_pct": (0, 100, 1),
}
"""Of each curve the least and the greatest x, and the greatest y; the least y is 0."""


def _points(key: str) -> BeforeValidator:
    """One complaint for what is no curve, whatever is wrong with it."""
    low_x, high_x, high_y = POINTS[key]

    def checked(value: object) -> object:
        points = value if isinstance(value, list) else []
        xs = [point[0] for point in points if _is_point(point)]
        inside = all(low_x <= x <= high_x and 0 <= y <= high_y for x, y in filter(_is_point, points))
        twice = any(x == xs[i + 2] for i, x in enumerate(xs[:-2]))
        if not xs or len(xs) != len(points) or xs != sorted(xs) or twice or not inside:
            raise ValueError("not a curve")
        return value

    return BeforeValidator(checked)


def _is_point(point: object) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(_is_number(one) for one in point)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _names(value: object) -> object:
    """One complaint for what is no list of names."""
    if isinstance(value, list) and all(isinstance(name, str) and name for name in value):
        return value
    raise ValueError("not a list of names")


Points = list[list[float]] | None


class Table(BaseModel):
    """What all tables have in common: no unknown keys, no conversions, no infinities."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """The keys that are in the file, with their values, of the types above."""
        return self.model_dump(exclude_none=True)


class GatewayTable(Table):
    """[gateway]: the program itself."""

    name: Annotated[Name | None, Field(examples=["packbridge"])] = None
    example: Annotated[bool | None, Field(examples=[True])] = None
    state_dir: Annotated[Text | None, Field(examples=["/var/lib/packbridge"])] = None
    control: Annotated[Text | None, Field(examples=["/run/packbridge/packbridge.sock"])] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, Field(examples=["info"])] = None
    log_format: Annotated[Literal["console", "json"] | None, Field(examples=["console"])] = None


class BankTable(Table):
    """[bank]: all packs together."""

    max_charge_current_a: Amps = None
    max_discharge_current_a: Amps = None
    charge_voltage_limit_v: Annotated[float | None, Field(gt=0, le=1224, examples=[55.2])] = None
    on_pack_lost: Annotated[Literal["hold", "stop", "exclude"] | None, Field(examples=["hold"])] = None
    rise_pct_per_s: Annotated[float | None, Field(gt=0, le=100, examples=[2])] = None
    rise_after_s: Annotated[float | None, Field(ge=1, le=3600, examples=[30])] = None
    ready_within_s: Annotated[float | None, Field(ge=1, le=600, examples=[20])] = None
    join_s: Annotated[float | None, Field(ge=1, le=3600, examples=[30])] = None
    join_window_v_per_cell: Annotated[float | None, Field(gt=0, le=0.2, examples=[0.03])] = None
    soc_mode: Annotated[
        Literal["weighted_edges", "weighted", "min"] | None, Field(examples=["weighted_edges"])
    ] = None
    soc_glide_pct_per_min: Annotated[float | None, Field(gt=0, le=30, examples=[6])] = None
    high_voltage: Annotated[bool | None, Field(examples=[True])] = None
    topology: Annotated[dict[str, object] | None, Field(examples=[{"series": ["left", "right"]}])] = None
    n_minus_1: Annotated[Literal["off", "auto", "strict"] | None, Field(examples=["auto"])] = None
    inverter_lag_s: Annotated[float | None, Field(ge=0.1, le=60, examples=[4])] = None
    obedience: Annotated[Literal["act", "warn", "off"] | None, Field(examples=["act"])] = None
    split: Annotated[Literal["fixed", "priority", "use"] | None, Field(examples=["fixed"])] = None


class ChargeTable(Table):
    """[charge]: how the bank is charged."""

    controller: Annotated[bool | None, Field(examples=[True])] = None
    cell_float_v: Annotated[float | None, Field(ge=1.5, le=4.25, examples=[3.375])] = None
    cell_rebulk_v: Annotated[float | None, Field(ge=1.5, le=4.25, examples=[3.3])] = None
    rebulk_soc_pct: Annotated[float | None, Field(ge=10, le=99, examples=[90])] = None
    full_every_days: Annotated[float | None, Field(ge=0, le=365, examples=[14])] = None
    balance_max_s: Annotated[float | None, Field(ge=60, le=86_400, examples=[7200])] = None
    trim_v: Annotated[float | None, Field(ge=0, le=0.3, examples=[0.1])] = None


class LinkTable(Table):
    """What packs and their accessories have in common: what they speak, and where."""

    bms: Annotated[Text | None, Field(examples=["jbd"])] = None
    port: Annotated[Text | None, Field(examples=["/dev/ttyUSB0"])] = None
    options: Annotated[dict[str, Option] | None, Field(examples=[{"listen": True}])] = None


class BalancerTable(LinkTable):
    """[packs.NAME.balancer]: an accessory that adds what it measures to its pack."""

    bms: Annotated[Text | None, Field(examples=["neey"])] = None
    port: Annotated[Text | None, Field(examples=["ble:AA:BB:CC:DD:EE:FF"])] = None


class SharedTable(LinkTable):
    """[pack]: what all packs share."""

    baudrate: Annotated[int | None, Field(ge=300, le=4_000_000, examples=[9600])] = None
    address: Annotated[int | None, Field(ge=0, le=255, examples=[1])] = None
    password: Annotated[Text | None, Field(examples=["a1b2c3"])] = None
    mac: Annotated[Text | None, Field(examples=["AA:BB:CC:DD:EE:FF"])] = None
    cells: Annotated[int | None, Field(ge=1, le=32, examples=[16])] = None
    capacity_ah: Annotated[float | None, Field(gt=0, le=10_000, examples=[280])] = None
    rated_current_a: Amps = None
    rated_charge_current_a: Amps = None
    rated_discharge_current_a: Amps = None
    fuse_a: Annotated[float | None, Field(gt=0, le=2000, examples=[125])] = None
    charge_fuse_a: Annotated[float | None, Field(gt=0, le=2000, examples=[100])] = None
    discharge_fuse_a: Annotated[float | None, Field(gt=0, le=2000, examples=[200])] = None
    port_kind: Annotated[Literal["common", "separate"] | None, Field(examples=["common"])] = None
    bus_on: Annotated[Literal["P", "C", "tied"] | None, Field(examples=["C"])] = None
    chemistry: Annotated[Literal["lfp", "nmc", "lto"] | None, Field(examples=["lfp"])] = None
    curves: Annotated[list[str] | None, BeforeValidator(_names), Field(examples=[["eve-lf280k"]])] = None
    series_rated: Annotated[bool | None, Field(examples=[True])] = None
    path_mohm: Annotated[float | None, Field(gt=0, le=1000, examples=[6])] = None
    ocp_a: Annotated[float | None, Field(gt=0, le=5000, examples=[160])] = None
    ocp_delay_s: Annotated[float | None, Field(ge=0, le=600, examples=[10])] = None
    ocp_fast_a: Annotated[float | None, Field(gt=0, le=10_000, examples=[400])] = None
    cell_charge_v: Volts = None
    cell_max_v: Annotated[Volts, Field(examples=[3.55])] = None
    cell_min_v: Annotated[Volts, Field(examples=[2.8])] = None
    temperature_min_charge_c: Annotated[float | None, Field(ge=-30, le=45, examples=[0])] = None
    temperature_max_charge_c: Annotated[float | None, Field(ge=0, le=60, examples=[55])] = None
    temperature_min_discharge_c: Annotated[float | None, Field(ge=-40, le=45, examples=[-20])] = None
    temperature_max_discharge_c: Annotated[float | None, Field(ge=0, le=65, examples=[60])] = None
    period_s: Annotated[float | None, Field(ge=0.1, le=30, examples=[1])] = None
    lost_after_s: Annotated[float | None, Field(gt=5, le=120, examples=[30])] = None
    soc_source: Annotated[Literal["bms", "counter"] | None, Field(examples=["counter"])] = None


class PackTable(SharedTable):
    """[packs.NAME]: one pack."""

    excluded: Annotated[bool | None, Field(examples=[True])] = None
    balancer: Annotated[
        BalancerTable | None, Field(examples=[{"bms": "neey", "port": "ble:AA:BB:CC:DD:EE:FF"}])
    ] = None


class CurvesTable(Table):
    """[curves.NAME]: derating curves that packs may name."""

    charge_by_temperature_c: Annotated[
        Points, _points("charge_by_temperature_c"), Field(examples=[[[0, 0], [5, 0.1], [20, 0.5], [55, 0]]])
    ] = None
    discharge_by_temperature_c: Annotated[
        Points, _points("discharge_by_temperature_c"), Field(examples=[[[-20, 0], [0, 0.5], [55, 0.5]]])
    ] = None
    charge_by_cell_v: Annotated[
        Points, _points("charge_by_cell_v"), Field(examples=[[[3.4, 1], [3.5, 0.1], [3.55, 0]]])
    ] = None
    discharge_by_cell_v: Annotated[
        Points, _points("discharge_by_cell_v"), Field(examples=[[[2.8, 0], [3.0, 0.2], [3.2, 1]]])
    ] = None
    charge_by_mosfet_c: Annotated[
        Points, _points("charge_by_mosfet_c"), Field(examples=[[[70, 1], [90, 0]]])
    ] = None
    discharge_by_mosfet_c: Annotated[
        Points, _points("discharge_by_mosfet_c"), Field(examples=[[[70, 1], [90, 0]]])
    ] = None
    charge_by_soc_pct: Annotated[
        Points, _points("charge_by_soc_pct"), Field(examples=[[[85, 1], [98, 0.1]]])
    ] = None
    discharge_by_soc_pct: Annotated[
        Points, _points("discharge_by_soc_pct"), Field(examples=[[[5, 0.1], [20, 1]]])
    ] = None


class InverterTable(Table):
    """[inverters.NAME]: one inverter and the bus or the port that it hangs on."""

    profile: Annotated[Text | None, Field(examples=["deye-lv"])] = None
    interface: Annotated[Text | None, Field(examples=["socketcan"])] = None
    channel: Annotated[Text | None, Field(examples=["can0"])] = None
    port: Annotated[Text | None, Field(examples=["/dev/ttyUSB1"])] = None
    baudrate: Annotated[int | None, Field(ge=1200, le=1_000_000, examples=[9600])] = None
    address: Annotated[int | None, Field(ge=0, le=255, examples=[1])] = None
    driver_enable: Annotated[Literal["auto", "rts-high", "rts-low"] | None, Field(examples=["rts-high"])] = (
        None
    )
    share: Annotated[float | None, Field(gt=0, le=1, examples=[0.6])] = None
    priority: Annotated[int | None, Field(ge=1, le=9, examples=[1])] = None
    max_charge_current_a: Amps = None
    max_discharge_current_a: Amps = None


class RedundancyTable(Table):
    """[redundancy]: another gateway on the same buses."""

    role: Annotated[Literal["active", "standby"] | None, Field(examples=["standby"])] = None
    rank: Annotated[int | None, Field(ge=1, le=255, examples=[100])] = None
    take_back: Annotated[bool | None, Field(examples=[True])] = None


class FileTable(Table):
    """The whole file."""

    gateway: GatewayTable = GatewayTable()
    bank: BankTable = BankTable()
    charge: ChargeTable = ChargeTable()
    pack: SharedTable = SharedTable()
    packs: dict[Name, PackTable] = {}
    curves: dict[Name, CurvesTable] = {}
    inverters: dict[Name, InverterTable] = {}
    redundancy: RedundancyTable = RedundancyTable()


TABLES: Mapping[str, type[Table]] = {
    "gateway": GatewayTable,
    "bank": BankTable,
    "charge": ChargeTable,
    "pack": SharedTable,
    "packs": PackTable,
    "curves": CurvesTable,
    "inverters": InverterTable,
    "redundancy": RedundancyTable,
}
"""The tables by the first word of their headers."""
NAMED = frozenset({"packs", "curves", "inverters"})
"""The headers with a second word: [packs.NAME]."""
