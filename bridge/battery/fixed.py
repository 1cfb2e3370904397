"""What one pack allows whatever is measured: its rating, its fuses, where its BMS opens, and its curves.

Nothing of it depends on a sample, so it is made once for a pack, and once more when its BMS has said how
it is set. Figures: a guard band of 5 % to what trips.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bridge.battery.tapers import Tapers, tapers
from bridge.model import Constraint, Limit, PackSettings, Ratings

UNKNOWN_OCP: Final = 1.1  # of the rating: where a BMS is taken to trip of which nobody said it
# And at once: the instant stages of JBD boards are at 2 to 3 times it (jbd-bms.com FAQ).
UNKNOWN_FAST: Final = 2.0
TRIP_BAND: Final = 0.95  # of a fuse, and of a BMS's over-current threshold: room for the sensor's error


@dataclass(frozen=True, slots=True)
class PackLimits:
    """All that one pack allows by itself; of the currents, the binding constraint first, and never none
    once it was heard.
    """

    charge: tuple[Constraint, ...] = ()
    discharge: tuple[Constraint, ...] = ()
    voltage: tuple[Constraint, ...] = ()

    def current(self, limit: Limit) -> tuple[Constraint, ...]:
        """The constraints on CCL or DCL."""
        return self.charge if limit is Limit.CCL else self.discharge


@dataclass(frozen=True, slots=True)
class Fixed:
    """constraints: those that always hold; limits: what follows while nothing else does."""

    tapers: Tapers
    constraints: tuple[Constraint, ...]
    limits: PackLimits


def fixed(settings: PackSettings, ratings: Ratings) -> Fixed:
    """All of it for a pack whose BMS has told its `ratings`."""
    constraints = (*_rating(settings), *_fuses(settings), *_trips(settings, ratings))
    return Fixed(tapers(settings, ratings), constraints, sorted_limits(constraints))


def sorted_limits(found: Iterable[Constraint]) -> PackLimits:
    """Constraints of all kinds by what they limit, the binding current first."""
    ordered = sorted(found, key=_value)
    return PackLimits(
        tuple([c for c in ordered if c.limit is Limit.CCL]),
        tuple([c for c in ordered if c.limit is Limit.DCL]),
        tuple([c for c in ordered if c.limit is Limit.CVL or c.limit is Limit.DVL]),
    )


def _value(constraint: Constraint) -> float:
    return constraint.value


def _rating(own: PackSettings) -> Iterable[Constraint]:
    """What the BMS may carry all day."""
    for limit in (Limit.CCL, Limit.DCL):
        amps = _rated_a(own, limit)
        yield Constraint(limit=limit, value=amps, rule="rating", text=f"rated {amps:g} A", pack=own.name)


def _fuses(own: PackSettings) -> Iterable[Constraint]:
    """A fuse carries its rating for long, but the current sensor may be wrong by some percent."""
    fuses = (
        (Limit.CCL, own.fuse_a, "fuse"),
        (Limit.DCL, own.fuse_a, "fuse"),
        (Limit.CCL, own.charge_fuse_a, "charge fuse"),
        (Limit.DCL, own.discharge_fuse_a, "discharge fuse"),
    )
    for limit, fuse_a, what in fuses:
        if fuse_a is not None and fuse_a * TRIP_BAND < _rated_a(own, limit):
            text = f"95 % of its {fuse_a:g} A {what}"
            yield Constraint(limit=limit, value=fuse_a * TRIP_BAND, rule="fuse", text=text, pack=own.name)


def _trips(own: PackSettings, ratings: Ratings) -> Iterable[Constraint]:
    """Stay clear of the current at which the BMS would open."""
    trips = (
        (Limit.CCL, ratings.charge_ocp_a),
        (Limit.DCL, ratings.discharge_ocp_a),
        (Limit.DCL, own.ocp_a),
    )
    for limit, trip_a in trips:
        if trip_a is not None and trip_a * TRIP_BAND < _rated_a(own, limit):
            text = f"95 % of the {trip_a:g} A at which its BMS trips"
            yield Constraint(
                limit=limit, value=trip_a * TRIP_BAND, rule="bms_overcurrent", text=text, pack=own.name
            )


def _rated_a(own: PackSettings, limit: Limit) -> float:
    return own.rated_charge_current_a if limit is Limit.CCL else own.rated_discharge_current_a
