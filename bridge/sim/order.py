"""What to simulate, as a person orders it with `packbridge sim pack`; checked before anything is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.errors import ConfigError, did_you_mean
from bridge.links.opening import kind_of
from bridge.protocols.contract import Entry, load
from bridge.sim.faults import Fault

CELLS_MAX = 32
ALL = 0

Extra = Mapping[str, str | int | float | bool]


class Trouble(StrEnum):
    """What can be wrong with a simulated pack."""

    NOISE = "noise"
    TRUNCATE = "truncate"
    CHECKSUM = "checksum"
    STRANGER = "stranger"
    SLOW = "slow"
    DEAD = "dead"
    ASLEEP = "asleep"

    @property
    def fault(self) -> Fault | None:
        """What it does to answers; None if it is not about them."""
        return _FAULTS.get(self)


_FAULTS = {
    Trouble.NOISE: Fault.NOISE,
    Trouble.TRUNCATE: Fault.TRUNCATION,
    Trouble.CHECKSUM: Fault.CHECKSUM,
    Trouble.STRANGER: Fault.STRANGER,
    Trouble.SLOW: Fault.SLOW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Packs of one kind.

    link: "pty", "pty:/path/of/a/symlink", or "can:INTERFACE:CHANNEL". address: of the first pack, the
    others follow. baudrate: lets bytes travel as slowly as they would. troubles: by the pack's number
    from 1; ALL for those that have none of their own. talks: packs that can say what nobody asked for
    do. extra: for the protocol's `Device`.
    """

    bms: str
    link: str = "pty"
    cells: int = 16
    soc: float = 0.5
    capacity_ah: float = 100.0
    count: int = 1
    current_a: float = 0.0
    address: int | None = None
    baudrate: int | None = None
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    talks: bool = False
    extra: Extra = field(default_factory=dict)

    def trouble(self, number: int) -> Trouble | None:
        """What is wrong with pack `number`, counted from 1."""
        return self.troubles.get(number, self.troubles.get(ALL))


def check(order: Order) -> Entry:
    """The protocol of an order. Raises ConfigError with everything that is wrong with the order."""
    entry = load(order.bms)
    if problems := list(_problems(order, entry)):
        raise ConfigError(*problems)
    return entry


def _problems(order: Order, entry: Entry) -> Iterable[str]:
    spec = entry.spec
    if not 1 <= order.cells <= CELLS_MAX:
        yield f"--cells {order.cells}: allowed are 1 to {CELLS_MAX}"
    if not 0.0 <= order.soc <= 1.0:
        yield f"--soc {order.soc:g}: a share from 0 to 1, as in --soc 0.5"
    if order.capacity_ah <= 0:
        yield f"--capacity-ah {order.capacity_ah:g}: must be above 0"
    if order.link.partition(":")[0] not in {"pty", "can"}:
        yield f"--link {order.link}: write pty, pty:/path/of/a/symlink or can:INTERFACE:CHANNEL"
    elif (kind_of(order.link) == "can") != (spec.links == ("can",)):
        over = " or ".join(spec.links)
        yield f"--link {order.link}: {order.bms} runs over {over}; use {_usual(spec.links)}"
    elif kind_of(order.link) == "can" and not spec.shared and order.count > 1:
        yield f"--count {order.count}: there can be only one {order.bms} pack on a CAN bus"
    if unknown := [number for number in order.troubles if not ALL <= number <= order.count]:
        yield f"--fault {unknown[0]}:{order.troubles[unknown[0]]}: packs are counted from 1 to {order.count}"
    try:
        addresses(order, entry)
    except ConfigError as error:
        yield from error.problems


def _usual(links: Iterable[str]) -> str:
    return "--link can:virtual:0" if "can" in links else "--link pty"


def addresses(order: Order, entry: Entry) -> list[int | None]:
    """The packs' addresses; all alike where the protocol's packs do not share a wire.

    Raises ConfigError if there is no room for so many.
    """
    spec = entry.spec
    first = spec.address if order.address is None else order.address
    if spec.addresses is None or (first is None and not spec.shared):
        if order.address is not None:
            raise ConfigError(f"--address {order.address}: {order.bms} has no addresses")
        return [None] * order.count
    if first is None:
        first = spec.addresses[0]
    if not spec.shared:
        return [first] * order.count
    found = list(range(first, first + order.count))
    if outside := [one for one in found if one not in spec.addresses]:
        allowed = f"{spec.addresses[0]} to {spec.addresses[-1]}"
        raise ConfigError(
            f"{order.count} packs from address {first} on need {outside[0]}; allowed: {allowed}"
        )
    return [*found]


def parse_troubles(texts: Iterable[str]) -> dict[int, Trouble]:
    """`noise` for all packs, `2:noise` for the second; raises ConfigError for anything else."""
    found: dict[int, Trouble] = {}
    for text in texts:
        number, colon, kind = text.rpartition(":")
        known = [trouble.value for trouble in Trouble]
        if kind not in known or (colon and not (number.isdecimal() and int(number) > 0)):
            raise ConfigError(
                f"--fault {text}: write KIND or PACK:KIND, as in 2:noise; "
                f"KIND is one of {', '.join(known)}{did_you_mean(kind, known)}"
            )
        found[int(number) if colon else ALL] = Trouble(kind)
    return found


def parse_extra(texts: Iterable[str]) -> dict[str, str | int | float | bool]:
    """`KEY=VALUE` as a device's extra option; numbers and true/false are taken as such."""
    found: dict[str, str | int | float | bool] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError(f"--set {text}: write KEY=VALUE, as in variant=JK02_24S")
        found[key] = _value(value)
    return found


def _value(text: str) -> str | int | float | bool:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
