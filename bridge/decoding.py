"""What `packbridge decode` does, without the command line: lines of a capture in, JSON-able records out.

A line is `<HEX`, a chunk that came from the BMS; `>HEX`, one that was sent to it; or bare hex, which
came. For protocols on CAN it is a candump line, in the log or the screen format, or just `ID#DATA`. Where
an inverter asks, both directions are told, what it sent marked `"sent": true`.

One idea: lines are chunks, not frames. A frame may be spread over lines and a line may hold several
frames, so nothing is given up between lines, whatever their direction; a frame that was cut off is
recognised by what follows it, or by the end of the input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bridge.errors import BridgeBug
from bridge.model import CanFrame
from bridge.protocols.contract import Drop, Dropped, Entry, Message, Payload, Raw

if TYPE_CHECKING:
    from bridge.responders.contract import Exchange

Record = dict[str, Raw]

# The order in which a person reads a pack; whatever else a reading has comes behind it.
FIRST = (
    "voltage_v", "current_a", "soc_pct", "soh_pct", "remaining_ah", "full_ah", "design_ah", "cycles",
    "cell_count", "cell_voltages_v", "temperatures_c", "charge_fet_on", "discharge_fet_on", "balancing",
)  # fmt: skip
ALARMS = ("protections", "warnings")
DECIMALS = 6  # finer than any BMS measures, coarser than what binary fractions leave behind


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no chunk. number: counted from 1."""

    number: int
    text: str

    def record(self) -> Record:
        """The line as a record for people and machines."""
        return {"error": "line", "line": self.number, "text": self.text}


def decoded(lines: Iterable[str], entry: Entry) -> Iterator[Record | BadLine]:
    """Everything that the lines say, as soon as it is certain; at their end, what was incomplete."""
    decoder = entry.decoder()
    parse = parse_can if entry.spec.links == ("can",) else parse_bytes
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        is_sent = text.startswith(">")
        try:
            payload = parse(text.lstrip("<>").strip())
        except ValueError:
            yield BadLine(number, text)
            continue
        if is_sent:
            decoder.sent(payload)
        else:
            yield from records(decoder.feed(payload))
    yield from records(decoder.reset())


def exchanged(lines: Iterable[str], exchange: Exchange) -> Iterator[Record | BadLine]:
    """The same of both directions of an exchange, where the other side is an inverter that asks."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        is_sent = text.startswith(">")
        try:
            payload = parse_bytes(text.lstrip("<>").strip())
        except ValueError:
            yield BadLine(number, text)
            continue
        assert isinstance(payload, bytes)
        found = exchange.sent(payload) if is_sent else exchange.feed(payload)
        yield from ({**record, "sent": True} if is_sent else record for record in records(found))
    yield from records(exchange.reset())


def records(items: Sequence[Message | Dropped]) -> Iterator[Record]:
    """One record for each message and for each run of dropped bytes; noise that touches is one run."""
    for is_noise, group in groupby(
        items, lambda item: isinstance(item, Dropped) and item.reason is Drop.NOISE
    ):
        if is_noise:
            yield drop_record(Drop.NOISE, sum(item.size for item in group if isinstance(item, Dropped)))
            continue
        for item in group:
            if isinstance(item, Message):
                yield message_record(item)
            else:
                yield drop_record(item.reason, item.size, item.detail)


def message_record(message: Message) -> Record:
    """A message with its quantities under their names, and what only this protocol has under `raw`."""
    reading = message.reading
    record: Record = {"message": message.name}
    if message.address is not None:
        record["address"] = message.address
    record |= {key: _plain(reading[key]) for key in FIRST if key in reading}  # type: ignore[literal-required]  # keys of Reading
    record |= {key: _plain(value) for key, value in reading.items() if key not in (*FIRST, *ALARMS)}
    if any(key in reading for key in ALARMS):
        alarms = reading.get("protections", frozenset()) | reading.get("warnings", frozenset())
        record["alarms"] = sorted(alarm.value for alarm in alarms)
    record["raw"] = {key: _plain(value) for key, value in message.raw.items()}
    return record


def drop_record(reason: Drop, size: int, detail: str = "") -> Record:
    """Bytes that gave no message, and why."""
    record: Record = {"error": reason.value, "bytes": size}
    return record | {"detail": detail} if detail else record


def _plain(value: object) -> Raw:
    """`value` as JSON can carry it, without the digits that only binary fractions have."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise BridgeBug(f"{value!r} is nothing that a message may hold")


def parse_bytes(text: str) -> Payload:
    """Hex digits with or without blanks, colons and a comment behind `#`. Raises ValueError."""
    return bytes.fromhex(text.partition("#")[0].replace(":", " "))


_LOG = re.compile(
    r"(?:\(\d+\.\d+\)\s+)?"  # time
    r"(?:\S+\s+)?"  # interface
    r"([0-9A-Fa-f]{1,8})#([0-9A-Fa-f.]*|R\d?)"  # id and data, or a remote request
    r"(?:\s+[RT])?"  # direction
)
_SCREEN = re.compile(
    r"(?:\(.*\)\s+)?"  # time
    r"\S+\s+"  # interface
    r"(?:[RT]X\s+(?:[-BE]\s+)*)?"  # direction
    r"([0-9A-Fa-f]{3,8})\s+\[(\d)\]\s*"  # id and how many bytes
    r"((?:[0-9A-Fa-f]{2}\s*)*|remote request)"
    r"(?:'.*')?"  # the bytes as characters
)


def parse_can(text: str) -> Payload:
    """One candump line, log or screen format, or `ID#DATA`. Three digits are a standard id, more an
    extended one. A remote request carries no data. Raises ValueError.
    """
    if match := _LOG.fullmatch(text):
        return _frame(match[1], "" if match[2].startswith("R") else match[2].replace(".", ""))
    if match := _SCREEN.fullmatch(text):
        is_remote = match[3].startswith("r")
        frame = _frame(match[1], "" if is_remote else match[3])
        if is_remote or len(frame.data) == int(match[2]):
            return frame
    raise ValueError(f"no CAN frame: {text}")


def _frame(digits: str, hex_data: str) -> CanFrame:
    can_id, is_extended, data = int(digits, 16), len(digits) > 3, bytes.fromhex(hex_data)
    if len(data) > 8 or can_id > (0x1FFF_FFFF if is_extended else 0x7FF):
        raise ValueError(f"no classic CAN frame: {digits}#{hex_data}")
    return CanFrame(can_id, data, extended=is_extended)
