"""Makes messages of what one Daly board says in classic commands, frame by frame.

Cells, probes and texts come in several numbered frames, and no frame says how many there will be: that
follows from the cell and probe counts (0x94), from the host address that was used, and from what the
board did before. One idea: a reply is a `_Run` of frames that ends when it is complete, when a new request or
silence follows, or when its numbers start again; then it is judged. Where nothing tells how many frames
there will be, the reply to another command ends it too.

What captures show, and the maker's papers don't: frames count from 1; slots behind the last cell repeat
those of the frame before, or are 0; boards asked by host 0x80 send all 16 cell frames; some send an
empty second probe frame.  Sources: jblance/mpp-solar issues 83 and 516, diysolarforum.com thread 21898,
dreadnought/python-daly-bms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct

from bridge.model import Reading
from bridge.protocols._daly import CELL_MAX_MV, CURRENT_ZERO, CurrentSign, cell_v, temperature_c, text
from bridge.protocols._daly_values import (
    CELLS,
    NAMES,
    PACK,
    PROBES,
    SEVERAL,
    SINGLE,
    STATUS,
    SWITCHES,
    cycles,
    value_error,
)
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Dropped, Message, Raw

CELLS_A_FRAME, PROBES_A_FRAME = 3, 7
ALL_CELL_FRAMES = 16
UNUSED = 0xFFFF
_SLOTS = Struct(">3H")
_COMMON_SERIES = frozenset({4, 7, 8, 10, 12, 13, 14, 15, 16, 20, 24})


@dataclass(slots=True)
class _Run:
    """The frames of one reply so far. before: frames that came ahead of its frame 1."""

    command: int
    frames: dict[int, bytes] = field(default_factory=dict)
    before: dict[int, bytes] = field(default_factory=dict)
    unbroken: int = 0  # up to which number the frames are all there
    last: int = 0  # the number that came last
    told: bool = False

    def add(self, number: int, data: bytes) -> None:
        """One more frame; of two with one number the later counts."""
        self.frames[number] = data
        self.last = number
        while self.unbroken + 1 in self.frames:
            self.unbroken += 1


class Board:
    """One board: feed it its frames in order, by command and data bytes.

    address: its number. sign: how it counts current. frame_size: bytes of a frame, for what is dropped.
    missing_key: the name in `raw` of the numbers of missing cell frames.
    """

    def __init__(self, address: int, sign: CurrentSign, frame_size: int, missing_key: str) -> None:
        self._address = address
        self._sign = sign
        self._size = frame_size
        self._missing_key = missing_key
        self._runs: dict[int, _Run] = {}
        self._cells: int | None = None
        self._probes: int | None = None
        self._voltage_v: float | None = None
        self._current_raw = CURRENT_ZERO
        self._pads: dict[int, int] = {}  # last data byte of the replies to some commands
        self._lengths: dict[int, int] = {}  # of complete replies, in frames, as this board sends them

    def take(self, command: int, data: bytes, *, wide: bool = False) -> list[Message | Dropped]:
        """What one frame makes certain. wide: it was asked for by the host address that gets all frames."""
        items: list[Message | Dropped]
        try:
            if command in SEVERAL:
                items = self._collect(command, data, wide=wide)
            elif command in SINGLE:
                items = [self._single(command, data)]
            else:
                items = [Dropped(Drop.UNKNOWN, self._size, f"command 0x{command:02X}")]
        except BadFrame as bad:
            items = [Dropped(bad.reason, self._size, f"{NAMES[command]}: {bad.detail}")]
        return [*self._ended(command), *items] if self._runs else items

    def close(self) -> list[Message | Dropped]:
        """The replies under way are over: what there is of them, and what is missing."""
        return [item for command in tuple(self._runs) for item in self._close(command)]

    def _ended(self, command: int) -> list[Message | Dropped]:
        """The replies to other commands that now count as over."""
        out: list[Message | Dropped] = []
        for other in [other for other in self._runs if other != command]:
            needed = self._needed(other)
            if needed is None or self._runs[other].unbroken >= needed:
                out += self._close(other)
        return out

    def _close(self, command: int) -> list[Message | Dropped]:
        run = self._runs.pop(command, None)
        if run is None:
            return []
        self._learn(run)
        return [] if run.told else self._judge(run)

    # One frame

    def _single(self, command: int, data: bytes) -> Message:
        name, read = SINGLE[command]
        reading, raw = read(data)
        if command == PACK:
            self._pack(reading, raw)
        elif command == SWITCHES:
            self._switches(reading, raw, data)
        elif command == STATUS:
            self._cells, self._probes = data[0], data[1]
            reading["cycles"] = cycles(data, set(self._pads.values()))
        return self._message(name, command, reading, raw, 1)

    def _pack(self, reading: Reading, raw: Mapping[str, Raw]) -> None:
        self._voltage_v = reading["voltage_v"]
        self._current_raw = _integer(raw["current_raw"])
        reading["current_a"] = self._sign.current_a(self._current_raw)

    def _switches(self, reading: Reading, raw: Mapping[str, Raw], data: bytes) -> None:
        """The state also tells the sign of the current just before: said again if that was wrong."""
        assumed_a = self._sign.current_a(self._current_raw)
        self._sign.witness(self._current_raw, _integer(raw["state"]))
        known_a = self._sign.current_a(self._current_raw)
        if known_a != assumed_a:
            reading["current_a"] = known_a
        self._pads[SWITCHES] = data[7]

    def _message(
        self, name: str, command: int, reading: Reading, raw: dict[str, Raw], frames: int
    ) -> Message:
        raw["board"], raw["command"], raw["frames"] = self._address, command, frames
        return Message(name, reading, raw, self._address)

    # Several frames

    def _collect(self, command: int, data: bytes, *, wide: bool) -> list[Message | Dropped]:
        number = data[0]
        if not 1 <= number <= SEVERAL[command][1]:
            raise value_error(f"frame {number}")
        if command == CELLS:
            counted = None if self._cells is None else max(0, self._cells - CELLS_A_FRAME * (number - 1))
            if max(_cells_mv(data)[:counted], default=0) > CELL_MAX_MV:
                raise value_error(f"a cell above {CELL_MAX_MV} mV")
            self._pads[CELLS] = data[7]
        needed = self._needed(command)
        if command not in self._runs and needed is not None and number > needed:
            # An empty frame behind a reply that we took for complete: next time it is waited for.
            self._lengths[command] = max(number, self._lengths.get(command, 0))
            return []
        out = self._place(command, number)
        run = self._runs[command]
        run.add(number, data)
        expected = self._expected(command, wide=wide)
        if not run.told and expected is not None and run.unbroken >= expected:
            run.told = True
            out += self._judge(run)
        return out

    def _place(self, command: int, number: int) -> list[Message | Dropped]:
        """Makes sure that there is a run to which frame `number` belongs."""
        run = self._runs.get(command)
        out: list[Message | Dropped] = []
        if run is None:
            self._runs[command] = _Run(command)
        elif number == 1 and 1 not in run.frames:  # the end of an earlier reply, or frames out of order
            self._runs[command] = _Run(command, before=run.frames)
        elif number in run.frames and (run.told or number != run.last):  # not merely sent twice
            out = self._close(command)
            self._runs[command] = _Run(command)
        return out

    def _expected(self, command: int, *, wide: bool) -> int | None:
        """How many frames make this reply complete; None if only its end can tell."""
        needed, learnt = self._needed(command), self._lengths.get(command)
        if learnt is not None:
            return max(learnt, needed or 0)
        return ALL_CELL_FRAMES if command == CELLS and wide else needed

    def _needed(self, command: int) -> int | None:
        """How many frames hold something; None if not known yet."""
        if command == CELLS:
            return None if self._cells is None else -(-self._cells // CELLS_A_FRAME)
        if command == PROBES:
            return None if self._probes is None else max(1, -(-self._probes // PROBES_A_FRAME))
        return SEVERAL[command][1]

    def _learn(self, run: _Run) -> None:
        """Remembers how long this board's complete replies are, empty frames included."""
        needed, length = self._needed(run.command), run.unbroken
        if needed is not None and length >= needed and length == len(run.frames):
            self._lengths[run.command] = length

    def _judge(self, run: _Run) -> list[Message | Dropped]:
        frames = {**run.before, **run.frames}
        needed = self._needed(run.command) or max(frames)
        missing = [number for number in range(1, needed + 1) if number not in frames]
        name = NAMES[run.command]
        try:
            reading, raw = self._read(run.command, frames, missing)
        except BadFrame as bad:
            return [Dropped(bad.reason, self._size * len(frames), f"{name}: {bad.detail}")]
        if not missing:
            return [self._message(name, run.command, reading, raw, len(run.frames))]
        raw[self._missing_key] = list(missing)
        listed = ", ".join(map(str, missing))
        return [
            self._message(f"{name}_partial", run.command, reading, raw, len(frames)),
            Dropped(Drop.TRUNCATED, self._size * len(frames), f"{name}: without frame {listed}"),
        ]

    def _read(
        self, command: int, frames: Mapping[int, bytes], missing: Sequence[int]
    ) -> tuple[Reading, dict[str, Raw]]:
        if command == CELLS:
            return self._read_cells(frames, missing)
        if command == PROBES:
            return self._read_probes(frames, missing)
        return {}, {"text": text(b"".join(data[1:] for _, data in sorted(frames.items())))}

    def _read_cells(
        self, frames: Mapping[int, bytes], missing: Sequence[int]
    ) -> tuple[Reading, dict[str, Raw]]:
        slots_mv: list[int] = []
        for number in range(1, max(frames) + 1):
            slots_mv += _cells_mv(frames[number]) if number in frames else (0, 0, 0)
        if not any(slots_mv):
            raise value_error("every cell at 0 V")
        if self._cells is not None:
            count = self._cells
        elif missing:
            return {}, {}  # without frame 1 and the count, nothing says what is a cell and what a filler
        else:
            count = _guessed_count(slots_mv, self._voltage_v)
        reading: Reading = {"cell_voltages_v": tuple(map(cell_v, slots_mv[:count]))}
        if not missing:
            reading["cell_count"] = count
        return reading, {}

    def _read_probes(
        self, frames: Mapping[int, bytes], missing: Sequence[int]
    ) -> tuple[Reading, dict[str, Raw]]:
        slots: list[int] = []
        for number in range(1, max(frames) + 1):
            slots += frames[number][1:] if number in frames else bytes(PROBES_A_FRAME)
        if self._probes is not None:
            return {"temperatures_c": tuple(map(temperature_c, slots[: self._probes]))}, {}
        if missing:
            return {}, {}
        values = list(map(temperature_c, slots))
        count = values.index(None) if None in values else len(values)  # what follows may be old bytes
        return {"temperatures_c": tuple(values[: max(1, count)])}, {}


