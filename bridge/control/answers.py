"""What the engine says to a request: out of its state alone, so that it replays like everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import __version__
from bridge.battery.leases import Lease
from bridge.battery.leaving import Departure
from bridge.control.requests import (
    VERSION,
    ClearFaults,
    Departures,
    DropLease,
    GiveCycle,
    Hello,
    Leave,
    ListLeases,
    Request,
    Return,
    SetLease,
    Status,
    TakeCycle,
    Why,
)
from bridge.errors import ConfigError
from bridge.model import Decision, Limit
from bridge.status import reason, snapshot

if TYPE_CHECKING:
    from bridge.gateway import Gateway

Reply = dict[str, object]


def answer(gateway: Gateway, request: Request, now: float) -> Reply:
    """The reply to a request, which has been carried out when this returns."""
    try:
        return granted(gateway, _result(gateway, request, now))
    except ConfigError as error:
        return refused(gateway, str(error))


def granted(gateway: Gateway, result: object) -> Reply:
    """The reply to what was done or told."""
    return {"v": VERSION, "gateway": gateway.config.gateway.name, "ok": True, "result": result}


def refused(gateway: Gateway, error: str) -> Reply:
    """The reply to what cannot be done."""
    return {"v": VERSION, "gateway": gateway.config.gateway.name, "ok": False, "error": error}


def changes(request: Request) -> bool:
    """Whether a request asks for something to be different, and not only to be told."""
    return isinstance(request, Leave | Return | SetLease | DropLease | ClearFaults)


def _result(gateway: Gateway, request: Request, now: float) -> object:  # noqa: C901  # a line for each
    bank = gateway.aggregator
    match request:
        case Hello():
            return {"name": gateway.config.gateway.name, "version": __version__}
        case Status():
            return snapshot(gateway, now)
        case Why(limit):
            return [_why(gateway, one) for one in ([limit] if limit else WHY_ORDER)]
        case Leave(pack, ttl_s):
            return _departure(gateway, bank.leaving.ask(pack, ttl_s, bank.members(now), now), now)
        case Return(pack):
            return _departure(gateway, bank.leaving.end(pack), now)
        case Departures():
            return [_departure(gateway, one, now) for one in bank.leaving.standing()]
        case SetLease(lease):
            return _lease(bank.leases.grant(lease, now), now)
        case DropLease(name):
            return [_lease(one, now) for one in bank.leases.drop(name, now)]
        case ListLeases():
            return [_lease(one, now) for one in bank.leases.standing(now)]
        case ClearFaults() | GiveCycle() | TakeCycle():
            return _order(gateway, request)


def _order(gateway: Gateway, request: ClearFaults | GiveCycle | TakeCycle) -> object:
    """What a gateway with a twin is told of it goes to `bridge.standby`; here there is none."""
    if isinstance(request, ClearFaults):
        return {"cleared": gateway.aggregator.clear_faults()}
    raise ConfigError("this gateway is alone: its configuration has no [redundancy]")


WHY_ORDER = (Limit.CCL, Limit.DCL, Limit.CVL, Limit.DVL)


def _why(gateway: Gateway, limit: Limit) -> dict[str, object]:
    decision = gateway.decision
    if decision is None:
        raise ConfigError("nothing was decided yet; ask again in a second")
    return {
        "limit": limit.name.lower(),
        "key": limit.value,
        "value": round(getattr(decision, limit.value), 3),
        "unit": "A" if limit in {Limit.CCL, Limit.DCL} else "V",
        "constraints": [reason(one) for one in decision.constraints.get(limit, ())],
        "inverters": {name: _told(sent, limit) for name, sent in gateway.sent().items()},
    }


def _told(sent: Decision | None, limit: Limit) -> float | None:
    return None if sent is None else round(getattr(sent, limit.value), 3)


def _departure(gateway: Gateway, departure: Departure, now: float) -> dict[str, object]:
    member = next(one for one in gateway.members(now) if one.name == departure.pack)
    sample = member.sample
    return {
        "pack": departure.pack,
        "phase": departure.phase.value,
        "left_s": round(max(0.0, departure.until_s - now), 1),
        "state": member.state.value,
        "current_a": None if sample is None or sample.current_a is None else round(sample.current_a, 2),
        "age_s": None if member.age_s is None else round(member.age_s, 1),
    }


def _lease(lease: Lease, now: float) -> dict[str, object]:
    return {
        "name": lease.name,
        "limit": lease.limit.name.lower(),
        "value": lease.value,
        "unit": "V" if lease.limit is Limit.CVL else "A",
        "left_s": round(max(0.0, lease.until_s - now), 1),
        "reason": lease.reason,
    }
