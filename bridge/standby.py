"""One of two gateways on a bus: an engine around the engine that lets its cycle out, or not.

The gateway inside computes and decides as if it were alone. What it would send is kept here and armed
only while `redundancy.Redundancy` says that the cycle of that bus is ours; each inverter's bus has a
machine of its own, so that a cut bus does not silence another one.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.config.redundancy_checks import unfit
from bridge.config.settings import RedundancyConfig
from bridge.control.answers import granted, refused
from bridge.control.requests import GiveCycle, TakeCycle
from bridge.errors import ConfigError
from bridge.events import (
    Action,
    Alive,
    Answer,
    Arm,
    Asked,
    Event,
    Finish,
    HandOver,
    HealthChanged,
    Level,
    LinkDown,
    LinkUp,
    Received,
    Report,
    Send,
    TakeOver,
)
from bridge.gateway import Gateway
from bridge.model import CanFrame
from bridge.redundancy import Move, Part, Redundancy, Say
from bridge.sinks.can import CanSink

OFF = "bus-off"
LINGER = 1.0  # periods in which what the other one still had in its queue is no second battery


class Bus:
    """One inverter's bus: its machine, and the cycle that waits for its word."""

    def __init__(self, sink: CanSink, settings: RedundancyConfig, node: int) -> None:
        presence_id = sink.profile.presence_id
        if (fault := unfit(sink.profile)) is not None or presence_id is False:
            raise ConfigError(fault or "")
        if (presence_id, False) in sink.dialect.messages:
            raise ConfigError(f"{sink.profile.path}: presence_id: 0x{presence_id:X} is in use in its dialect")
        self.name = sink.name
        self.presence_id = presence_id
        self.period_s = sink.profile.period_s
        self.ids = {
            (can_id + sink.profile.id_offset, extended)
            for (can_id, extended), message in sink.dialect.messages.items()
            if message.ours
        }
        self.machine = Redundancy(
            role=settings.role,
            priority=settings.rank,
            node=node,
            period_s=self.period_s,
            take_back=settings.take_back,
        )
        self.armed: Arm | None = None
        self.armed_s = 0.0
        self.since_s = 0.0  # when we began to send

    @property
    def active(self) -> bool:
        """Whether the cycle is ours."""
        return self.machine.part is Part.ACTIVE

    def moves(self, moves: list[Move | Say], link: str, now: float) -> list[Action]:
        """What the machine wants, as actions."""
        actions: list[Action] = []
        for move in moves:
            match move:
                case Say(data):
                    actions.append(Send(link, CanFrame(self.presence_id, data)))
                case Move.BEGIN:
                    self.since_s = now
                    actions += [*self._begin(now), self._report("active")]
                case Move.CEASE:
                    actions += [Arm(self.name, (), self.period_s), self._report("standby")]
        return actions

    def report(self, now: float) -> dict[str, object]:
        """For the status: which part we play and who else is there."""
        peer = self.machine.peer
        heard = peer is not None and now - self.machine.peer_s <= 2 * self.period_s
        other = {"part": peer.part.name.lower(), "rank": peer.priority} if peer and heard else None
        return {"part": self.machine.part.name.lower(), "rank": self.machine.priority, "other": other}

    def _begin(self, now: float) -> list[Action]:
        """What was decided last, for as long as it would still be valid."""
        if self.armed is None:
            return []
        left_s = self.armed.valid_for_s - (now - self.armed_s)
        return [replace(self.armed, valid_for_s=left_s, urgent=())] if left_s > 0 else []

    def _report(self, part: str) -> Report:
        other = self.machine.peer
        fields = {"inverter": self.name, "part": part, "other": other is not None}
        return Report(Level.WARNING, "redundancy", fields)


