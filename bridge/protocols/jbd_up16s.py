"""JBD UP series (UP16S008..020: Eco-Worthy and similar rack packs) over RS485, every pack by one cable.

The pack that the cable goes to is the master (address 1); it answers for itself and passes on the pack
status of every other address. Its own status has one trap: the current limits in it are added up over
the rack. So the status gives what was measured, and the master's own limits come from a second block
(0x45) that only the directly cabled pack answers; slaves are never asked for more than their status.

Sources: mr-manuel/venus-os_dbus-serialbattery dbus-serialbattery/bms/lltjbd_up16s.py (UP16S015, firmware
10.2.1 and 12.1.7), syssi/esphome-jbd-bms components/jbd_bms_up and docs/pdus/JBD-UP16S020-two-devices.txt
(UP16S020, firmware 12.4), PhracturedBlue/7ef619594eaa4c27f4ff068b461865b8 (gist).
"""

from __future__ import annotations

from bridge.model import Alarm, CanFrame, PackInfo, Ratings, Reading
from bridge.protocols import _up16s_blocks as blocks
from bridge.protocols import _up16s_frames as frames
from bridge.protocols._stream import BadFrame, Cutter
from bridge.protocols._up16s_device import Device
from bridge.protocols._up16s_frames import Block
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    Raw,
    Request,
    Script,
    Spec,
)

__all__ = ["SPEC", "Decoder", "Device", "Session"]

MASTER = 1

SPEC = Spec(
    maker="JBD UP16S (Eco-Worthy and other rack packs)",
    links=("serial",),
    baudrate=9600,
    baudrates=(9600, 19200),  # 19200 on the bus between packs and on some ports
    shared=True,
    address=MASTER,
    addresses=range(1, 17),
    reply_timeout_s=1.5,  # usually answered in 0.15 to 0.6 s
    gap_s=0.02,
    silence_s=0.15,
)


class Decoder:
    """Frames by their length field, checked by CRC; a master's and every slave's messages alike."""

    def __init__(self) -> None:
        self._cutter = Cutter(frames.measure, frames.check)

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What has become certain with this payload, in order."""
        if isinstance(payload, CanFrame):
            return [Dropped(Drop.NOISE, max(1, len(payload.data)), "a CAN frame")]
        return [_message(cut) for cut in self._cutter.feed(payload)]

    def sent(self, payload: Payload) -> None:
        """Nothing to remember: replies name the block that they answer."""

    def reset(self) -> list[Message | Dropped]:
        """Gives up an incomplete frame."""
        return [_message(cut) for cut in self._cutter.reset()]


def _message(cut: bytes | Dropped) -> Message | Dropped:
    if isinstance(cut, Dropped):
        return cut
    try:
        return blocks.decode(cut)
    except BadFrame as bad:
        return Dropped(bad.reason, len(cut), bad.detail)


class _Optional:
    """A block that not every pack answers: asked until it was answered once or missed five times."""

    TRIES = 5

    def __init__(self, block: Block) -> None:
        self.block = block
        self._answered = False
        self._missed = 0

    @property
    def worth_asking(self) -> bool:
        """Whether this pack has answered it, or may still turn out to."""
        return self._answered or self._missed < self.TRIES

    def ask(self, address: int) -> Script[Message | None]:
        """The block's message; None if it did not come or is no longer asked for."""
        if not self.worth_asking:
            return None
        try:
            message = yield _request(address, self.block)
        except NoReply:
            self._missed += 1
            return None
        self._answered = True
        return message


def _request(address: int, block: Block) -> Request:
    return Request(frames.request(address, block), block.name, address)


