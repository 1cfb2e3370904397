"""A pack or rack that already speaks the Pylontech CAN dialect: commercial batteries, JK's own CAN.

It repeats a set of frames about once a second and is never asked for anything: nothing is ever sent to
it. The core frames are read with the DBC that our own sinks are encoded with, so writing and reading
cannot drift apart.

One idea: a reading is one whole set. A frame counts once; the next reading needs every frame again, and
what a pack says about permission is taken together with its protections, never alone. 0x305 proves
nothing, whoever sent it.

Sources: hoylabs/OpenDTU-OnBattery src/battery/pylontech and pull request 1213, Sleeper85/esphome-yambms
(vendor document V1.2), mikaabra/pylontech-bms-mqtt docs/PROTOCOL_REFERENCE.md (force charge).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from bridge.model import Alarm, CanFrame, PackInfo, Reading
from bridge.protocols import _pylontech_core as core
from bridge.protocols import _pylontech_frames as more
from bridge.protocols._pylontech_device import Device
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Dropped, Message, Options, Payload, Raw, Script, Spec

if TYPE_CHECKING:
    from bridge.sinks.dialect import Dialect

__all__ = ["SPEC", "Decoder", "Device", "Session"]

SPEC = Spec(
    maker="Pylontech CAN (racks and packs that speak to an inverter by themselves)",
    links=("can",),
    bitrate=500_000,
    reply_timeout_s=10.0,  # a set repeats about once a second; BYD packs take 10 s for a part of it
)

DIALECT = "pylontech-lv.dbc"

LIMITS, SOC, MEASUREMENT, ALARMS, REQUESTS, NAME = (
    "limits",
    "soc",
    "measurement",
    "alarms",
    "requests",
    "name",
)
PAIRS = more.FRAMES[0x35A].name

_CORE = {0x351: LIMITS, 0x355: SOC, 0x356: MEASUREMENT, 0x359: ALARMS, 0x35C: REQUESTS, 0x35E: NAME}
_LEAST_BYTES = {LIMITS: 6, SOC: 4, MEASUREMENT: 6, ALARMS: 4, REQUESTS: 1, NAME: 1}


@cache
def _dialect() -> Dialect:
    """The sinks' own dialect; loaded late and once, because it needs a file and what reads DBC."""
    from bridge.profiles import folders
    from bridge.sinks.dialect import load

    paths = [folder / "dialects" / DIALECT for folder in folders()]
    return load(next((path for path in paths if path.is_file()), paths[-1]))


class Decoder:
    """One message a frame. Remembers what it must to read the next: the scale of 0x356 and the maker."""

    def __init__(self) -> None:
        self._dialect = _dialect()
        self._scale = core.VoltageScale()
        self._maker: Mapping[int, more.Frame] = {}

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """The message in a frame, or why there is none."""
        if not isinstance(payload, CanFrame):
            return [Dropped(Drop.NOISE, len(payload), "no CAN frame")] if payload else []
        try:
            return [self._message(payload)]
        except BadFrame as bad:
            return [Dropped(bad.reason, max(1, len(payload.data)), bad.detail)]

    def sent(self, payload: Payload) -> None:
        """Nothing to remember: nothing is ever sent."""

    def reset(self) -> list[Message | Dropped]:
        """Nothing to give up: a frame arrives whole."""
        return []

    def _message(self, frame: CanFrame) -> Message:
        if frame.extended:
            known = more.FRAMES.get(frame.can_id) if frame.can_id == more.INVERTER_ALIVE else None
        elif (name := _CORE.get(frame.can_id)) is not None:
            return self._core(name, frame)
        else:
            known = self._maker.get(frame.can_id) or more.FRAMES.get(frame.can_id)
        if known is None:
            raise BadFrame(Drop.UNKNOWN, f"identifier {frame.can_id:X}")
        return Message(known.name, *more.read(known, frame.data))

    def _core(self, name: str, frame: CanFrame) -> Message:
        if len(frame.data) < _LEAST_BYTES[name]:
            raise BadFrame(Drop.LENGTH, f"{name} of {len(frame.data)} bytes")
        if name == NAME:
            return Message(name, Reading(), self._name(frame.data))
        values = self._dialect.decode(frame)
        if name == LIMITS:
            return Message(name, *core.limits(values, self._scale))
        if name == MEASUREMENT:
            return Message(name, *core.measurement(values, self._scale))
        return Message(name, *_READERS[name](values, frame.data))

    def _name(self, data: bytes) -> Mapping[str, Raw]:
        raw = more.deye_name(data) or {"name": more.characters(data)}
        if raw.get("brand") == more.DEYE:
            self._maker = more.DEYE_FRAMES
        elif raw["name"] == more.DISCOVER:
            self._maker = more.DISCOVER_FRAMES
        return raw