class Standby:
    """The gateway's engine beside another gateway; see `Gateway` for the two calls.

    node: a number that the other gateway does not have, 24 bits. Raises ConfigError for a profile that
    leaves no room for a presence frame.
    """

    def __init__(self, gateway: Gateway, settings: RedundancyConfig, node: int) -> None:
        self.gateway = gateway
        self.buses = {
            inverter.link: Bus(gateway.sinks[inverter.name], settings, node)
            for inverter in gateway.config.inverters
        }
        self._by_name = {bus.name: (link, bus) for link, bus in self.buses.items()}
        gateway.more["redundancy"] = lambda now: {bus.name: bus.report(now) for bus in self.buses.values()}

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event in; the actions are to be carried out in order."""
        actions: list[Action] = []
        for link, bus in self.buses.items():
            actions += bus.moves(_machine(bus, link, event, now), link, now)
        if isinstance(event, Asked) and isinstance(event.request, GiveCycle | TakeCycle):
            actions += self._asked(event.client, event.request, now)
        elif isinstance(event, HandOver | TakeOver):
            actions += self._told(event, now)
        elif not self._kept(event, now):
            for action in self.gateway.handle(event, now):
                actions += self._let_out(action, now)
        for link, bus in self.buses.items():
            actions += bus.moves(bus.machine.tick(now), link, now)
        return actions

    def next_wakeup(self) -> float:
        """When a `Tick` is due at the latest."""
        return min([self.gateway.next_wakeup(), *(bus.machine.next_s() for bus in self.buses.values())])

    def _asked(self, client: int, request: GiveCycle | TakeCycle, now: float) -> list[Action]:
        told = self._told(HandOver() if isinstance(request, GiveCycle) else TakeOver(), now)
        why = [f"{one.fields['inverter']}: {one.fields['why']}" for one in told if isinstance(one, Report)]
        reply = refused(self.gateway, "; ".join(why)) if why else granted(self.gateway, {"asked": True})
        return [*told, Answer(client, reply)]

    def _told(self, event: HandOver | TakeOver, now: float) -> list[Action]:
        actions: list[Action] = []
        for bus in self.buses.values():
            ask = bus.machine.hand_over if isinstance(event, HandOver) else bus.machine.take_over
            if not ask(now) and bus.active is isinstance(event, HandOver):
                why = "nobody there who could" if bus.active else "there is nothing to send yet"
                fields = {"inverter": bus.name, "why": why}
                actions.append(Report(Level.WARNING, "redundancy_refused", fields))
        return actions

    def _kept(self, event: Event, now: float) -> bool:
        """Whether an event is none of the gateway's: presence, and what the other one sends."""
        if not isinstance(event, Received) or not isinstance(event.payload, CanFrame):
            return False
        bus, frame = self.buses.get(event.link), event.payload
        if bus is None:
            return False
        if frame.can_id == bus.presence_id and not frame.extended:
            return True
        theirs = not bus.active or now - bus.since_s <= LINGER * bus.period_s
        return theirs and frame.key in bus.ids

    def _let_out(self, action: Action, now: float) -> list[Action]:
        match action:
            case Arm(sink, frames):
                link, bus = self._by_name[sink]
                was_active = bus.active
                bus.armed, bus.armed_s = action, now
                moves = bus.moves(bus.machine.ready(now, ready=bool(frames)), link, now)
                return [*moves, action if was_active and bus.active else Alive()]
            case Finish(sink, frames):
                link, bus = self._by_name[sink]
                last = frames if bus.active else ()
                moves = bus.moves(bus.machine.ready(now, ready=False), link, now)
                says = [move for move in moves if isinstance(move, Send)]
                return [*says, Finish(sink, last)]
            case Send(link, CanFrame() as frame) if self._withheld(link, frame):
                return []
        return [action]

    def _withheld(self, link: str, frame: CanFrame) -> bool:
        """Whether a frame beside the cycle is for an inverter that the other gateway feeds."""
        bus = self.buses.get(link)
        return bus is not None and not bus.active and frame.key in bus.ids


def _machine(bus: Bus, link: str, event: Event, now: float) -> list[Move | Say]:
    """What an event means to one bus's machine."""
    machine = bus.machine
    match event:
        case LinkUp(name) if name == link:
            return machine.link(now, up=True)
        case LinkDown(name) if name == link:
            return machine.link(now, up=False)
        case HealthChanged(name, health) if name == link and (health == OFF) is machine.up:
            return machine.link(now, up=health != OFF)
        case Received(name, CanFrame(can_id, data, extended)) if name == link:
            if can_id == bus.presence_id and not extended:
                return machine.heard(data, now)
            if (can_id, extended) in bus.ids:
                return machine.cycle(now)
    return []
