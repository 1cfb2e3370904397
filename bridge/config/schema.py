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

Value = str | int | float
"""What a key of a pack can hold; true and false are whole numbers to Python."""

Volts = Annotated[float | None, Field(ge=2.0, le=3.65, examples=[3.45])]
"""A cell voltage: below 2.0 V an LFP cell is damaged, above 3.65 V it is over its maker's maximum."""

Amps = Annotated[float | None, Field(gt=0, le=2000, examples=[140])]
Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


def _single(value: object) -> object:
    """One complaint for what is no single value, instead of one for each type that it could have been."""
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("not a single value")


Option = Annotated[str | int | float | bool, BeforeValidator(_single)]
"""A protocol's own option; what it may be is the protocol's to say."""


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
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, Field(examples=["info"])] = None
    log_format: Annotated[Literal["console", "json"] | None, Field(examples=["console"])] = None


class BankTable(Table):
    """[bank]: all packs together."""

    max_charge_current_a: Amps = None
    max_discharge_current_a: Amps = None
    charge_voltage_limit_v: Annotated[float | None, Field(gt=0, le=117, examples=[55.2])] = None
    on_pack_lost: Annotated[Literal["hold", "stop", "exclude"] | None, Field(examples=["hold"])] = None
    rise_pct_per_s: Annotated[float | None, Field(gt=0, le=100, examples=[2])] = None
    rise_after_s: Annotated[float | None, Field(ge=1, le=3600, examples=[30])] = None
    ready_within_s: Annotated[float | None, Field(ge=1, le=600, examples=[20])] = None
    join_s: Annotated[float | None, Field(ge=1, le=3600, examples=[30])] = None


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
    cell_charge_v: Volts = None
    cell_max_v: Annotated[Volts, Field(examples=[3.55])] = None
    cell_min_v: Annotated[Volts, Field(examples=[2.8])] = None
    temperature_min_charge_c: Annotated[float | None, Field(ge=-20, le=45, examples=[0])] = None
    temperature_max_charge_c: Annotated[float | None, Field(ge=0, le=60, examples=[55])] = None
    temperature_min_discharge_c: Annotated[float | None, Field(ge=-40, le=45, examples=[-20])] = None
    temperature_max_discharge_c: Annotated[float | None, Field(ge=0, le=65, examples=[60])] = None
    period_s: Annotated[float | None, Field(ge=0.1, le=30, examples=[1])] = None
    lost_after_s: Annotated[float | None, Field(gt=5, le=120, examples=[30])] = None


class PackTable(SharedTable):
    """[packs.NAME]: one pack."""

    balancer: Annotated[
        BalancerTable | None, Field(examples=[{"bms": "neey", "port": "ble:AA:BB:CC:DD:EE:FF"}])
    ] = None


class InverterTable(Table):
    """[inverters.NAME]: one inverter and the bus it hangs on."""

    profile: Annotated[Text | None, Field(examples=["deye-lv"])] = None
    interface: Annotated[Text | None, Field(examples=["socketcan"])] = None
    channel: Annotated[Text | None, Field(examples=["can0"])] = None


class FileTable(Table):
    """The whole file."""

    gateway: GatewayTable = GatewayTable()
    bank: BankTable = BankTable()
    pack: SharedTable = SharedTable()
    packs: dict[Name, PackTable] = {}
    inverters: dict[Name, InverterTable] = {}


TABLES: Mapping[str, type[Table]] = {
    "gateway": GatewayTable,
    "bank": BankTable,
    "pack": SharedTable,
    "packs": PackTable,
    "inverters": InverterTable,
}
"""The tables by the first word of their headers."""
NAMED = frozenset({"packs", "inverters"})
"""The headers with a second word: [packs.NAME]."""
