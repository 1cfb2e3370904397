"""What a dialect is once it is read: messages, their signals, and the bits that carry each.

Reading frames stands here too, so that whoever only reads needs neither DBC nor encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from bridge.model import Alarm, CanFrame

FRAME_BYTES = 8

Value = float | int | bool | str


class Kind(StrEnum):
    """Where a signal's value comes from. The order is the ENUM's in the DBC."""

    QUANTITY = "quantity"  # the decision
    CONSTANT = "constant"  # the DBC's start value, or the profile
    TEXT = "text"  # the profile, ASCII
    ALARM = "alarm"  # not in the ENUM: a quantity signal with a list of alarms
    LABEL = "label"  # not in the ENUM: a quantity that is a text


TEXTS = frozenset({Kind.TEXT, Kind.LABEL})
PAIR_BITS = 2  # an alarm that is raised and cleared expressly
RAISED, CLEARED = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Some bits of a message: physical = raw x scale + offset.

    shift: of its lowest bit, in the 8 data bytes read as one integer, little or big endian; single
    bits count as little endian. needs: how many bytes a frame must have to carry it. constant: raw; of
    an alarm, what stands there while it is not raised. not_available: raw, says that there is no value.
    protections, warnings: the alarms that set it, by severity. page: in a multiplexed message, the
    selector's value with which it is there; None: always.
    """

    name: str
    kind: Kind
    shift: int
    length: int
    little_endian: bool
    signed: bool
    scale: float
    offset: float
    minimum: float | None
    maximum: float | None
    needs: int
    unit: str = ""
    constant: int = 0
    not_available: int | None = None
    protections: frozenset[Alarm] = frozenset()
    warnings: frozenset[Alarm] = frozenset()
    page: int | None = None

    @property
    def mask(self) -> int:
        """Its bits, not shifted."""
        return (1 << self.length) - 1

    @property
    def raw_range(self) -> tuple[int, int]:
        """The lowest and the highest raw value that its bits hold."""
        half = 1 << (self.length - 1)
        return (-half, half - 1) if self.signed else (0, self.mask)

    def read(self, little: int, big: int) -> Value | None:
        """Its value in data bytes given as both integers; None if they say that there is none."""
        raw = (little if self.little_endian else big) >> self.shift & self.mask
        if self.kind in TEXTS:
            data = raw.to_bytes(self.length // 8, "little" if self.little_endian else "big")
            return data.decode("ascii", "backslashreplace")
        if self.length == 1:
            return bool(raw)
        if self.kind is Kind.ALARM:
            return {RAISED: True, CLEARED: False}.get(raw)
        if raw == self.not_available:
            return None
        if self.signed and raw >> (self.length - 1):
            raw -= 1 << self.length
        return raw if self.scale == 1 and not self.offset else round(raw * self.scale + self.offset, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One kind of frame. length: genuine number of data bytes. ours: whether the battery sends it.

    selector: of a multiplexed message, the name of the signal that says which page a frame is.
    """

    can_id: int
    extended: bool
    name: str
    length: int
    ours: bool
    signals: tuple[Signal, ...]
    selector: str | None = None

    @property
    def pages(self) -> tuple[int | None, ...]:
        """The selector's values, each of which is a frame of its own; one None if there is none."""
        return tuple(sorted({one.page for one in self.signals if one.page is not None})) or (None,)

    def on_page(self, page: int | None) -> tuple[Signal, ...]:
        """The signals that stand on a page."""
        return tuple(one for one in self.signals if one.page is None or one.page == page)


@dataclass(frozen=True, slots=True)
class Dialect:
    """All messages of a dialect, by (identifier, whether it has 29 bits)."""

    name: str
    path: Path
    messages: Mapping[tuple[int, bool], Message]

    def decode(self, frame: CanFrame) -> dict[str, Value]:
        """What a frame says, by signal names; empty if it is none of this dialect.

        Numbers in the signal's unit, single bits and alarms as bool, texts with their padding. A frame
        that is shorter than the message lacks the signals that would lie behind its end; a text may be
        cut, because packs send their names without padding. A pair of alarm
        bits that is neither raised nor cleared says nothing, and a code for "not available" neither.
        """
        message = self.messages.get(frame.key)
        if message is None:
            return {}
        little = int.from_bytes(frame.data, "little")
        big = int.from_bytes(frame.data.ljust(FRAME_BYTES, b"\0"), "big")
        size = len(frame.data)
        there = [signal for signal in message.signals if signal.needs <= size]
        if message.selector is not None:
            page = next((one.read(little, big) for one in there if one.name == message.selector), None)
            there = [signal for signal in there if signal.page is None or signal.page == page]
        return {signal.name: value for signal in there if (value := signal.read(little, big)) is not None}

    def moved(self, offset: int) -> Dialect:
        """The same with `offset` added to the identifiers of all that the battery sends."""
        moved = (
            replace(message, can_id=message.can_id + offset) if message.ours else message
            for message in self.messages.values()
        )
        return replace(self, messages={(message.can_id, message.extended): message for message in moved})
