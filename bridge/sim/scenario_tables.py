"""The tables of a scenario file: which keys there are, of what type and range, and the defaults.

The words for what is wrong with one are here too, made from the same tables that found it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import ErrorDetails

from bridge.config.lines import Source
from bridge.errors import did_you_mean

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Seconds = Annotated[float, Field(ge=0, le=1e7)]
Positive = Annotated[float, Field(gt=0, le=1e4)]
Percent = Annotated[float, Field(ge=-100, le=100)]
Celsius = Annotated[float, Field(ge=-40, le=80)]
Amps = Annotated[float, Field(ge=-5000, le=5000)]


class Table(BaseModel):
    """What all tables have in common: no unknown keys, no infinities."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PackTable(Table):
    """[pack] for all, [packs.NAME] for one. Ratios are in percent; a spread is to either side.

    config: further keys for this pack in the gateway's configuration.
    """

    chemistry: Literal["lfp", "nmc", "lto"] = "lfp"
    cells: Annotated[int, Field(ge=1, le=32)] = 16
    capacity_ah: Positive = 280.0
    soc_pct: Annotated[float, Field(ge=0, le=101)] = 50.0
    rated_current_a: Positive | None = None
    rated_charge_current_a: Positive | None = None
    rated_discharge_current_a: Positive | None = None
    path_mohm: Annotated[float, Field(gt=0, le=1000)] = 6.0
    cell_mohm: Annotated[float, Field(gt=0, le=100)] | None = None
    slow_mohm_ah: Annotated[float, Field(ge=0, le=1000)] = 0.0
    temperature_c: Celsius = 22.0
    ambient_c: Celsius | None = None
    soc_spread_pct: Percent = 0.2
    runner_soc_pct: Percent = 0.0
    weak_capacity_pct: Annotated[float, Field(ge=0, lt=100)] = 0.0
    balance_a: Annotated[float, Field(ge=0, le=20)] = 0.1
    soc_error_pct: Percent = 0.0
    current_gain_pct: Percent = 0.0
    current_offset_a: Amps = 0.0
    current_noise_a: Annotated[float, Field(ge=0, le=10)] = 0.15
    cell_noise_v: Annotated[float, Field(ge=0, le=0.1)] = 0.001
    poll_period_s: Annotated[float, Field(ge=0.1, le=30)] = 2.0
    poll_phase_s: Seconds | None = None
    ocp_factor: Annotated[float, Field(ge=1, le=5)] = 1.15
    ocp_delay_s: Seconds = 8.0
    ocp_retry_s: Seconds = 60.0
    ocp_fast_factor: Annotated[float, Field(ge=1, le=10)] | None = None
    config: dict[str, str | int | float | bool] = {}


class InverterTable(Table):
    """[inverter]: see `converter.ConverterSpec`, which has the same names."""

    limit_tau_s: Annotated[float, Field(gt=0, le=600)] = 3.0
    load_tau_s: Annotated[float, Field(gt=0, le=600)] = 0.5
    frame_delay_s: Seconds = 1.0
    ramp_a_per_s: Positive | None = None
    limit_step_a: Annotated[float, Field(ge=0, le=100)] = 0.0
    voltage_step_v: Annotated[float, Field(ge=0, le=5)] = 0.0
    voltage_offset_v: Annotated[float, Field(ge=-5, le=5)] = 0.0
    overshoot: Annotated[float, Field(ge=0, le=1)] = 0.0
    tail_current_a: Annotated[float, Field(ge=0, le=1000)] = 0.0
    ignores_ccl: bool = False
    ignores_cvl: bool = False
    ignores_dcl: bool = False


class DemandTable(Table):
    """[[demand]]: one part of what is asked; currents add up, charging positive. See `courses`.

    kind: constant, blocks, steps, sun, clouds (a sun behind them) or house. from_s, to_s: when it applies.
    """

    kind: Literal["constant", "blocks", "steps", "sun", "clouds", "house"]
    current_a: Amps = 0.0
    from_s: Seconds = 0.0
    to_s: Seconds | None = None
    block_s: Positive | None = None
    full_share: Annotated[float, Field(ge=0, le=1)] = 0.85
    rest_max: Annotated[float, Field(ge=0, le=1)] = 0.5
    rise_h: Annotated[float, Field(ge=0, le=24)] = 6.0
    set_h: Annotated[float, Field(ge=0, le=24)] = 20.0
    shade: Annotated[float, Field(ge=0, le=1)] = 0.25
    shaded_share: Annotated[float, Field(ge=0, le=1)] = 0.4
    points: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = []
    repeat_s: Positive | None = None


class EventTable(Table):
    """[[events]]: something happens at a time, and ends after for_s if that is given.

    link_lost: a pack is not heard. pack_off: its switches open (charge, discharge: which). temperature: its
    cells and the air around them move to `to_c` over `over_s`. cell_reads: its first cell is reported
    at `cell_v`. frozen: its board repeats its last sample. soc_reads: its counter jumps to `soc_pct`.
    """

    kind: Literal["link_lost", "pack_off", "temperature", "cell_reads", "frozen", "soc_reads"]
    pack: Name
    at_s: Seconds
    for_s: Seconds | None = None
    charge: bool = True
    discharge: bool = True
    to_c: Celsius = 22.0
    over_s: Seconds = 0.0
    cell_v: Annotated[float, Field(ge=0, le=10)] = 4.2
    soc_pct: Annotated[float, Field(ge=0, le=100)] = 0.0


class FileTable(Table):
    """The whole file. config: further keys for [bank] of the gateway's configuration."""

    title: Annotated[str, StringConstraints(min_length=1)]
    about: str = ""
    duration_s: Annotated[float, Field(gt=0, le=1e7)]
    dt_s: Annotated[float, Field(ge=0.05, le=5)] = 0.5
    seed: int = 1
    start_h: Annotated[float, Field(ge=0, le=24)] = 0.0
    measure_from_s: Seconds = 0.0
    cycle_s: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    survive_loss: bool = False
    topology: dict[str, Any] | None = None
    pack: dict[str, Any] = {}
    packs: dict[Name, dict[str, Any]]
    inverter: InverterTable = InverterTable()
    demand: list[DemandTable] = []
    events: list[EventTable] = []
    config: dict[str, str | int | float | bool] = {}


_TABLES: Mapping[str, type[Table]] = {"inverter": InverterTable, "demand": DemandTable, "events": EventTable}


def said(source: Source, error: ErrorDetails, above: tuple[str, ...], table: type[Table]) -> str:
    """One of pydantic's complaints as a sentence with its place."""
    loc = [*above, *error["loc"]]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    line = source.line(tuple(str(part) for part in loc if not isinstance(part, int)))
    place = f"{source.name}:{line}: {key}" if line else f"{source.name}: {key}"
    table = _TABLES.get(str(loc[0]), table)
    if error["type"] == "extra_forbidden":
        known = list(table.model_fields)
        return f"{place}: unknown key; known: {', '.join(known)}{did_you_mean(str(loc[-1]), known)}"
    if error["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: found {error['input']!r}; {error['msg'].removeprefix('Input ')}"
