"""candump's logs in bulk: thousands of lines at once as arrays of bytes, without a loop over lines.

The idea: nearly all lines of a log have the same shape, up to the number of data bytes. A shape is
learned from the first line that has it. Lines are copied into rows of one width; where a row has
the shape's fixed letters in their places, its digits are looked up two at a time in tables. What fits
no shape, or has anything else where digits belong, goes to `candump_lines`, one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bridge.dump import candump_lines
from bridge.dump.block import DATA_BYTES, ERROR, EXTENDED, REMOTE, SENT, Block, Bytes, Integers, Mask
from bridge.dump.candump_lines import ERROR_FLAG, EXTENDED_IDS, REMOTE_FLAG, STANDARD_IDS
from bridge.dump.problems import Problems

WIDTH = 80  # of the widest row; the longest plain line has 71 letters
ROOM = bytes(WIDTH)  # behind a text, for the row of its last line
WORD = 8
SHAPES = 32  # more than anybody has channels: beyond, lines are read one by one
NEWLINE, RETURN, SPACE, LETTER_R, LETTER_T = b"\n\r RT"
PLAIN = re.compile(rb"(\((\d{1,10})\.\d{6}\) ([!-~]{1,15}) )([0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})#")
EXACT_S = 9e9  # below it microseconds are whole numbers of a float
FRACTION_DIGITS = 6
LINE_BYTES_MAX = 1 << 22
NOT_HEX = 0x100
PAIR_VALUES = 1 << 16  # of two letters
PASSED_OVER = re.compile(rb"\s*(#.*)?|\t.*", re.DOTALL)  # what candump -e explains is on a line below

ZEROS, ABOVE_NINE, HIGH_BITS = (np.uint64(byte * 0x0101010101010101) for byte in (0x30, 0x76, 0x80))

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shape:
    """Where a plain line has what. letters, mask: its fixed letters, as the first 8-byte words of a row.

    seconds: digits before the point. channel: the index of its name.
    """

    letters: Words
    mask: Words
    seconds: int
    id_at: int
    id_digits: int
    channel: int

    @property
    def width(self) -> int:
        """Of a row that has room for all, in whole words."""
        return -(-(self.data_at + 2 * DATA_BYTES) // WORD) * WORD

    @property
    def data_at(self) -> int:
        """Where the data begins, behind the `#`."""
        return self.id_at + self.id_digits + 1


@dataclass(slots=True, kw_only=True)
class _Lines:
    """The lines of a chunk, and the columns of their frames as far as they are read."""

    text: bytes  # whole lines, and ROOM
    starts: Integers
    sizes: Integers  # letters, without end and direction
    letters: Bytes  # of the text
    time_s: NDArray[np.float64]
    can_id: NDArray[np.uint32]
    flags: Bytes
    length: Bytes
    data: Bytes
    channel: NDArray[np.uint16]
    read: Mask
    odd: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, text: bytes) -> _Lines:
        letters = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero(letters == NEWLINE)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
        ends = ends - ((letters[ends - 1] == RETURN) & (ends > starts))
        way = letters[ends - 1]
        told = (letters[ends - 2] == SPACE) & ((way == LETTER_T) | (way == LETTER_R)) & (ends > starts + 2)
        count = len(ends)
        return cls(
            text=text,
            starts=starts,
            sizes=ends - starts - 2 * told,
            letters=letters,
            time_s=np.empty(count, np.float64),
            can_id=np.empty(count, np.uint32),
            flags=np.where(told & (way == LETTER_T), np.uint8(SENT), np.uint8(0)),
            length=np.empty(count, np.uint8),
            data=np.zeros((count, DATA_BYTES), np.uint8),
            channel=np.empty(count, np.uint16),
            read=np.zeros(count, np.bool_),
        )

    def line(self, row: int) -> bytes:
        """One line without its end."""
        start = int(self.starts[row])
        return self.text[start : self.text.index(b"\n", start)]

    def take(self, shape: Shape, left: Integers) -> Integers:
        """Read those of the rows `left` that have a shape; the rows that have not."""
        places = np.ndarray((len(self.text) - WIDTH,), f"V{shape.width}", self.letters, strides=(1,))
        rows = places[self.starts if len(left) == len(self.starts) else self.starts[left]]
        words = rows.view("<u8").reshape(-1, shape.width // WORD)
        wrong = (words[:, 0] ^ shape.letters[0]) & shape.mask[0]
        for number in range(1, len(shape.letters)):
            wrong |= (words[:, number] ^ shape.letters[number]) & shape.mask[number]
        fits = wrong == 0
        if fits.all():
            self._plain(shape, left, rows.view(np.uint8).reshape(-1, shape.width))
            return left[:0]
        self._plain(shape, left[fits], rows[fits].view(np.uint8).reshape(-1, shape.width))
        others: Integers = left[~fits]
        return others

    def _plain(self, shape: Shape, at: Integers, text: Bytes) -> None:
        time_s = _time_s(text, shape.seconds)
        written = _hex(text, shape.id_at, shape.id_digits)
        pairs = self.sizes[at] - shape.data_at
        good = (pairs >= 0) & (pairs <= 2 * DATA_BYTES) & (pairs & 1 == 0)
        length = np.where(good, pairs >> 1, 0)
        data = _data(text, shape.data_at, length)
        good &= (time_s < EXACT_S) & ((data[:, 0] | data[:, 1]) & np.uint64(0xFF00FF00FF00FF00) == 0)
        can_id, flags = _identifiers(written, shape.id_digits)
        good &= written < (STANDARD_IDS if shape.id_digits == 3 else 1 << 32)
        everything = len(at) == len(self.read)  # then a slice does, which is quicker
        where = slice(None) if everything else at
        self.time_s[where] = time_s
        self.can_id[where] = can_id
        self.flags[where] |= flags
        self.length[where] = length
        self.data[where] = data.view(np.uint16)
        self.channel[where] = shape.channel
        self.read[where] = good
        self.odd += at[~good].tolist()


@dataclass(slots=True)
class CandumpReader:
    """Reads one log, chunk by chunk. channels: their names, of all logs that are read one after the other."""

    source: str
    problems: Problems
    channels: list[str] = field(default_factory=list)
    lines: int = 0  # that were read
    _shapes: list[Shape] = field(default_factory=list)
    _rest: bytes = b""

    def feed(self, chunk: bytes) -> Block | None:
        """The frames of the lines that end in this chunk; an incomplete one waits for the next."""
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._rest += chunk
            if len(self._rest) > LINE_BYTES_MAX:
                self.problems.add(self.source, self.lines + 1, "no text: a line without an end")
                self._rest = b""
            return None
        text = b"".join((self._rest, memoryview(chunk)[:cut], ROOM))
        self._rest = chunk[cut:]
        return self._block(text)

    def end(self) -> Block | None:
        """The frame of a last line that has no end."""
        text, self._rest = self._rest, b""
        return self._block(text + b"\n" + ROOM) if text else None

    def _block(self, text: bytes) -> Block:
        lines = _Lines.of(text)
        left = np.arange(len(lines.read))
        for shape in self._shapes:
            left = lines.take(shape, left) if len(left) else left
        while len(left) and len(self._shapes) < SHAPES:
            learned = self._learned(lines.line(int(left[0])))
            if learned is None:
                lines.odd.append(int(left[0]))
                left = left[1:]
            else:
                self._shapes.append(learned)
                left = lines.take(learned, left)
        lines.odd += left.tolist()
        for row in sorted(lines.odd):
            self._odd(lines, row)
        return self._done(lines)

    def _learned(self, line: bytes) -> Shape | None:
        """The shape of a line, if it is plain."""
        if (found := PLAIN.match(line)) is None:
            return None
        seconds, id_at, digits = len(found[2]), len(found[1]), len(found[4])
        places = [0, seconds + 1, *range(seconds + FRACTION_DIGITS + 2, id_at), id_at + digits]
        letters, mask = bytearray(WIDTH), bytearray(WIDTH)
        for place in places:
            letters[place], mask[place] = line[place], 0xFF
        used = places[-1] // WORD + 1
        return Shape(
            letters=np.frombuffer(letters, "<u8")[:used],
            mask=np.frombuffer(mask, "<u8")[:used],
            seconds=seconds,
            id_at=id_at,
            id_digits=digits,
            channel=self._channel(found[3].decode(errors="replace")),
        )

    def _odd(self, lines: _Lines, row: int) -> None:
        line = lines.line(row)
        text = line.decode(errors="replace")
        found = candump_lines.parse(text)
        lines.read[row] = found is not None
        if found is None:
            if not PASSED_OVER.fullmatch(line):
                self.problems.add(self.source, self.lines + row + 1, text.strip())
            return
        lines.time_s[row] = found.time_s
        lines.can_id[row] = found.can_id
        lines.flags[row] = found.flags
        lines.length[row] = found.length
        lines.data[row] = np.frombuffer(found.data.ljust(DATA_BYTES, b"\0"), np.uint8)
        lines.channel[row] = self._channel(found.channel)

    def _channel(self, name: str) -> int:
        if name not in self.channels:
            self.channels.append(name)
        return self.channels.index(name)

    def _done(self, lines: _Lines) -> Block:
        count = len(lines.read)
        block = Block(
            time_s=lines.time_s,
            can_id=lines.can_id,
            flags=lines.flags,
            length=lines.length,
            data=lines.data,
            channel=lines.channel,
            line=np.arange(self.lines + 1, self.lines + count + 1),
            channels=tuple(self.channels),
            source=self.source,
        )
        self.lines += count
        return block if lines.read.all() else block.take(lines.read)


def _time_s(text: Bytes, seconds: int) -> NDArray[np.float64]:
    """The time in brackets at the beginning of each row; NaN where that is no number."""
    low, wrong = _decimal(text, 1 + max(0, seconds - WORD), min(seconds, WORD))
    if seconds > WORD:
        high, more = _decimal(text, 1, seconds - WORD)
        low, wrong = high * np.uint64(10**WORD) + low, wrong | more
    fraction, more = _decimal(text, seconds + 2, FRACTION_DIGITS)
    micros = (low * np.uint64(10**FRACTION_DIGITS) + fraction).astype(np.float64)
    micros /= 10**FRACTION_DIGITS  # of a whole number: the float that is nearest to what is written
    micros[(wrong | more) != 0] = np.nan
    return micros


def _decimal(text: Bytes, at: int, digits: int) -> tuple[Words, Words]:
    """Numbers of at most 8 digits, all digits of one at once in a word; and what is not 0 if one is none.

    In such a word the first digit is the lowest byte. Each step makes half as many numbers twice as wide.
    """
    words = text[:, at : at + WORD].view("<u8")[:, 0] ^ ZEROS
    words <<= np.uint64(8 * (WORD - digits))
    wrong = ((words + ABOVE_NINE) | words) & HIGH_BITS
    words = (words * np.uint64(10) + (words >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    words = (words * np.uint64(100) + (words >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    words = (words * np.uint64(10000) + (words >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return words, wrong


def _hex(text: Bytes, at: int, digits: int) -> NDArray[np.int64]:
    """A number of 3 or 8 digits; 2 ** 32 or more if they are none."""
    pairs, ones = _hex_tables()
    total = np.zeros(len(text), np.int64)
    for place in range(at, at + digits - 1, 2):
        more = pairs[_pair(text, place)].astype(np.int64)
        total = (total << 8) + more + ((more & NOT_HEX) << 32)
    if digits % 2:
        last = ones[text[:, at + digits - 1]].astype(np.int64)
        total = (total << 4) + last + ((last & NOT_HEX) << 32)
    return total


def _data(text: Bytes, at: int, length: Integers) -> Words:
    """8 data bytes a row, 16 bits each, as 2 words; with NOT_HEX in those that are none, 0 behind the end."""
    pairs, _ = _hex_tables()
    data = pairs[text[:, at : at + 2 * DATA_BYTES].view("<u2")]
    words: Words = data.view("<u8")
    words &= _ends().take(length, axis=0)
    return words


def _identifiers(written: Integers, digits: int) -> tuple[Integers, Bytes | int]:
    if digits == 3:
        return written, 0
    flags = np.where(written & ERROR_FLAG, np.uint8(ERROR), np.uint8(EXTENDED))
    flags |= np.where(written & REMOTE_FLAG, np.uint8(REMOTE), np.uint8(0))
    return written & (EXTENDED_IDS - 1), flags


def _pair(text: Bytes, at: int) -> NDArray[np.uint16]:
    return text[:, at : at + 2].view("<u2")[:, 0]


@cache
def _hex_tables() -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """What two letters, and what one, are worth as hexadecimal digits; NOT_HEX or more if they are none."""
    ones = np.full(256, NOT_HEX, np.uint16)
    ones[np.frombuffer(b"0123456789ABCDEF", np.uint8)] = np.arange(16)
    ones[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16)
    pairs = np.minimum(ones[:, None] + 16 * ones, NOT_HEX).astype(np.uint16)
    return pairs.reshape(-1), ones


@cache
def _ends() -> Words:
    """By the number of data bytes, what of 8 times 16 bits is data."""
    masks = b"".join((b"\xff\xff" * count).ljust(2 * DATA_BYTES, b"\0") for count in range(DATA_BYTES + 1))
    return np.frombuffer(masks, "<u8").reshape(-1, 2)