_READERS = {SOC: core.soc, ALARMS: core.alarms, REQUESTS: core.requests}


class Session:
    """Collects sets; it never sends anything."""

    streams = True

    MEASURED = frozenset({LIMITS, SOC, MEASUREMENT})
    PYLONTECH = MEASURED | {ALARMS, REQUESTS}
    VICTRON = MEASURED | {PAIRS}
    USED = PYLONTECH | VICTRON | {"extremes", "extremes_kelvin", "installed_capacity"}
    SURE_AFTER_CYCLES = 2

    def __init__(self, options: Options) -> None:  # noqa: ARG002  # one pack a bus, with nothing to configure
        self._parts: dict[str, Message] = {}
        self._pylontech = False
        self._cycles = 0

    def open(self) -> Script[None]:
        """Nothing is sent; what was collected over the old connection is forgotten, not what kind it is."""
        self._parts.clear()
        yield from ()

    def info(self) -> Script[PackInfo | None]:
        """None: a set says nothing of its pack's settings."""
        yield from ()
        return None

    def poll(self) -> Script[Reading]:
        """Never run: a pack of this kind is only listened to."""
        yield from ()
        return Reading()

    def collect(self, message: Message) -> Reading | None:
        """A reading when a set is complete, of messages newer than the last one's."""
        if message.name not in self.USED:
            return None
        self._parts[message.name] = message
        self._pylontech |= message.name in (ALARMS, REQUESTS)
        self._cycles += message.name == LIMITS
        if not self._needed() <= self._parts.keys():
            return None
        reading = _of_set(self._parts)
        self._parts.clear()
        return reading

    def _needed(self) -> frozenset[str]:
        """A pack that leaves out 0x359 and 0x35C has its alarms in 0x35A and its permission in its limits.

        That it leaves them out is only sure after some cycles; one that has sent them once owes them.
        """
        if self._pylontech or self._cycles <= self.SURE_AFTER_CYCLES:
            return self.PYLONTECH
        return self.VICTRON


def _of_set(parts: Mapping[str, Message]) -> Reading:
    reading = Reading()
    for message in parts.values():
        reading |= message.reading
    protections, warnings = _alarms_of(parts)
    limits, trusted = core.trusted_limits(parts[LIMITS].reading)
    if not trusted:
        warnings |= {Alarm.OTHER}
    charge, discharge = _permissions(parts.get(REQUESTS), limits)
    reading |= limits
    reading["temperatures_c"] = _temperatures(parts)
    reading["protections"] = protections
    reading["warnings"] = warnings
    reading["charge_allowed"] = charge and not protections & core.BLOCKS_CHARGE
    reading["discharge_allowed"] = discharge and not protections & core.BLOCKS_DISCHARGE
    return reading


def _alarms_of(parts: Mapping[str, Message]) -> tuple[frozenset[Alarm], frozenset[Alarm]]:
    readings = [parts[name].reading for name in (ALARMS, PAIRS) if name in parts]
    protections = frozenset[Alarm]().union(*(reading["protections"] for reading in readings))
    return protections, frozenset[Alarm]().union(*(reading["warnings"] for reading in readings))


def _permissions(requests: Message | None, limits: Reading) -> tuple[bool, bool]:
    """Whether the pack lets itself be charged and discharged, protections aside.

    A rack that asks for a forced charge may have both enables off (seen at 14 %): the request is its
    permission then. Without 0x35C a limit above 0 is the permission.
    """
    charge_v = limits["charge_voltage_limit_v"]
    if requests is None:
        charge = bool(limits["charge_current_limit_a"])
        discharge = bool(limits["discharge_current_limit_a"])
    else:
        raw = requests.raw
        charge = bool(raw["charge_enable"] or raw["force_charge_1"] or raw["force_charge_2"])
        discharge = bool(raw["discharge_enable"])
    return charge and charge_v is not None, discharge


def _temperatures(parts: Mapping[str, Message]) -> tuple[float | None, ...]:
    """The average, then the extremes where they are told."""
    (average_c,) = parts[MEASUREMENT].reading["temperatures_c"]
    if "extremes" in parts:
        raw = parts["extremes"].raw
        return average_c, _number(raw["cell_temp_max_c"]), _number(raw["cell_temp_min_c"])
    if "extremes_kelvin" in parts:
        raw = parts["extremes_kelvin"].raw
        return average_c, _number(raw["cell_temp_max_k"]) - 273, _number(raw["cell_temp_min_k"]) - 273
    return (average_c,)


def _number(value: Raw) -> float:
    assert isinstance(value, int | float)
    return value
