"""A scenario: a bank, an inverter, what is asked of them, and what goes wrong; one TOML file each.

`scenario_tables` says which keys there are; what comes out is a frozen `Scenario` of the values that the
simulation works with, which can be sent to another process. Each complaint names file and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.config.lines import Source, key_lines
from bridge.errors import ConfigError, did_you_mean
from bridge.sim.chemistries import KINDS
from bridge.sim.converter import ConverterSpec
from bridge.sim.lumped_spec import LumpedSpec, Over, likes
from bridge.sim.scenario_tables import DemandTable, EventTable, FileTable, PackTable, said
from bridge.sim.sensor import Sensors

DEFAULT_RATED_C_RATE = 0.5


@dataclass(frozen=True, slots=True)
class Branching:
    """A node of the topology: how its children are joined; a child is a node or a pack's name."""

    series: bool
    children: tuple[Branching | str, ...]

    def names(self) -> Iterator[str]:
        """The packs below, in order."""
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child.names()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPlan:
    """A pack and how it is heard. config: further keys in the gateway's configuration."""

    spec: LumpedSpec
    chemistry: str
    poll_period_s: float
    poll_phase_s: float | None
    config: tuple[tuple[str, str | int | float | bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario without contradictions. measure_from_s: energies count from here on; events and
    trips always. cycle_s: how often the gateway decides. survive_loss: what could have been delivered is
    measured against limits under which the others survive the loss of any one pack or string.
    """

    name: str
    title: str
    about: str
    duration_s: float
    dt_s: float
    seed: int
    start_h: float
    measure_from_s: float
    cycle_s: float
    survive_loss: bool
    topology: Branching
    packs: tuple[PackPlan, ...]
    inverter: ConverterSpec
    demand: tuple[DemandTable, ...]
    events: tuple[EventTable, ...]
    config: tuple[tuple[str, str | int | float | bool], ...]

    @property
    def is_flat(self) -> bool:
        """Whether all packs are simply in parallel."""
        return not self.topology.series and all(isinstance(c, str) for c in self.topology.children)

    @property
    def cells(self) -> int:
        """How many cells lie between the bank's terminals; the least, if its branches differ."""
        return _cells(self.topology, {plan.spec.name: plan.spec.cells for plan in self.packs})


def _cells(node: Branching, cells: Mapping[str, int]) -> int:
    below = [cells[child] if isinstance(child, str) else _cells(child, cells) for child in node.children]
    return sum(below) if node.series else min(below)


def load(path: Path) -> Scenario:
    """The scenario in a file. Raises ConfigError with every problem, each with file and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save the file as UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; write the path of a scenario file") from None
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    return build(written, path.stem, Source(str(path), key_lines(text)))


def build(written: Mapping[str, Any], name: str, source: Source | None = None) -> Scenario:
    """The scenario in a parsed file. Raises ConfigError with every problem."""
    source = source or Source(name)
    try:
        table = FileTable.model_validate(written)
    except ValidationError as error:
        raise ConfigError(*(said(source, one, (), FileTable) for one in error.errors())) from None
    packs, problems = _packs(table, source)
    topology = _topology(table, source, problems)
    problems += _contradictions(table, topology, source)
    if problems:
        raise ConfigError(*problems)
    return Scenario(
        name=name,
        title=table.title,
        about=table.about,
        duration_s=table.duration_s,
        dt_s=table.dt_s,
        seed=table.seed,
        start_h=table.start_h,
        measure_from_s=table.measure_from_s,
        cycle_s=table.cycle_s,
        survive_loss=table.survive_loss,
        topology=topology,
        packs=tuple(_plan(pack, own) for pack, own in packs.items()),
        inverter=ConverterSpec(**table.inverter.model_dump()),
        demand=tuple(table.demand),
        events=tuple(table.events),
        config=tuple(table.config.items()),
    )


def _packs(table: FileTable, source: Source) -> tuple[dict[str, PackTable], list[str]]:
    """The packs' tables, each over what all share."""
    packs: dict[str, PackTable] = {}
    problems: list[str] = []
    for name, own in table.packs.items():
        try:
            packs[name] = PackTable.model_validate({**table.pack, **own})
        except ValidationError as error:
            for one in error.errors():
                shared = one["loc"][0] in table.pack and one["loc"][0] not in own
                problems.append(said(source, one, ("pack",) if shared else ("packs", name), PackTable))
    return packs, list(dict.fromkeys(problems))


def _topology(table: FileTable, source: Source, problems: list[str]) -> Branching:
    if table.topology is None:
        return Branching(series=False, children=tuple(table.packs))
    found = _branching(table.topology, "topology", problems, source)
    return found or Branching(series=False, children=())


def _branching(node: object, at: str, problems: list[str], source: Source) -> Branching | None:
    """`{ series = [...] }` or `{ parallel = [...] }`, with names and further tables in the list."""
    kinds = {"series", "parallel"}
    if not isinstance(node, dict) or len(node) != 1 or not node.keys() <= kinds:
        problems.append(f"{source.name}: {at}: write {{ series = [...] }} or {{ parallel = [...] }}")
        return None
    ((kind, children),) = node.items()
    if not isinstance(children, list) or not children:
        problems.append(f"{source.name}: {at}.{kind}: write a list of packs and further tables")
        return None
    below = [
        child if isinstance(child, str) else _branching(child, f"{at}.{kind}[{number}]", problems, source)
        for number, child in enumerate(children)
    ]
    return Branching(series=kind == "series", children=tuple(child for child in below if child is not None))


def _contradictions(table: FileTable, topology: Branching, source: Source) -> list[str]:
    problems = []
    named = list(topology.names())
    if not table.packs:
        problems.append(source.problem(("packs",), "no pack; write at least one table [packs.NAME]"))
    for name in dict.fromkeys(named):
        if name not in table.packs:
            known = f"{', '.join(table.packs)}{did_you_mean(name, table.packs)}"
            problems.append(f"{source.name}: topology: unknown pack {name!r}; known: {known}")
        elif named.count(name) > 1:
            problems.append(
                f"{source.name}: topology: {name} is there {named.count(name)} times; once is enough"
            )
    for name in table.packs:
        if name not in named and not problems:
            problems.append(source.problem(("packs", name), "not in the topology; add it, or take it out"))
    for number, event in enumerate(table.events):
        if event.pack not in table.packs:
            known = f"{', '.join(table.packs)}{did_you_mean(event.pack, table.packs)}"
            problems.append(
                f"{source.name}: events[{number}].pack: unknown pack {event.pack!r}; known: {known}"
            )
    return problems


def _plan(name: str, own: PackTable) -> PackPlan:
    both_a = own.rated_current_a or DEFAULT_RATED_C_RATE * own.capacity_ah
    spec = LumpedSpec(
        name=name,
        capacity_ah=own.capacity_ah,
        soc=own.soc_pct / 100,
        rated_charge_a=own.rated_charge_current_a or both_a,
        rated_discharge_a=own.rated_discharge_current_a or both_a,
        cells=own.cells,
        kind=KINDS[own.chemistry],
        likes=likes(
            own.cells,
            soc_spread=own.soc_spread_pct / 100,
            runner_soc=own.runner_soc_pct / 100,
            weak_capacity=own.weak_capacity_pct / 100,
        ),
        path_ohm=own.path_mohm / 1000,
        cell_ohm=None if own.cell_mohm is None else own.cell_mohm / 1000,
        slow_ohm_ah=own.slow_mohm_ah / 1000,
        temperature_c=own.temperature_c,
        ambient_c=own.temperature_c if own.ambient_c is None else own.ambient_c,
        balance_a=own.balance_a,
        soc_error=own.soc_error_pct / 100,
        sensors=Sensors(
            current_gain=1 + own.current_gain_pct / 100,
            current_offset_a=own.current_offset_a,
            current_noise_a=own.current_noise_a,
            cell_noise_v=own.cell_noise_v,
        ),
        over=Over(
            factor=own.ocp_factor, delay_s=own.ocp_delay_s, retry_s=own.ocp_retry_s, fast=own.ocp_fast_factor
        ),
    )
    return PackPlan(
        spec=spec,
        chemistry=own.chemistry,
        poll_period_s=own.poll_period_s,
        poll_phase_s=own.poll_phase_s,
        config=tuple(own.config.items()),
    )
