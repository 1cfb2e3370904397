"""What is wrong with a CAN bus, told from what its port counts: one sentence on what to do for each.

A port only counts; each second the counts come here, and what they grew by is the evidence. A trouble
is reported when it starts and when it has been gone for a while, never in between, because a bus with
a fault produces thousands of errors a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from bridge.events import Action, BusCounters, Level, Report, Restart
from bridge.sinks.can import SinkStatus

GONE_S = 10.0  # without evidence for so long, a trouble is over
BUSY_SHARE = 0.8  # of the bit rate; a bus that is fuller delays its less important frames
BUSY_FOR_S = 3.0
STUCK_AFTER_S = 3.0  # passive and without a good frame for so long
RECOVER_AFTER_S = 3.0  # longer than any sensible restart-ms
RECOVER_AT_MOST_EVERY_S = 60.0
OVERHEAD = 1.1  # stuffed bits, in the middle between none and one in five


class Trouble(StrEnum):
    """What a bus can have."""

    NOT_ACKNOWLEDGED = "not-acknowledged"
    BIT_RATE = "bit-rate"
    NOISE = "noise"
    FLOOD = "flood"
    OVERRUN = "overrun"
    REMOTE_FRAMES = "remote-frames"
    FD_FRAMES = "fd-frames"


HELP: Mapping[Trouble, str] = {
    Trouble.NOT_ACKNOWLEDGED: "nobody acknowledges what we send: check that the inverter is on, that the "
    "cable leads to its BMS socket, CAN-H against CAN-L, and the bit rate",
    Trouble.BIT_RATE: "only errors and no frame: somebody talks at another bit rate, or CAN-H and CAN-L are "
    "swapped; set the profile's bit rate on the interface and compare the pins",
    Trouble.NOISE: "errors between good frames: check the termination (120 ohm at both ends, 60 ohm between "
    "CAN-H and CAN-L with all off), the length of stubs and the ground",
    Trouble.FLOOD: "the bus is almost full: find who sends so much (candump), and give the inverter a bus "
    "of its own",
    Trouble.OVERRUN: "frames were lost here: this machine or its adapter does not keep up; raise the "
    "interface's txqueuelen, or take other work from the machine",
    Trouble.REMOTE_FRAMES: "somebody asks by remote frames, which no dialect here answers: harmless, but is "
    "it the right inverter?",
    Trouble.FD_FRAMES: "somebody sends CAN FD frames, which a classic inverter takes for errors: take that "
    "device off the bus",
}
"""What to do, by trouble."""
ODDITIES: Mapping[str, tuple[Level, str]] = {
    "echoes": (Level.INFO, "the adapter hands back what we send: harmless, and told from a second battery"),
    "malformed": (
        Level.WARNING,
        "frames of the wrong length or format with known identifiers: ignored; is the profile right?",
    ),
}
"""By counter of `SinkStatus`: what is said once, when the first comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """What the counts grew by since the last time."""

    heard: int
    no_acknowledge: int
    protocol_errors: int
    overruns: int
    remote_frames: int
    fd_frames: int
    load: float


