"""The nouns that every part of packbridge speaks. No behaviour beyond derived values.

Three rules hold here and everywhere inside: charging current is positive; every physical
quantity carries its unit as a suffix; an absent value is None and never 0. Ratios (`soc`, `soh`)
run from 0 to 1; percent (`soc_pct`) exists only in a `Reading`, which is what a wire says, and at
the edges. Times are monotonic seconds; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypedDict, TypeVar

T = TypeVar("T")


class Alarm(StrEnum):
    """One set of alarm kinds for all makers; severity is said beside it, never in the name."""

    CELL_OVERVOLTAGE = "cell_overvoltage"  # a cell above its limit: charging must end
    CELL_UNDERVOLTAGE = "cell_undervoltage"  # a cell below its limit: discharging must end
    PACK_OVERVOLTAGE = "pack_overvoltage"  # the pack's terminals above their limit
    PACK_UNDERVOLTAGE = "pack_undervoltage"  # the pack's terminals below their limit
    CHARGE_OVERTEMPERATURE = "charge_overtemperature"  # cells too hot to charge
    CHARGE_UNDERTEMPERATURE = "charge_undertemperature"  # cells too cold to charge
    DISCHARGE_OVERTEMPERATURE = "discharge_overtemperature"  # cells too hot to discharge
    DISCHARGE_UNDERTEMPERATURE = "discharge_undertemperature"  # cells too cold to discharge
    MOSFET_OVERTEMPERATURE = "mosfet_overtemperature"  # the BMS's switches are too hot
    AMBIENT_OVERTEMPERATURE = "ambient_overtemperature"  # the box around the cells is too hot
    AMBIENT_UNDERTEMPERATURE = "ambient_undertemperature"  # the box around the cells is too cold
    CHARGE_OVERCURRENT = "charge_overcurrent"  # more charging current than allowed
    DISCHARGE_OVERCURRENT = "discharge_overcurrent"  # more discharging current than allowed
    SHORT_CIRCUIT = "short_circuit"  # the BMS opened on a short
    CELL_IMBALANCE = "cell_imbalance"  # cells of one pack differ too much in voltage
    TEMPERATURE_IMBALANCE = "temperature_imbalance"  # probes of one pack differ too much
    PACK_IMBALANCE = "pack_imbalance"  # packs of the bank differ too much
    SOC_LOW = "soc_low"  # the maker's own low-charge threshold
    SOC_HIGH = "soc_high"  # the maker's own high-charge threshold
    SOC_DRIFT = "soc_drift"  # the reported SoC contradicts what was counted or measured
    FULLY_CHARGED = "fully_charged"  # a normal end of charge that some makers flag
    CHARGE_FET_FAULT = "charge_fet_fault"  # the charge switch does not do what it is told
    DISCHARGE_FET_FAULT = "discharge_fet_fault"  # the discharge switch does not do what it is told
    FET_LOCKED = "fet_locked"  # a person or an app switched a direction off
    PRECHARGE_FAILED = "precharge_failed"  # the bus did not come up
    CHARGE_TIMEOUT = "charge_timeout"  # the BMS ended a charge that took too long
    REVERSE_POLARITY = "reverse_polarity"  # the charger is connected the wrong way
    CELL_DISCONNECTED = "cell_disconnected"  # a sense wire is broken or a cell is missing
    TEMPERATURE_SENSOR_FAULT = "temperature_sensor_fault"  # a probe is broken or missing
    CURRENT_SENSOR_FAULT = "current_sensor_fault"  # the current measurement can't be trusted
    BMS_FAULT = "bms_fault"  # the BMS reports a fault of its own electronics
    BMS_COMMUNICATION = "bms_communication"  # data of a pack is missing or too old
    FIRE = "fire"  # smoke or aerosol sensor, or thermal runaway
    OTHER = "other"  # a maker's bit with no documented meaning


class Severity(Enum):
    """What an alarm asks for: attention, the end of current in some direction, or a person."""

    WARNING = 1
    PROTECTION = 2
    FAULT = 3  # nothing has contained it: no current until somebody has looked and cleared it


class Reading(TypedDict, total=False):
    """What one message of a BMS says, in the field names of `packbridge decode`.

    A key is there only if the message carries that quantity; its value is None where the message
    says that there is no reading (an unplugged probe, say). Lists keep their length and order.
    """

    voltage_v: float | None
    current_a: float | None
    soc_pct: float | None
    soh_pct: float | None
    remaining_ah: float | None
    full_ah: float | None
    design_ah: float | None
    cycles: int | None
    cell_count: int | None
    cell_voltages_v: tuple[float | None, ...]
    temperatures_c: tuple[float | None, ...]
    mosfet_temperature_c: float | None
    charge_fet_on: bool | None
    discharge_fet_on: bool | None
    charge_allowed: bool | None
    discharge_allowed: bool | None
    balancing: bool | None
    protections: frozenset[Alarm]
    warnings: frozenset[Alarm]
    charge_voltage_limit_v: float | None
    discharge_voltage_limit_v: float | None
    charge_current_limit_a: float | None
    discharge_current_limit_a: float | None


NO_ALARMS: frozenset[Alarm] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSample:
    """One consistent picture of one pack.

    time_s: monotonic seconds when the last byte of its oldest part arrived, so `now - time_s` is
    the age of the oldest value in it. charge_allowed, discharge_allowed: the BMS's switch is on and
    no blocking protection stands and nobody locked it; None where it cannot be known, which counts
    as no. *_limit_*: what the BMS itself reports, if it does.
    """

    time_s: float
    voltage_v: float | None = None
    current_a: float | None = None
    soc: float | None = None
    soh: float | None = None
    remaining_ah: float | None = None
    full_ah: float | None = None
    design_ah: float | None = None
    cycles: int | None = None
    cell_voltages_v: tuple[float | None, ...] = ()
    temperatures_c: tuple[float | None, ...] = ()
    mosfet_temperature_c: float | None = None
    charge_fet_on: bool | None = None
    discharge_fet_on: bool | None = None
    charge_allowed: bool | None = None
    discharge_allowed: bool | None = None
    balancing: bool | None = None
    protections: frozenset[Alarm] = NO_ALARMS
    warnings: frozenset[Alarm] = NO_ALARMS
    charge_voltage_limit_v: float | None = None
    discharge_voltage_limit_v: float | None = None
    charge_current_limit_a: float | None = None
    discharge_current_limit_a: float | None = None

    @property
    def cell_max_v(self) -> float | None:
        """Highest readable cell, V; None if no cell can be read."""
        return max((v for v in self.cell_voltages_v if v is not None), default=None)

    @property
    def cell_min_v(self) -> float | None:
        """Lowest readable cell, V; None if no cell can be read."""
        return min((v for v in self.cell_voltages_v if v is not None), default=None)

    @property
    def cells_complete(self) -> bool:
        """Whether there are cells and every one of them could be read."""
        return bool(self.cell_voltages_v) and None not in self.cell_voltages_v

    @property
    def temperature_max_c(self) -> float | None:
        """Hottest cell probe, degC; None if no probe can be read."""
        return max((t for t in self.temperatures_c if t is not None), default=None)

    @property
    def temperature_min_c(self) -> float | None:
        """Coldest cell probe, degC; None if no probe can be read."""
        return min((t for t in self.temperatures_c if t is not None), default=None)


def sample_of(reading: Reading, time_s: float) -> PackSample:
    """The merged `Reading` of one poll as a `PackSample`; percent becomes 0..1, clamped."""
    fields = dict(reading)
    fields.pop("cell_count", None)
    soc_pct, soh_pct = fields.pop("soc_pct", None), fields.pop("soh_pct", None)
    return PackSample(time_s=time_s, soc=_ratio(soc_pct), soh=_ratio(soh_pct), **fields)  # type: ignore[arg-type]  # TypedDict keys are the field names; tested


def _ratio(pct: object) -> float | None:
    return None if not isinstance(pct, int | float) else min(1.0, max(0.0, pct / 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """What a BMS's own settings allow; None where it did not say. Only ever used to lower limits."""

    cell_ovp_v: float | None = None
    cell_uvp_v: float | None = None
    pack_ovp_v: float | None = None
    pack_uvp_v: float | None = None
    charge_ocp_a: float | None = None
    discharge_ocp_a: float | None = None
    charge_otp_c: float | None = None
    charge_utp_c: float | None = None
    discharge_otp_c: float | None = None
    discharge_utp_c: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackInfo:
    """What a pack says of itself, once: who made it and what its BMS is set to."""

    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    cell_count: int | None = None
    ratings: Ratings = field(default_factory=Ratings)


