"""All configured packs with their wires: the drivers, and what belongs to a pack beside its BMS.

A balancer is an accessory: it measures cells, but it is no pack. Its cells complete the samples of its
pack where the BMS gives none; they never replace what the BMS says, and a sample with borrowed cells
is as old as the older of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bridge.config.settings import PackConfig
from bridge.links.opening import kind_of
from bridge.model import PackSample
from bridge.protocols.contract import Options, Payload, load
from bridge.sources.bus import Bus, Informed, Output, Sampled, Unit
from bridge.sources.statistics import Statistics

ACCESSORY_SUFFIX = "/balancer"
ACCESSORY_FRESH_S = 5.0  # cells that are older complete nothing

REOPEN_AFTER = {"ble": 3, "serial": 10}
"""Polls without an answer before the connection is doubted: a radio module hangs more often than a wire,
and a serial server on the network may have forgotten us. A CAN bus is no connection."""


@dataclass(frozen=True, slots=True)
class _Seat:
    """One conversation: whose, over what, in which protocol."""

    unit: str
    link: str
    port: str
    bms: str
    baudrate: int
    options: Options
    period_s: float


class Sources:
    """The drivers of all wires, by link. Outputs come with the link that they belong to."""

    def __init__(self, packs: Sequence[PackConfig]) -> None:
        seats = [seat for pack in packs for seat in _seats(pack)]
        self._packs = {pack.name: pack for pack in packs}
        self._balancers: dict[str, PackSample] = {}
        self._buses = {
            link: _bus([seat for seat in seats if seat.link == link])
            for link in dict.fromkeys(seat.link for seat in seats)
        }

    def packs_on(self, link: str) -> list[str]:
        """The packs that are lost when this link is."""
        return [name for name, pack in self._packs.items() if pack.link == link]

    def statistics(self, pack: str) -> Statistics:
        """How well a pack answers."""
        units = self._buses[self._packs[pack].link].units
        return next(unit.statistics for unit in units if unit.pack == pack)

    def link_up(self, link: str, now: float) -> list[tuple[str, Output]]:
        """A link was opened."""
        return self._with(link, self._buses[link].link_up(now)) if link in self._buses else []

    def link_down(self, link: str) -> None:
        """A link failed."""
        if link in self._buses:
            self._buses[link].link_down()

    def received(self, link: str, payload: Payload, now: float) -> list[tuple[str, Output]]:
        """Something arrived on a link."""
        return self._with(link, self._buses[link].received(payload, now)) if link in self._buses else []

    def wake(self, now: float) -> list[tuple[str, Output]]:
        """Whatever is due on any link."""
        return [one for link, bus in self._buses.items() for one in self._with(link, bus.wake(now))]

    def next_wakeup(self) -> float:
        """When `wake` has something to do again."""
        return min((bus.next_wakeup() for bus in self._buses.values()), default=float("inf"))

    def completed(self, outputs: Iterable[Output]) -> list[Output]:
        """The drivers' outputs with what the accessories add, and without the accessories' own."""
        found: list[Output] = []
        for output in outputs:
            if not isinstance(output, Sampled | Informed):
                found.append(output)
            elif not output.pack.endswith(ACCESSORY_SUFFIX):
                found.append(self._completed(output) if isinstance(output, Sampled) else output)
            elif isinstance(output, Sampled):
                self._balancers[output.pack.removesuffix(ACCESSORY_SUFFIX)] = output.sample
        return found

    def _with(self, link: str, outputs: Iterable[Output]) -> list[tuple[str, Output]]:
        return [(link, output) for output in self.completed(outputs)]

    def _completed(self, sampled: Sampled) -> Sampled:
        sample, balancer = sampled.sample, self._balancers.get(sampled.pack)
        if balancer is None or sample.cell_voltages_v:
            return sampled
        if abs(sample.time_s - balancer.time_s) > ACCESSORY_FRESH_S:
            return sampled
        return replace(
            sampled,
            sample=replace(
                sample,
                time_s=min(sample.time_s, balancer.time_s),
                cell_voltages_v=balancer.cell_voltages_v,
                balancing=balancer.balancing if sample.balancing is None else sample.balancing,
            ),
        )


def _seats(pack: PackConfig) -> Iterable[_Seat]:
    period_s = pack.settings.period_s
    yield _Seat(pack.name, pack.link, pack.port, pack.bms, pack.baudrate, pack.options, period_s)
    if (extra := pack.balancer) is not None:
        name, baudrate = pack.name + ACCESSORY_SUFFIX, load(extra.bms).spec.baudrate
        yield _Seat(name, extra.link, extra.port, extra.bms, baudrate, extra.options, period_s)


def _bus(seats: Sequence[_Seat]) -> Bus:
    first, protocol = seats[0], load(seats[0].bms)
    units = [Unit(seat.unit, protocol.session(seat.options), seat.period_s) for seat in seats]
    kind = kind_of(first.port)
    baudrate = first.baudrate if kind == "serial" else None
    return Bus(
        protocol.spec.over(kind),
        protocol.decoder(),
        units,
        baudrate=baudrate,
        reopen_after=REOPEN_AFTER.get(kind),
    )
