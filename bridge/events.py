"""What crosses the line between the engine and its shell: events in, actions out.

All are frozen values, so a day of them can be recorded, and replayed to the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bridge.control.requests import Request
from bridge.model import CanFrame
from bridge.protocols.contract import Payload

# Events


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A link was opened."""

    link: str


@dataclass(frozen=True, slots=True)
class LinkDown:
    """A link failed or could not be opened."""

    link: str
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes or a frame arrived on a link. at_s: when, where the link says so; else when it is handled."""

    link: str
    payload: Payload
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; nothing else."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A sender fell silent because no fresh decision came in time."""

    sink: str


@dataclass(frozen=True, slots=True)
class SendFailed:
    """A cycle could not be sent."""

    sink: str
    reason: str


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A CAN controller reports another state: ok, warning, passive or bus-off."""

    link: str
    health: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BusCounters:
    """What a CAN port has counted since it was made.

    received: good frames; heard: those of them that came from another node, and so prove that the bus
    works; bits: on the wire for all, without stuffing. dropped: frames that came faster
    than they could be taken. health: as in `HealthChanged`; deaf: it is passive for what it receives.
    tx_errors, rx_errors: the controller's error counters, None where the interface does not tell them.
    """

    received: int = 0
    heard: int = 0
    bits: int = 0
    dropped: int = 0
    error_frames: int = 0
    no_acknowledge: int = 0
    protocol_errors: int = 0
    overruns: int = 0
    bus_offs: int = 0
    remote_frames: int = 0
    fd_frames: int = 0
    send_errors: int = 0
    health: str = "ok"
    deaf: bool = False
    tx_errors: int | None = None
    rx_errors: int | None = None


@dataclass(frozen=True, slots=True)
class BusCounted:
    """A second on a CAN bus has passed."""

    link: str
    counters: BusCounters


@dataclass(frozen=True, slots=True)
class Replied:
    """An answer with a `Window` began so long after the question; or never, and why: "late" or "busy"."""

    link: str
    after_s: float | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LineCounted:
    """How many bytes a serial port could not make out so far, where its driver tells."""

    link: str
    framing_errors: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """Where two gateways feed an inverter: a person wants the other one to send."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The same: a person wants this one to send."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The gateway is asked to end."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asks over the control socket. client: whom the `Answer` is for."""

    client: int
    request: Request


Event = (
    LinkUp
    | LinkDown
    | Received
    | Tick
    | Expired
    | SendFailed
    | HealthChanged
    | BusCounted
    | Replied
    | LineCounted
    | HandOver
    | TakeOver
    | Stop
    | Asked
)


# Actions


@dataclass(frozen=True, slots=True)
class Window:
    """When an answer may begin: not before earliest_s, not after latest_s, and not at all if anything was
    heard since heard_s, when its question ended.
    """

    heard_s: float
    earliest_s: float
    latest_s: float


@dataclass(frozen=True, slots=True)
class Send:
    """Write this to a link, once. window: of an answer; None: at once."""

    link: str
    payload: Payload
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Restart:
    """Close a link and open it again."""

    link: str
    reason: str


@dataclass(frozen=True, slots=True)
class Arm:
    """Send these frames each cycle, until replaced, for valid_for_s at the most; none: be silent.

    urgent: those of the frames that do not wait for their turn, because a limit fell.
    """

    sink: str
    frames: tuple[CanFrame, ...]
    valid_for_s: float
    urgent: tuple[CanFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """Send these frames as one last cycle, then be silent."""

    sink: str
    frames: tuple[CanFrame, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """Keep this for the next run, in place of what was kept before."""

    state: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Alive:
    """A decision was made that nobody is to be sent; what watches over us may know."""


class Level(Enum):
    """How loudly a report is to be said."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Report:
    """Something that a person may want to know: one event with named fields, units in the names."""

    level: Level
    event: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell this to who asked; values that JSON can carry."""

    client: int
    reply: Mapping[str, object]


Action = Send | Restart | Arm | Finish | Alive | Save | Report | Answer
