"""Shadow mode: beside an existing battery, compute everything and send nothing.

An engine around the engine. What the gateway would send is taken out of its actions here and compared
with what the existing battery says; the shell that carries the rest out was given no sender and links
that cannot write on an inverter's bus, so no fault in this file can put a frame there either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.comparison import Comparison, Difference
from bridge.events import (
    Action,
    Alive,
    Arm,
    Event,
    Finish,
    Level,
    LinkUp,
    Received,
    Report,
    Send,
)
from bridge.gateway import Gateway
from bridge.links.link import Link
from bridge.model import CanFrame
from bridge.protocols.contract import Payload

OF_SENDING = frozenset({"other_sender", "inverter", "sending", "sender_expired", "send_failed"})
"""Reports that make no sense of somebody who sends nothing."""

Tell = Callable[[Report], None]


def _nobody(_report: Report) -> None:
    """For who does not ask."""


class ListeningLink:
    """A link that hears everything and can say nothing."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        """As the link itself."""
        await self._link.run(up, receive)

    def write(self, payload: Payload) -> None:
        """Nothing: this is the point of it."""


class Shadow:
    """The gateway's engine with its mouth shut; see `Gateway` for the two calls.

    tell: also given every report on differences, as it is made.
    """

    def __init__(self, gateway: Gateway, tell: Tell = _nobody) -> None:
        self.gateway = gateway
        self._tell = tell
        self._buses = {inverter.link: inverter.name for inverter in gateway.config.inverters}
        self.comparisons: Mapping[str, Comparison] = {
            name: Comparison(sink.dialect, sink.profile.id_offset) for name, sink in gateway.sinks.items()
        }
        self._lost_after_s = {name: sink.profile.comm_fault_s for name, sink in gateway.sinks.items()}
        self._present: dict[str, bool] = {}
        self._since_s: dict[str, float] = {}

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event in; none of the actions sends anything to an inverter."""
        reports: list[Report] = []
        if isinstance(event, LinkUp) and event.link in self._buses:
            self._since_s.setdefault(self._buses[event.link], now)
        theirs = self._theirs(event)
        if theirs is None:
            actions = self._silenced(self.gateway.handle(event, now))
        else:
            name, frame = theirs
            actions = []
            reports += [_report(name, one) for one in self.comparisons[name].theirs(frame, now)]
        reports += self._presence(now)
        for report in reports:
            self._tell(report)
        return [*actions, *reports]

    def next_wakeup(self) -> float:
        """When a `Tick` is due at the latest."""
        return self.gateway.next_wakeup()

    def summary(self) -> dict[str, list[dict[str, object]]]:
        """Every signal of every inverter's bus, as JSON can carry it."""
        return {name: [row.report() for row in one.rows()] for name, one in self.comparisons.items()}

    def _theirs(self, event: Event) -> tuple[str, CanFrame] | None:
        """A frame of the existing battery, which the gateway would take for a rival's."""
        if not isinstance(event, Received) or not isinstance(event.payload, CanFrame):
            return None
        name = self._buses.get(event.link)
        if name is None or not self.comparisons[name].is_theirs(event.payload):
            return None
        return name, event.payload

    def _silenced(self, actions: list[Action]) -> list[Action]:
        kept: list[Action] = []
        for action in actions:
            match action:
                case Arm(sink, frames):
                    if frames or not self.gateway.sinks[sink].profile.polls:
                        self.comparisons[sink].ours(frames)
                    kept.append(Alive())
                case Finish():
                    pass
                case Send(link, payload) if link in self._buses:
                    if isinstance(payload, CanFrame):
                        self.comparisons[self._buses[link]].also(payload)
                case Report(event=event) if event in OF_SENDING:
                    pass
                case _:
                    kept.append(action)
        return kept

    def _presence(self, now: float) -> list[Report]:
        """Whether the existing battery is there, where that changed."""
        reports = []
        for name, comparison in self.comparisons.items():
            last_s = comparison.heard_s if comparison.heard_s is not None else self._since_s.get(name)
            if last_s is None:
                continue
            silent = now - last_s > self._lost_after_s[name]
            if comparison.heard_s is None and not silent:
                continue  # it has not had its time yet
            if self._present.get(name) is not (not silent):
                self._present[name] = not silent
                level = Level.WARNING if silent else Level.INFO
                reports.append(Report(level, "shadow_battery", {"inverter": name, "heard": not silent}))
        return reports


def _report(inverter: str, difference: Difference) -> Report:
    fields: dict[str, object] = {
        "inverter": inverter,
        "signal": difference.signal,
        "unit": difference.unit,
        "theirs": difference.theirs,
        "ours": difference.ours,
    }
    if difference.differs:
        return Report(Level.WARNING, "shadow_differs", fields | {"tolerance": difference.tolerance})
    return Report(Level.INFO, "shadow_agrees", fields | {"differed_s": round(difference.lasted_s, 1)})
