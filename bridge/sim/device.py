"""A simulated pack behind a pseudo-terminal: the one place here that touches a port and a clock.

A program opens `PtyPack.path` as it would a USB adapter. What it writes goes to a protocol's
`Device`, which answers for whatever the pack reads at that moment; the answer leaves after the
board's turnaround time, and at the line's speed if one is given. Packs with addresses share one
`Terminal`, as on an RS485 pair: all hear every request, and one speaks at a time. Runs in an
asyncio loop.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from dataclasses import dataclass

from bridge.model import Reading
from bridge.protocols.contract import Device, Payload, Talker
from bridge.sim.chance import stream
from bridge.sim.faults import Fault, extra_delay_s, spoiled
from bridge.sim.sleep import Sleep

TURNAROUND_S = 0.02  # wired JBD boards start to answer within 10 to 40 ms
BITS_PER_BYTE = 10  # 8N1
PIECE_MS = 2  # a paced answer arrives in pieces of about this length


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How long things take. turnaround_s: from a request's end to the answer's start. baudrate: the
    speed at which bytes seem to travel, both ways; None lets them arrive at once.
    """

    turnaround_s: float = TURNAROUND_S
    baudrate: int | None = None

    def seconds(self, size: int) -> float:
        """For how long `size` bytes travel."""
        return size * BITS_PER_BYTE / self.baudrate if self.baudrate else 0.0

    def piece_bytes(self, size: int) -> int:
        """In pieces of which length `size` bytes are written so that they seem to travel."""
        return max(1, self.baudrate * PIECE_MS // (BITS_PER_BYTE * 1000) if self.baudrate else size)


DIRECT = Wire()


class Terminal:
    """A pseudo-terminal as the near end of a line. path: what a program opens; it may come and go."""

    def __init__(self, wire: Wire = DIRECT) -> None:
        self.wire = wire
        self.alive = True
        self.lost_bytes = 0
        self._hearers: list[Callable[[bytes], None]] = []
        self._free_at_s = 0.0
        self._loop = asyncio.get_running_loop()
        # The far end stays open here too: a program that closes it does not hang up the line.
        self._near_fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        os.set_blocking(self._near_fd, False)
        self.path = os.ttyname(self._far_fd)
        self._loop.add_reader(self._near_fd, self._readable)

    def attach(self, hear: Callable[[bytes], None]) -> None:
        """Have `hear` called with whatever a program writes."""
        self._hearers.append(hear)

    def reserve(self, earliest_s: float, size: int) -> float:
        """When `size` bytes may begin to leave: not while others still talk."""
        start_s = max(earliest_s, self._free_at_s)
        self._free_at_s = start_s + self.wire.seconds(size)
        return start_s

    def write(self, piece: bytes) -> None:
        """Let a program have this; what nobody fetches is lost."""
        try:
            sent_bytes = os.write(self._near_fd, piece) if self.alive else 0
        except BlockingIOError:
            sent_bytes = 0  # nobody reads the far end; a real line does not wait either
        self.lost_bytes += len(piece) - sent_bytes

    def close(self) -> None:
        """Pull out the adapter: whoever has it open gets an error."""
        if not self.alive:
            return
        self.alive = False
        self._loop.remove_reader(self._near_fd)
        os.close(self._near_fd)
        os.close(self._far_fd)

    def _readable(self) -> None:
        chunk = os.read(self._near_fd, 4096)
        for hear in self._hearers:
            hear(chunk)


class PtyPack:
    """One pack on one pseudo-terminal. fault, stranger and silent may be changed at any time.

    stranger: what another pack on the same wire answered last, for `Fault.STRANGER`; without it,
    the pack's own answer before this one. last_answer: the last right answer, whether it left or not.
    terminal: shared with others, else its own. talks: a `Talker` also says what nobody asked for.
    """

    def __init__(  # noqa: PLR0913  # two say what it is, the others have defaults
        self,
        device: Device,
        reading: Callable[[], Reading],
        *,
        wire: Wire = DIRECT,
        stranger: Callable[[], bytes] | None = None,
        seed: int = 1,
        terminal: Terminal | None = None,
        talks: bool = False,
        sleep: Sleep | None = None,
    ) -> None:
        self._device = device
        self._reading = reading
        self._terminal = terminal or Terminal(wire)
        self._chance = stream("faults", seed)
        self._sleep = sleep
        self._timers: set[asyncio.TimerHandle] = set()
        self.stranger = stranger
        self.fault: Fault | None = None
        self.silent = False
        self.last_answer = b""
        self._loop = asyncio.get_running_loop()
        self._terminal.attach(self._hear)
        if talks and isinstance(device, Talker):
            self._loop.call_later(device.tick_s, self._tick, device)

    @property
    def path(self) -> str:
        """What a program opens."""
        return self._terminal.path

    @property
    def alive(self) -> bool:
        """Whether the line is still there."""
        return self._terminal.alive

    @property
    def lost_bytes(self) -> int:
        """How many bytes nobody fetched from the line."""
        return self._terminal.lost_bytes

    def kill(self) -> None:
        """Close the line, as an adapter that is pulled out; whoever has it open gets an error."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._terminal.close()

    def silence(self) -> None:
        """Hear, but never answer again until `silent` is taken back."""
        self.silent = True

    def _hear(self, chunk: bytes) -> None:
        awake = self._sleep is None or self._sleep.hears(self._loop.time())
        if self.silent or not awake:
            return
        self._answer(self._device.receive(chunk, self._reading()), len(chunk))

    def _tick(self, talker: Talker) -> None:
        if not self.alive:
            return
        self._loop.call_later(talker.tick_s, self._tick, talker)
        awake = self._sleep is None or self._sleep.awake(self._loop.time())
        if awake and not self.silent:
            self._answer(talker.tick(self._reading()), 0)

    def _answer(self, answers: list[Payload], request_bytes: int) -> None:
        wire = self._terminal.wire
        wait_s = wire.seconds(request_bytes) + wire.turnaround_s + extra_delay_s(self.fault)
        for answer in answers:
            if isinstance(answer, bytes):
                other = self.stranger() if self.stranger else self.last_answer
                self._send(spoiled(self.fault, answer, stranger=other, chance=self._chance), wait_s)
                self.last_answer = answer

    def _send(self, sent: bytes, wait_s: float) -> None:
        wire = self._terminal.wire
        start_s = self._terminal.reserve(self._loop.time() + wait_s, len(sent))
        piece_bytes = wire.piece_bytes(len(sent))
        for begin in range(0, len(sent), piece_bytes):
            piece = sent[begin : begin + piece_bytes]
            self._write_at(start_s + wire.seconds(begin + len(piece)), piece)

    def _write_at(self, when_s: float, piece: bytes) -> None:
        timer: asyncio.TimerHandle = self._loop.call_at(when_s, lambda: self._write(timer, piece))
        self._timers.add(timer)

    def _write(self, timer: asyncio.TimerHandle, piece: bytes) -> None:
        self._timers.discard(timer)
        self._terminal.write(piece)
