"""What may be asked of a running gateway: frozen values, and their form on the wire.

One line of JSON, `{"v": 1, "do": "why", "limit": "ccl"}`. Nothing is converted and no key is unknown, as
in the configuration; a request that is not understood is answered with what would be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.battery.leases import LeaseRequest
from bridge.errors import ConfigError, did_you_mean
from bridge.model import Limit

VERSION = 1
LONGEST = 4096  # bytes of a request
TEXT_LONGEST = 120  # characters of a name or a reason
LIMITS = {limit.name.lower(): limit for limit in Limit}


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there?"""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything, as `bridge.status.snapshot`."""


@dataclass(frozen=True, slots=True)
class Why:
    """The reasons for one limit, or for all."""

    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """A pack is to be taken out. ttl_s: after so long the request is dropped if it is still there."""

    pack: str
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Return:
    """A pack that was to leave, or has left, counts again."""

    pack: str


@dataclass(frozen=True, slots=True)
class Departures:
    """How far the packs are that are to leave."""


@dataclass(frozen=True, slots=True)
class SetLease:
    """Hold a limit down for a while, or renew that."""

    lease: LeaseRequest


@dataclass(frozen=True, slots=True)
class DropLease:
    """End all leases of a name."""

    name: str


@dataclass(frozen=True, slots=True)
class ListLeases:
    """What is leased at the moment."""


@dataclass(frozen=True, slots=True)
class ClearFaults:
    """Somebody has looked at what ended all current: let it flow again, unless it is still wrong."""


@dataclass(frozen=True, slots=True)
class GiveCycle:
    """Of two gateways on one bus, let the other one send."""


@dataclass(frozen=True, slots=True)
class TakeCycle:
    """Of two gateways on one bus, send from here."""


Request = (
    Hello
    | Status
    | Why
    | Leave
    | Return
    | Departures
    | SetLease
    | DropLease
    | ListLeases
    | ClearFaults
    | GiveCycle
    | TakeCycle
)


def parse(line: bytes) -> Request:
    """The request in a line. Raises ConfigError, saying what would have been right."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigError('found no JSON; write one line, for example {"v": 1, "do": "status"}') from None
    if not isinstance(said, dict) or said.get("v") != VERSION:
        raise ConfigError(f'found another version or none; allowed: "v": {VERSION}')
    verb = said.get("do")
    if not isinstance(verb, str) or verb not in VERBS:
        close = did_you_mean(verb, VERBS) if isinstance(verb, str) else ""
        raise ConfigError(f'"do": known are {", ".join(VERBS)}{close}')
    build, keys = VERBS[verb]
    if unknown := sorted(said.keys() - {"v", "do", *keys}):
        raise ConfigError(
            f"{verb}: unknown key {unknown[0][:TEXT_LONGEST]}; known: {', '.join(keys) or 'none'}"
        )
    return build(_Fields(verb, said))


def encode(request: Request) -> bytes:
    """The line for a request."""
    return json.dumps({"v": VERSION, **_written(request)}).encode() + b"\n"


def _written(request: Request) -> Mapping[str, object]:
    match request:
        case Why(limit):
            return {"do": "why"} | ({} if limit is None else {"limit": limit.name.lower()})
        case Leave(pack, ttl_s):
            return {"do": "leave", "pack": pack, "ttl_s": ttl_s}
        case Return(pack):
            return {"do": "return", "pack": pack}
        case SetLease(lease):
            wanted = {"name": lease.name, "limit": lease.limit.name.lower(), "reason": lease.reason}
            return {"do": "lease", **wanted, "value": lease.value, "ttl_s": lease.ttl_s}
        case DropLease(name):
            return {"do": "unlease", "name": name}
    return {"do": next(verb for verb, kind in PLAIN.items() if isinstance(request, kind))}


class _Fields:
    """The keys of one request, read strictly."""

    def __init__(self, verb: str, said: Mapping[str, object]) -> None:
        self._verb = verb
        self._said = said

    def text(self, key: str, default: str | None = None) -> str:
        value = self._said.get(key, default)
        if not isinstance(value, str) or len(value) > TEXT_LONGEST or not (value or default == ""):
            raise ConfigError(f"{self._verb}: {key}: a text of 1 to {TEXT_LONGEST} characters is needed")
        if not value.isprintable():
            raise ConfigError(f"{self._verb}: {key}: found a character that cannot be printed")
        return value

    def number(self, key: str) -> float:
        value = self._said.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 10**12:
            raise ConfigError(f"{self._verb}: {key}: a number is needed")
        return float(value)

    def limit(self) -> Limit:
        word = self.text("limit").lower()
        if word not in LIMITS:
            raise ConfigError(f"{self._verb}: limit: found {word}; allowed: {', '.join(LIMITS)}")
        return LIMITS[word]

    def why(self) -> Why:
        return Why(self.limit() if "limit" in self._said else None)

    def lease(self) -> SetLease:
        return SetLease(
            LeaseRequest(
                name=self.text("name"),
                limit=self.limit(),
                value=self.number("value"),
                ttl_s=self.number("ttl_s"),
                reason=self.text("reason", ""),
            )
        )


PLAIN: Mapping[str, type[Request]] = {
    "hello": Hello,
    "status": Status,
    "leaving": Departures,
    "leases": ListLeases,
    "clear_faults": ClearFaults,
    "hand_over": GiveCycle,
    "take_over": TakeCycle,
}
"""Verbs without keys."""

VERBS: Mapping[str, tuple[Callable[[_Fields], Request], tuple[str, ...]]] = {
    "hello": (lambda _: Hello(), ()),
    "status": (lambda _: Status(), ()),
    "why": (_Fields.why, ("limit",)),
    "leave": (lambda said: Leave(said.text("pack"), said.number("ttl_s")), ("pack", "ttl_s")),
    "return": (lambda said: Return(said.text("pack")), ("pack",)),
    "leaving": (lambda _: Departures(), ()),
    "lease": (_Fields.lease, ("name", "limit", "value", "ttl_s", "reason")),
    "unlease": (lambda said: DropLease(said.text("name")), ("name",)),
    "leases": (lambda _: ListLeases(), ()),
    "clear_faults": (lambda _: ClearFaults(), ()),
    "hand_over": (lambda _: GiveCycle(), ()),
    "take_over": (lambda _: TakeCycle(), ()),
}
"""By verb: how it is read, and its keys."""
