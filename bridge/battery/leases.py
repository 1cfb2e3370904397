"""Limits that somebody outside asks for, for a while: a tariff, a generator, a person.

A lease is one more constraint among the others, so it can only lower. It has a name and an end, is
renewed by asking again, and ends by itself: whoever asked may die. Nothing is kept over a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from bridge.battery.chemistry import preset
from bridge.errors import ConfigError
from bridge.model import Constraint, Limit, PackSettings

TTL_MAX_S: Final = 24 * 3600.0
MOST: Final = 32  # leases at a time: what asks for more is broken
MOST_A: Final = 2000.0
LEASABLE: Final = (Limit.CCL, Limit.DCL, Limit.CVL)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """What somebody asks for. value: A, or V for CVL. ttl_s: for how long; reason: for a person."""

    name: str
    limit: Limit
    value: float
    ttl_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """One limit, held down by `name` until `until_s`. value: A, or V for CVL. reason: for a person."""

    name: str
    limit: Limit
    value: float
    until_s: float
    reason: str

    def constraint(self, now: float) -> Constraint:
        """The lease as a reason among others."""
        why = f": {self.reason}" if self.reason else ""
        text = f"lease {self.name}{why}; {self.until_s - now:.0f} s left"
        return Constraint(limit=self.limit, value=self.value, rule="lease", text=text)


class Leases:
    """All leases of a bank. One name may hold several limits, each once."""

    def __init__(self, packs: Sequence[PackSettings]) -> None:
        self._floor_v = floor_v(packs)
        self._ceiling_v = min((pack.cells * pack.cell_max_v for pack in packs), default=0.0)
        self._leases: dict[tuple[str, Limit], Lease] = {}

    def grant(self, request: LeaseRequest, now: float) -> Lease:
        """Hold a limit down, or renew a lease. Raises ConfigError for what cannot be granted."""
        self._expire(now)
        self._check(request)
        key = (request.name, request.limit)
        if key not in self._leases and len(self._leases) >= MOST:
            raise ConfigError(f"there are {MOST} leases, which is all there may be; drop one first")
        until_s = now + request.ttl_s
        lease = Lease(request.name, request.limit, request.value, until_s, request.reason)
        self._leases[key] = lease
        return lease

    def drop(self, name: str, now: float) -> tuple[Lease, ...]:
        """End all leases of a name. Raises ConfigError if there is none."""
        self._expire(now)
        dropped = tuple([lease for lease in self._leases.values() if lease.name == name])
        if not dropped:
            known = ", ".join(sorted({lease.name for lease in self._leases.values()})) or "none"
            raise ConfigError(f"no lease is called {name}; there are: {known}")
        for lease in dropped:
            del self._leases[lease.name, lease.limit]
        return dropped

    def standing(self, now: float) -> tuple[Lease, ...]:
        """The leases that hold at `now`, the one that ends first in front."""
        self._expire(now)
        return tuple(
            sorted(self._leases.values(), key=lambda lease: (lease.until_s, lease.name, lease.limit))
        )

    def constraints(self, now: float) -> tuple[Constraint, ...]:
        """What follows for the bank at `now`."""
        if not self._leases:
            return ()
        return tuple([lease.constraint(now) for lease in self.standing(now)])

    def _expire(self, now: float) -> None:
        if any(lease.until_s <= now for lease in self._leases.values()):
            self._leases = {key: lease for key, lease in self._leases.items() if lease.until_s > now}

    def _check(self, request: LeaseRequest) -> None:
        limit, value, ttl_s = request.limit, request.value, request.ttl_s
        if not request.name:
            raise ConfigError("a lease has a name; write for example tariff")
        if limit not in LEASABLE:
            raise ConfigError("found dvl; allowed: ccl, dcl or cvl: a discharge voltage is not leased")
        volts = limit is Limit.CVL
        low, high = (self._floor_v, self._ceiling_v) if volts else (0.0, MOST_A)
        unit = "V" if volts else "A"
        if not (isfinite(value) and low <= value <= high):
            raise ConfigError(f"found {value:g}; allowed for {limit.name}: from {low:g} to {high:g} {unit}")
        if not (isfinite(ttl_s) and 0 < ttl_s <= TTL_MAX_S):
            raise ConfigError(
                f"found {ttl_s:g} s; allowed: above 0 to {TTL_MAX_S:.0f} s (24 h); renew it by asking again"
            )


def floor_v(packs: Sequence[PackSettings]) -> float:
    """The charge voltage below which nobody's wish may push the bank, V: no current flows there by itself."""
    return max((pack.cells * preset(pack).floor_v for pack in packs), default=0.0)