@dataclass(frozen=True, slots=True)
class CanFrame:
    """One classic CAN frame. can_id without flag bits; 0 to 8 bytes of data."""

    can_id: int
    data: bytes
    extended: bool = False

    @property
    def key(self) -> tuple[int, bool]:
        """Its identifier, and whether that has 29 bits; a newer frame with the same key replaces it."""
        return self.can_id, self.extended


class Chemistry(StrEnum):
    """What the cells are made of; `bridge.battery.chemistry` says what follows from it."""

    LFP = "lfp"
    NMC = "nmc"
    LTO = "lto"


Curve = tuple[tuple[float, float], ...]
"""(x, y) points in rising x; see `bridge.battery.curves`."""


@dataclass(frozen=True, slots=True)
class NamedCurve:
    """A derating curve and where it came from: the name of a preset or of the user's own table."""

    name: str
    points: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The derating curves that the user chose for a pack; None where that of the chemistry holds.

    The last part of a name is what x is: cell or switch temperature, highest (charging) or lowest
    (discharging) cell, state of charge in percent. y is a C-rate over cell temperature, else a share of
    the rated current.
    """

    charge_by_temperature_c: NamedCurve | None = None
    discharge_by_temperature_c: NamedCurve | None = None
    charge_by_cell_v: NamedCurve | None = None
    discharge_by_cell_v: NamedCurve | None = None
    charge_by_mosfet_c: NamedCurve | None = None
    discharge_by_mosfet_c: NamedCurve | None = None
    charge_by_soc_pct: NamedCurve | None = None
    discharge_by_soc_pct: NamedCurve | None = None


def _least_a(rated_a: float, *fuses_a: float | None) -> float:
    for fuse_a in fuses_a:
        if fuse_a is not None and fuse_a < rated_a:
            rated_a = fuse_a
    return rated_a


UNPROTECTED_BELOW_V = 0.05  # so much earlier charging ends where the BMS cannot end it


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSettings:
    """What the person who wired the pack says of it. All currents and voltages are positive limits.

    rated_*_current_a: what the BMS may carry all day. fuse_a: the fuse in this pack's cable;
    charge_fuse_a, discharge_fuse_a: fuses in one path only. port_kind: "common", or "separate" for a BMS
    with C- for charging and P- for discharging; bus_on: where the inverter hangs then, "P", "C" or "tied".
    series_rated: its switches may open against the voltage of a whole string of packs in series.
    cell_charge_v: what charging aims at; cell_max_v: no charging from here; cell_min_v: no
    discharging from here; the defaults here are those of LFP. soc_source: "bms", or "counter" for our
    own. excluded: not in service: it is read and shown, and certainly not on the bus.
    path_mohm: of switches, fuse and cable up to the common bus bar. ocp_a: the discharging current at
    which its BMS opens after ocp_delay_s; ocp_fast_a: that at which it opens at once; None where not known.
    """

    name: str
    cells: int
    capacity_ah: float
    rated_charge_current_a: float
    rated_discharge_current_a: float
    fuse_a: float | None = None
    charge_fuse_a: float | None = None
    discharge_fuse_a: float | None = None
    port_kind: str = "common"
    bus_on: str | None = None
    series_rated: bool = False
    chemistry: Chemistry = Chemistry.LFP
    curves: Curves = field(default_factory=Curves)
    cell_charge_v: float = 3.45
    cell_max_v: float = 3.55
    cell_min_v: float = 2.80
    temperature_min_charge_c: float = 0.0
    temperature_max_charge_c: float = 55.0
    temperature_min_discharge_c: float = -20.0
    temperature_max_discharge_c: float = 60.0
    period_s: float = 1.0
    lost_after_s: float = 30.0
    soc_source: str = "bms"
    excluded: bool = False
    path_mohm: float | None = None
    ocp_a: float | None = None
    ocp_delay_s: float | None = None
    ocp_fast_a: float | None = None

    @property
    def charge_carry_a(self) -> float:
        """What its BMS and its fuses carry while charging, A."""
        return _least_a(self.rated_charge_current_a, self.fuse_a, self.charge_fuse_a)

    @property
    def discharge_carry_a(self) -> float:
        """What its BMS and its fuses carry while discharging, A."""
        return _least_a(self.rated_discharge_current_a, self.fuse_a, self.discharge_fuse_a)

    @property
    def charge_unprotected(self) -> bool:
        """Whether charging can flow past the switch that should end it: through the body diode of P-."""
        return self.port_kind == "separate" and self.bus_on != "C"

    @property
    def charge_stop_v(self) -> float:
        """No charging from here on, V a cell: cell_max_v, or earlier where the BMS cannot end it."""
        return self.cell_max_v - UNPROTECTED_BELOW_V if self.charge_unprotected else self.cell_max_v

    @property
    def charge_ceiling_v(self) -> float:
        """No charge voltage above this, V at the pack's terminals."""
        return self.cells * (self.cell_charge_v if self.charge_unprotected else self.cell_max_v)


