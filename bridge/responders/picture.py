"""What an answer over RS485 is made of: the guarded decision, and the packs behind it.

A responder knows nothing else of the battery. So that a dialect may pose as one battery or as one for
each pack, a picture holds both: the bank as a whole, and its packs in the order of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bridge.model import NO_ALARMS, Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One battery as a dialect may pose as. Charging current is positive; None is not known.

    name: of the pack; of the whole bank for `Picture.whole`. cell_voltages_v: of the whole bank, one
    value a position, its true extremes among them. charge_enabled, discharge_enabled: for a pack: its
    BMS's switch is on and the decision allows it too.
    """

    name: str
    voltage_v: float | None = None
    current_a: float | None = None
    soc_pct: float | None = None
    soh_pct: float | None = None
    remaining_ah: float | None = None
    full_ah: float | None = None
    design_ah: float | None = None
    cycles: int | None = None
    cell_voltages_v: tuple[float | None, ...] = ()
    temperatures_c: tuple[float | None, ...] = ()
    mosfet_temperature_c: float | None = None
    charge_enabled: bool = False
    discharge_enabled: bool = False
    protections: frozenset[Alarm] = NO_ALARMS
    warnings: frozenset[Alarm] = NO_ALARMS


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What may be said at one moment. Made anew for each answer, after the guard; the batteries in it only
    when a dialect asks for them, for an answer has little time.

    values: by the names of `bridge.sinks.quantities`, within the profile's ranges. The limits and
    enables are always there, as is what the responder requires; what is not known is not there: a
    dialect then says what it has for that, and never a number that allows more. protections,
    warnings: of the bank. whole: the bank as one battery. modules: the packs; None for one that is
    not heard, so that the others keep their places. Current limits are the bank's: a dialect that
    poses as several batteries divides them, so that their sum is not more.
    """

    values: Mapping[str, float | str]
    make_whole: Callable[[], Module]
    make_modules: Callable[[], tuple[Module | None, ...]] = tuple
    protections: frozenset[Alarm] = field(default=NO_ALARMS)
    warnings: frozenset[Alarm] = field(default=NO_ALARMS)

    @cached_property
    def whole(self) -> Module:
        """The bank as one battery."""
        return self.make_whole()

    @cached_property
    def modules(self) -> tuple[Module | None, ...]:
        """The packs, in their order."""
        return self.make_modules()

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """A value that is a number, or `otherwise` where it is not known."""
        value = self.values.get(name, otherwise)
        return otherwise if isinstance(value, str) else float(value)

    @property
    def modules_online(self) -> tuple[Module, ...]:
        """The packs that are heard."""
        return tuple(module for module in self.modules if module is not None)


def fitted(values: tuple[float | None, ...], places: int) -> tuple[float | None, ...]:
    """`values` in at most so many places; where they are too many, the highest and the lowest stay."""
    if len(values) <= places:
        return values
    known = [index for index, value in enumerate(values) if value is not None]
    by_value = sorted(known, key=lambda index: values[index] or 0.0)
    first = [by_value[-1], by_value[0]] if known else []
    chosen = list(dict.fromkeys([*first, *range(len(values))]))[:places]
    return tuple(values[index] for index in sorted(chosen))
