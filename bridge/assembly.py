"""From a checked configuration to a gateway that is ready to run: engine, links, senders, shell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import randbits

from bridge import profiles
from bridge.config import CanInverter, Config, Rs485Inverter
from bridge.config.ceiling import highest_v
from bridge.config.control_checks import OFF
from bridge.config.inverter_checks import overridden
from bridge.control.paths import usual
from bridge.control.server import ControlServer
from bridge.errors import ConfigError, LinkError
from bridge.events import (
    BusCounted,
    Event,
    Expired,
    HealthChanged,
    LineCounted,
    Received,
    Replied,
    SendFailed,
)
from bridge.gateway import Gateway
from bridge.links import bcm
from bridge.links.answering import AnsweringPort
from bridge.links.can import CanPort
from bridge.links.cyclic import CyclicSender
from bridge.links.error_frames import BusHealth
from bridge.links.link import Link
from bridge.links.opening import Opener
from bridge.links.sender import Sender
from bridge.links.serial import Framing
from bridge.profiles import Profile, Rs485Profile
from bridge.protocols.contract import load
from bridge.runtime import Runtime
from bridge.shadow import ListeningLink, Shadow, Tell
from bridge.sinks.can import CanSink
from bridge.sinks.rs485 import Rs485Sink
from bridge.standby import Standby
from bridge.state import StateFile
from bridge.systemd import Notifier


def assemble(config: Config, notifier: Notifier | None = None, state: StateFile | None = None) -> Runtime:
    """The runtime for a configuration, in the running event loop; nothing is opened yet.

    state: where it remembers; None forgets everything. Raises ConfigError for a profile that cannot be used.
    """
    loop = asyncio.get_running_loop()
    links: dict[str, Link] = {}
    sinks: dict[str, CanSink] = {}
    polled: dict[str, Rs485Sink] = {}
    senders: dict[str, Sender] = {}

    def post(event: Event) -> None:
        loop.call_soon_threadsafe(runtime.dispatch, event)

    def answer(event: Event) -> None:
        runtime.answer(event)

    for inverter in config.inverters:
        if isinstance(inverter, Rs485Inverter):
            asking = overridden(profiles.asking(inverter.profile), inverter.baudrate, inverter.address)
            links[inverter.link] = _answering(inverter, asking, answer)
            polled[inverter.name] = Rs485Sink(
                inverter.name, asking, ceiling_v=highest_v(config), wired=config.bank.topology
            )
            continue
        profile = profiles.load(inverter.profile)
        port = _port(inverter, profile, post)
        links[inverter.link] = port
        sinks[inverter.name] = CanSink(inverter.name, profile, ceiling_v=highest_v(config))
        senders[inverter.name] = _sender(inverter, profile, port, post)
    _add_packs(config, links)
    gateway = Gateway(config, sinks, loop.time(), polled)
    beside = None if config.redundancy is None else Standby(gateway, config.redundancy, randbits(NODE_BITS))
    runtime = Runtime(gateway, links, senders, notifier, state, _control(config), engine=beside)
    return runtime


def assemble_shadow(config: Config, notifier: Notifier | None = None, tell: Tell | None = None) -> Runtime:
    """The same for a gateway that only listens to its inverters' buses: there is no sender at all.

    tell: given each report on a difference. The runtime's `engine` is a `Shadow`.
    """
    loop = asyncio.get_running_loop()
    links: dict[str, Link] = {}
    sinks: dict[str, CanSink] = {}

    def post(event: Event) -> None:
        loop.call_soon_threadsafe(runtime.dispatch, event)

    for inverter in config.inverters:
        if isinstance(inverter, Rs485Inverter):
            raise ConfigError(
                f"inverters.{inverter.name}: only a CAN bus can be listened to in the shadow; this inverter "
                "asks over RS485: take its table out of the file that you run with --shadow"
            )
        profile = profiles.load(inverter.profile)
        port = _port(inverter, profile, post, LISTEN_ONLY.get(inverter.interface))
        links[inverter.link] = ListeningLink(port)
        sinks[inverter.name] = CanSink(inverter.name, profile, ceiling_v=highest_v(config))
    _add_packs(config, links)
    gateway = Gateway(config, sinks, loop.time())
    engine = Shadow(gateway) if tell is None else Shadow(gateway, tell)
    runtime = Runtime(gateway, links, {}, notifier, engine=engine)
    return runtime


NODE_BITS = 24  # what tells two gateways apart on a bus
LISTEN_ONLY: Mapping[str, Mapping[str, bool]] = {"slcan": {"listen_only": True}}
"""What makes an adapter not even acknowledge, for the interfaces where python-can can ask for it."""

Post = Callable[[Event], None]


def _port(
    inverter: CanInverter, profile: Profile, post: Post, extra: Mapping[str, bool] | None = None
) -> CanPort:
    return CanPort(
        inverter.interface,
        inverter.channel,
        profile.bitrate,
        extra,
        on_health=_health(inverter.link, post),
        on_counted=lambda counters: post(BusCounted(inverter.link, counters)),
    )


def _answering(inverter: Rs485Inverter, profile: Rs485Profile, post: Post) -> AnsweringPort:
    framing = Framing(profile.baudrate, profile.parity, profile.stop_bits)
    return AnsweringPort(inverter.port, framing, _LineNews(inverter.link, post), inverter.driver_enable)


@dataclass(frozen=True, slots=True)
class _LineNews:
    """What happens on an answering port, as events."""

    link: str
    post: Post

    def heard(self, chunk: bytes, at_s: float) -> None:
        self.post(Received(self.link, chunk, at_s))

    def replied(self, after_s: float | None, problem: str | None) -> None:
        self.post(Replied(self.link, after_s, problem))

    def miscounted(self, framing_errors: int) -> None:
        self.post(LineCounted(self.link, framing_errors))


def _add_packs(config: Config, links: dict[str, Link]) -> None:
    """The packs' links; packs may share a wire, with each other and with an inverter."""
    opener = Opener()
    for pack in config.packs:
        if pack.link not in links:
            links[pack.link] = opener.link(pack.port, load(pack.bms).spec, pack.baudrate)
        if (extra := pack.balancer) is not None and extra.link not in links:
            links[extra.link] = opener.link(extra.port, load(extra.bms).spec)


def _sender(inverter: CanInverter, profile: Profile, port: CanPort, post: Post) -> Sender:
    """The kernel keeps the cycle where it can, a thread everywhere else."""
    expired, failed = _expired(inverter.name, post), _failed(inverter.name, post)
    if inverter.interface == "socketcan" and bcm.offered():
        return bcm.BcmSender(
            inverter.channel,
            profile.period_s,
            port.send,
            profile.spacing_s,
            repeat_gap_s=profile.repeat_gap_s,
            on_expired=expired,
            on_error=failed,
        )
    return CyclicSender(
        port.send,
        profile.period_s,
        profile.spacing_s,
        repeat_gap_s=profile.repeat_gap_s,
        on_expired=expired,
        on_error=failed,
        name=f"send {inverter.name}",
    )


def _health(link: str, post: Post) -> Callable[[BusHealth], None]:
    return lambda health: post(HealthChanged(link, health.value))


def _expired(sink: str, post: Post) -> Callable[[], None]:
    return lambda: post(Expired(sink))


def _failed(sink: str, post: Post) -> Callable[[LinkError], None]:
    return lambda error: post(SendFailed(sink, str(error)))


def _control(config: Config) -> ControlServer | None:
    name, place = config.gateway.name, config.gateway.control
    if place == OFF:
        return None
    return ControlServer(usual(name) if place is None else Path(place), name)