class Wiring(StrEnum):
    """How the children of a `Topology` are connected."""

    SERIES = "series"
    PARALLEL = "parallel"


@dataclass(frozen=True, slots=True)
class Topology:
    """Packs wired together. children: names of packs, or what is wired together further in; never empty.
    given_name: what the user calls this part, if anything.
    """

    wiring: Wiring
    children: tuple[str | Topology, ...]
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The given name, or one made of the children's: `a+b` in series, `a|b` in parallel."""
        names = [
            child if isinstance(child, str) else child.given_name or f"({child.name})"
            for child in self.children
        ]
        return self.given_name or ("+" if self.wiring is Wiring.SERIES else "|").join(names)

    @property
    def packs(self) -> tuple[str, ...]:
        """The names of all packs in it."""
        return self.fold(lambda name: (name,), _joined, _joined)

    def fold(
        self,
        leaf: Callable[[str], T],
        series: Callable[[Sequence[T]], T],
        parallel: Callable[[Sequence[T]], T],
    ) -> T:
        """A value from those of the packs, from the innermost part outward."""
        values = [
            leaf(child) if isinstance(child, str) else child.fold(leaf, series, parallel)
            for child in self.children
        ]
        return series(values) if self.wiring is Wiring.SERIES else parallel(values)


def _joined(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple([name for part in parts for name in part])


@dataclass(frozen=True, slots=True, kw_only=True)
class BankSettings:
    """What the person says of the bank as a whole.

    max_*_current_a: of the common cable, fuse or bus bar; None if the packs' own limits are enough.
    on_pack_lost: "hold" keeps the house running within the design's conditions, "stop" ends all
    current, "exclude" trusts the user that a silent pack is electrically off. rise_pct_per_s: how
    fast a limit may rise, in percent of the bank's rated current; rise_after_s: how long it must
    have been allowed before it starts to. ready_within_s: how long to wait at start for all packs.
    join_s: over how long a returning pack is taken back in; join_window_v_per_cell: how far its cells may
    be from the bus's for that. soc_mode: how the packs' SoC becomes one, "weighted_edges", "weighted" or
    "min"; soc_glide_pct_per_min: how fast it moves when packs come and go. topology: how the packs in
    service are wired; None is all in parallel.
    n_minus_1: what the loss of one pack at full load may do to the others: "off" lets it be, "auto" keeps
    their BMSs closed until the inverter has followed, "strict" keeps them within their own limits.
    inverter_lag_s: how slowly an inverter follows a limit that falls, as a time constant. obedience: what
    follows when the inverter does not keep to a limit: "act", "warn" or "off". split: how the bank's
    currents divide over several inverters: "fixed", "priority" or "use".
    """

    max_charge_current_a: float | None = None
    max_discharge_current_a: float | None = None
    on_pack_lost: str = "hold"
    rise_pct_per_s: float = 2.0
    rise_after_s: float = 30.0
    ready_within_s: float = 20.0
    join_s: float = 30.0
    join_window_v_per_cell: float = 0.03
    soc_mode: str = "weighted_edges"
    soc_glide_pct_per_min: float = 6.0
    n_minus_1: str = "off"
    inverter_lag_s: float = 4.0
    obedience: str = "act"
    split: str = "fixed"
    topology: Topology | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSettings:
    """How the bank is charged; None takes what the chemistry says.

    controller: the highest cell leads the charge voltage. cell_float_v: rest after a charge;
    cell_rebulk_v, rebulk_soc_pct: at or below, charge again. full_every_days: charge fully at least so
    often, 0 for never. balance_max_s: how long the top is held for the balancers. trim_v: how much more
    than the cells' target the inverter may be told, if it ends lower than it is told.
    """

    controller: bool = True
    cell_float_v: float | None = None
    cell_rebulk_v: float | None = None
    rebulk_soc_pct: float = 90.0
    full_every_days: float = 14.0
    balance_max_s: float = 7200.0
    trim_v: float = 0.0


class PackState(StrEnum):
    """Where a pack stands in the bank."""

    UNKNOWN = "unknown"  # nothing heard since start
    JOINING = "joining"  # heard, being confirmed
    ACTIVE = "active"  # counts in full
    STALE = "stale"  # silent for longer than it should; its limits shrink
    LOST = "lost"  # silent for so long that nothing is known of it
    ISOLATED = "isolated"  # both directions are off: it is not on the bus
    QUARANTINE = "quarantine"  # what it says is not plausible
    EXCLUDED = "excluded"  # the user has taken it out of service


class Member(NamedTuple):
    """A pack as the bank sees it at one moment."""

    settings: PackSettings
    state: PackState
    sample: PackSample | None
    age_s: float | None
    info: PackInfo | None = None

    @property
    def name(self) -> str:
        """The pack's name in the configuration."""
        return self.settings.name


class Limit(StrEnum):
    """The four limits that a decision carries, by their names everywhere."""

    CVL = "charge_voltage_limit_v"
    DVL = "discharge_voltage_limit_v"
    CCL = "charge_current_limit_a"
    DCL = "discharge_current_limit_a"


class Constraint(NamedTuple):
    """One reason why a limit is not higher (DVL: not lower).

    limit: which of the four. value: V or A, as the limit's name says. rule: the rule's name. pack,
    cell (1-based), age_s: where it came from, if from one pack. text: the cause for a person.
    """

    limit: Limit
    value: float
    rule: str
    text: str
    pack: str | None = None
    cell: int | None = None
    age_s: float | None = None


class Bank(NamedTuple):
    """All packs as one battery: what was measured, before any limit is drawn from it.

    Values are None when no usable pack gives them. Packs in parallel add their currents and charges, and
    their voltage is the mean over those that conduct; packs in series add their voltages and cells, and
    the weakest says how much is left. Cell and temperature extremes are over all packs that are heard;
    the counts are of packs, however they are wired.
    """

    voltage_v: float | None = None
    current_a: float | None = None
    soc: float | None = None
    soh: float | None = None
    remaining_ah: float | None = None
    full_ah: float | None = None
    design_ah: float | None = None
    cycles: int | None = None
    cell_max_v: float | None = None
    cell_min_v: float | None = None
    cell_max_pack: str | None = None
    cell_min_pack: str | None = None
    cell_max_index: int | None = None
    cell_min_index: int | None = None
    temperature_c: float | None = None
    temperature_max_c: float | None = None
    temperature_min_c: float | None = None
    cells: int = 0
    pack_count: int = 0
    packs_online: int = 0
    packs_blocking_charge: int = 0
    packs_blocking_discharge: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCause:
    """Why an alarm of the bank stands. pack: the one that raised it; None if it is the bank's own."""

    alarm: Alarm
    severity: Severity
    text: str
    pack: str | None = None


NO_CONSTRAINTS: Mapping[Limit, tuple[Constraint, ...]] = MappingProxyType({})


class Decision(NamedTuple):
    """What the inverter is to be told, until the next decision.

    The four limits are always finite and never negative. stage: of the charge, as
    `bridge.battery.charge_stages` names it. constraints: every reason that was weighed, for each limit,
    the binding one first. alarm_causes: every reason for the alarms, the gravest first.
    """

    time_s: float
    bank: Bank
    charge_voltage_limit_v: float
    discharge_voltage_limit_v: float
    charge_current_limit_a: float
    discharge_current_limit_a: float
    charge_enabled: bool
    discharge_enabled: bool
    force_charge: bool = False
    full_charge_request: bool = False
    stage: str | None = None
    protections: frozenset[Alarm] = NO_ALARMS
    warnings: frozenset[Alarm] = NO_ALARMS
    constraints: Mapping[Limit, tuple[Constraint, ...]] = NO_CONSTRAINTS
    alarm_causes: tuple[AlarmCause, ...] = ()