class BusWatch:
    """One bus. Pure: counts and times come in, reports and restarts go out.

    reopens: closing and opening the port starts its controller anew, as it does not where that is the
    kernel's.
    """

    def __init__(self, link: str, bitrate: int, *, reopens: bool = True) -> None:
        self._link = link
        self._bitrate = bitrate
        self._reopens = reopens
        self._before: tuple[BusCounters, float] | None = None
        self._evidence_s: dict[Trouble, float] = {}
        self._present: dict[Trouble, float] = {}
        self._busy_since_s: float | None = None
        self._heard_s: float | None = None
        self._off_since_s: float | None = None
        self._wait_s = RECOVER_AFTER_S
        self._load = 0.0

    def counted(self, counters: BusCounters, now: float) -> list[Action]:
        """Take in what a port has counted so far."""
        before, self._before = self._before, (counters, now)
        if before is not None and now > before[1]:
            growth = _grown(before[0], counters, now - before[1], self._bitrate)
            self._load = growth.load
            for trouble in self._found(growth, counters, now):
                self._evidence_s[trouble] = now
        return [*self._news(now), *self._recovery(counters, now)]

    def opened(self) -> None:
        """The port was opened: its counters and its controller start anew."""
        self._before = self._busy_since_s = self._heard_s = self._off_since_s = None

    def report(self) -> dict[str, object]:
        """Health, troubles and counters, as JSON can carry them."""
        troubles = [{"trouble": one.value, "help": HELP[one]} for one in self._present]
        shown: dict[str, object] = {"load_pct": round(100 * self._load, 1), "troubles": troubles}
        return shown if self._before is None else asdict(self._before[0]) | shown

    def _found(self, growth: _Growth, counters: BusCounters, now: float) -> list[Trouble]:
        if growth.heard or self._heard_s is None:
            self._heard_s = now
        stuck = counters.health in {"passive", "bus-off"} and now - self._heard_s >= STUCK_AFTER_S
        deaf = (growth.protocol_errors > 0 or (stuck and counters.deaf)) and not growth.no_acknowledge
        evidence = {
            Trouble.NOT_ACKNOWLEDGED: growth.no_acknowledge > 0 or (stuck and not deaf),
            Trouble.BIT_RATE: deaf and not growth.heard,
            Trouble.NOISE: growth.protocol_errors > 0 and growth.heard > 0,
            Trouble.FLOOD: self._busy(growth.load, now),
            Trouble.OVERRUN: growth.overruns > 0,
            Trouble.REMOTE_FRAMES: growth.remote_frames > 0,
            Trouble.FD_FRAMES: growth.fd_frames > 0,
        }
        return [trouble for trouble, there in evidence.items() if there]

    def _busy(self, load: float, now: float) -> bool:
        if load < BUSY_SHARE:
            self._busy_since_s = None
            return False
        if self._busy_since_s is None:
            self._busy_since_s = now
        return now - self._busy_since_s >= BUSY_FOR_S

    def _news(self, now: float) -> list[Action]:
        reports: list[Action] = []
        for trouble, seen_s in self._evidence_s.items():
            fields: dict[str, object] = {"link": self._link, "trouble": trouble.value}
            if seen_s == now and trouble not in self._present:
                self._present[trouble] = now
                reports.append(Report(Level.WARNING, "bus_trouble", fields | {"help": HELP[trouble]}))
            elif trouble in self._present and now - seen_s >= GONE_S:
                lasted_s = round(seen_s - self._present.pop(trouble), 1)
                reports.append(Report(Level.INFO, "bus_trouble_over", fields | {"lasted_s": lasted_s}))
        return reports

    def _recovery(self, counters: BusCounters, now: float) -> list[Action]:
        """A controller that stays off the bus is opened anew, at growing intervals.

        Adapters behind a serial port or USB library start afresh then; a kernel's interface needs its
        own restart-ms, which the report of the health says.
        """
        if counters.health != "bus-off" or not self._reopens:
            self._off_since_s = None
            if counters.health == "ok":
                self._wait_s = RECOVER_AFTER_S
            return []
        if self._off_since_s is None:
            self._off_since_s = now
        if now - self._off_since_s < self._wait_s:
            return []
        self._off_since_s = None
        self._wait_s = min(2 * self._wait_s, RECOVER_AT_MOST_EVERY_S)
        return [Restart(self._link, "the controller stays in bus-off")]


def oddities(inverter: str, status: SinkStatus, said: set[str]) -> list[Action]:
    """What is worth one line when an inverter's bus first brings it. said: what was, to be kept."""
    new = [event for event in ODDITIES if event not in said and getattr(status, event)]
    said.update(new)
    return [Report(ODDITIES[one][0], one, {"inverter": inverter, "help": ODDITIES[one][1]}) for one in new]


def _grown(before: BusCounters, after: BusCounters, seconds: float, bitrate: int) -> _Growth:
    return _Growth(
        heard=after.heard - before.heard,
        no_acknowledge=after.no_acknowledge - before.no_acknowledge,
        protocol_errors=after.protocol_errors - before.protocol_errors,
        overruns=after.overruns - before.overruns + after.dropped - before.dropped,
        remote_frames=after.remote_frames - before.remote_frames,
        fd_frames=after.fd_frames - before.fd_frames,
        load=OVERHEAD * (after.bits - before.bits) / (seconds * bitrate),
    )