class Session:
    """The conversation with one pack of the rack, through the master or directly."""

    streams = False

    def __init__(self, options: Options) -> None:
        self._address = MASTER if options.address is None else options.address
        self._own_limits = _OwnLimits() if self._address == MASTER else None
        self._identity = _Optional(frames.IDENTITY)
        self._product = _Optional(frames.PRODUCT)
        self._protection = _Optional(frames.PROTECTION)
        self._zero_before: frozenset[str] = frozenset()

    def open(self) -> Script[None]:
        """Nothing is needed before the first request."""
        yield from ()

    def poll(self) -> Script[Reading]:
        """The pack's status; for the master with its own limits in the place of the rack's."""
        reading = yield from self._status()
        if self._own_limits is not None:
            reading = yield from self._own_limits.put_into(reading, self._address)
        return reading

    def info(self) -> Script[PackInfo | None]:
        """Identity from the status, which all packs give, and from blocks that may stay unanswered."""
        status = yield _request(self._address, frames.STATUS)
        identity = yield from self._identity.ask(self._address)
        product = protection = None
        if identity is not None:  # a pack that does not give this gives none of them
            product = yield from self._product.ask(self._address)
            protection = yield from self._protection.ask(self._address)
        return PackInfo(
            model=_said(product, "model") or _said(identity, "bms_model_and_serial"),
            firmware=_said(product, "firmware") or _said(status, "firmware"),
            serial=_said(identity, "pack_serial") or _said(status, "pack_serial"),
            cell_count=status.reading.get("cell_count"),
            ratings=Ratings() if protection is None else blocks.ratings(_words(protection.raw["words"])),
        )

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # packs never speak unasked
        """Always None: nothing comes unasked."""
        return None

    def _status(self) -> Script[Reading]:
        """The status, read twice where a limit has dropped to 0 without a reason.

        Firmware 12 sets DCL to 0 for a moment when other software reads around 0x2000. What the second
        answer says counts, and without a second answer the zero stands.
        """
        message = yield _request(self._address, frames.STATUS)
        if _unexplained_zeros(message.reading) - self._zero_before:
            try:
                message = yield _request(self._address, frames.STATUS)
            except NoReply:
                return message.reading
        self._zero_before = _unexplained_zeros(message.reading)
        return message.reading


class _OwnLimits:
    """The master's own current limits, and what may be said of them between and without readings.

    They are read again every few polls and whenever the rack's sum moves. No pack's limit is above the
    rack's, so the sum is an upper bound for them, and all that is known while they are unanswered.
    """

    EVERY_POLLS = 5
    KEEP_POLLS = 10

    def __init__(self) -> None:
        self._block = _Optional(frames.OWN)
        self._limits: tuple[float, float] | None = None
        self._rack: tuple[float, float] | None = None
        self._polls = 0

    def put_into(self, reading: Reading, address: int) -> Script[Reading]:
        """`reading` with the pack's own limits instead of the rack's."""
        rack = _limits(reading)
        self._polls += 1
        if self._limits is None or self._polls >= self.EVERY_POLLS or rack != self._rack:
            yield from self._refresh(reading, address)
        self._rack = rack
        if self._limits is None:
            return reading
        charge_a, discharge_a = (min(pair) for pair in zip(rack, self._limits, strict=True))
        return reading | Reading(charge_current_limit_a=charge_a, discharge_current_limit_a=discharge_a)

    def _refresh(self, reading: Reading, address: int) -> Script[None]:
        message = yield from self._block.ask(address)
        if message is None:
            self._limits = self._limits if self._polls <= self.KEEP_POLLS else None
            return
        if self._suddenly_zero(message, reading):
            message = (yield from self._block.ask(address)) or message
        self._limits, self._polls = _limits(message.reading), 0

    def _suddenly_zero(self, message: Message, reading: Reading) -> bool:
        charge_a, discharge_a = _limits(message.reading)
        zeros = _unexplained_zeros(
            reading | Reading(charge_current_limit_a=charge_a, discharge_current_limit_a=discharge_a)
        )
        return bool(zeros) and 0.0 not in (self._limits or ())


def _limits(reading: Reading) -> tuple[float, float]:
    """Charge and discharge current limit, A; both stand in every message that is asked for them."""
    return reading["charge_current_limit_a"] or 0.0, reading["discharge_current_limit_a"] or 0.0


def _unexplained_zeros(reading: Reading) -> frozenset[str]:
    """The limits that are 0 though nothing in the same message would make them so."""
    charge_a, discharge_a = _limits(reading)
    warnings = reading["warnings"]
    found = set()
    if charge_a == 0 and reading["charge_allowed"] and Alarm.FULLY_CHARGED not in warnings:
        found.add("charge")
    if discharge_a == 0 and reading["discharge_allowed"] and Alarm.SOC_LOW not in warnings:
        found.add("discharge")
    return frozenset(found)


def _said(message: Message | None, key: str) -> str | None:
    value = message.raw.get(key) if message is not None else None
    return value if isinstance(value, str) and value else None


def _words(raw: Raw) -> tuple[int, ...]:
    return tuple(word for word in raw if isinstance(word, int)) if isinstance(raw, tuple) else ()
