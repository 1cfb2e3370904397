"""A simulated pack behind a pseudo-terminal: the one place here that touches a port and a clock.

A program opens `PtyPack.path` as it would a USB adapter. What it writes goes to a protocol's
`Device`, which answers for whatever the pack reads at that moment; the answer leaves after the
board's turnaround time, and at the line's speed if one is given. Runs in an asyncio loop.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from dataclasses import dataclass

from bridge.model import Reading
from bridge.protocols.contract import Device
from bridge.sim.chance import stream
from bridge.sim.faults import Fault, extra_delay_s, spoiled

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


class PtyPack:
    """One pack on one pseudo-terminal. fault, stranger and silent may be changed at any time.

    stranger: what another pack on the same wire answered last, for `Fault.STRANGER`; without it,
    the pack's own answer before this one. last_answer: the last right answer, whether it left or not.
    """

    def __init__(
        self,
        device: Device,
        reading: Callable[[], Reading],
        *,
        wire: Wire = DIRECT,
        stranger: Callable[[], bytes] | None = None,
        seed: int = 1,
    ) -> None:
        self._device = device
        self._reading = reading
        self._wire = wire
        self._chance = stream("faults", seed)
        self._timers: set[asyncio.TimerHandle] = set()
        self._free_at_s = 0.0
        self.stranger = stranger
        self.fault: Fault | None = None
        self.silent = False
        self.alive = True
        self.last_answer = b""
        self.lost_bytes = 0
        self._loop = asyncio.get_running_loop()
        # The far end stays open here too: a program that closes it does not hang up the line.
        self._near_fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        os.set_blocking(self._near_fd, False)
        self.path = os.ttyname(self._far_fd)
        self._loop.add_reader(self._near_fd, self._readable)

    def kill(self) -> None:
        """Close the line, as an adapter that is pulled out; whoever has it open gets an error."""
        if not self.alive:
            return
        self.alive = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._loop.remove_reader(self._near_fd)
        os.close(self._near_fd)
        os.close(self._far_fd)

    def silence(self) -> None:
        """Hear, but never answer again until `silent` is taken back."""
        self.silent = True

    def _readable(self) -> None:
        chunk = os.read(self._near_fd, 4096)
        if self.silent:
            return
        for answer in self._device.receive(chunk, self._reading()):
            if isinstance(answer, bytes):
                self._answer(answer, len(chunk))

    def _answer(self, answer: bytes, request_bytes: int) -> None:
        other = self.stranger() if self.stranger else self.last_answer
        sent = spoiled(self.fault, answer, stranger=other, chance=self._chance)
        self.last_answer = answer
        wire = self._wire
        wait_s = wire.seconds(request_bytes) + wire.turnaround_s + extra_delay_s(self.fault)
        start_s = max(self._loop.time() + wait_s, self._free_at_s)
        self._free_at_s = start_s + wire.seconds(len(sent))
        piece_bytes = wire.piece_bytes(len(sent))
        for begin in range(0, len(sent), piece_bytes):
            piece = sent[begin : begin + piece_bytes]
            self._write_at(start_s + wire.seconds(begin + len(piece)), piece)

    def _write_at(self, when_s: float, piece: bytes) -> None:
        timer: asyncio.TimerHandle = self._loop.call_at(when_s, lambda: self._write(timer, piece))
        self._timers.add(timer)

    def _write(self, timer: asyncio.TimerHandle, piece: bytes) -> None:
        self._timers.discard(timer)
        try:
            sent_bytes = os.write(self._near_fd, piece)
        except BlockingIOError:
            sent_bytes = 0  # nobody reads the far end; a real line does not wait either
        self.lost_bytes += len(piece) - sent_bytes