def _cells_mv(data: bytes) -> tuple[int, ...]:
    """The three slots of a frame; FFFF, with which newer boards fill the unused ones, becomes 0."""
    slots = _SLOTS.unpack_from(data, 1)
    return tuple(0 if slot == UNUSED else slot for slot in slots) if UNUSED in slots else slots


def _guessed_count(slots_mv: Sequence[int], voltage_v: float | None) -> int:
    """How many of the slots are cells, where no board has said it: for captures without a 0x94.

    Trailing zeros are no cells. Else the last frame has one to three cells, and a slot behind the last
    one repeats the slot three before it; of the counts that would explain that, the one whose sum meets
    the pack voltage, else a usual number of cells, else the smallest.
    """
    used = max(index + 1 for index, raw in enumerate(slots_mv) if raw)
    if used < len(slots_mv) or used <= CELLS_A_FRAME:
        return used
    counts = [used]
    while len(counts) < CELLS_A_FRAME and slots_mv[counts[0] - 1] == slots_mv[counts[0] - 1 - CELLS_A_FRAME]:
        counts.insert(0, counts[0] - 1)
    if voltage_v is not None:
        return min(counts, key=lambda count: abs(sum(slots_mv[:count]) / 1000 - voltage_v))
    return next((count for count in counts if count in _COMMON_SERIES), counts[0])


def _integer(value: Raw) -> int:
    assert isinstance(value, int)
    return value
