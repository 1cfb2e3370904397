"""A cycle that the kernel keeps, on SocketCAN: exact while we are busy, silent when we hang or die.

One operation of the kernel's broadcast manager holds the whole cycle. Its frames go out in order,
evenly spread over the period, each once a period. The kernel counts frames down and stops at zero, so
an operation is armed for some whole cycles and each decision arms it again: payloads are swapped and
the count refilled by one message, which leaves the phase as it is. A process that is stopped refills
nothing; one that is killed loses its socket, and the operation with it.

Source: linux/can/bcm.h and net/can/bcm.c; what re-arming does was measured on Linux 6.1 (hil/).
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bridge.errors import LinkError
from bridge.model import CanFrame

TX_SETUP, TX_EXPIRED = 1, 9
SETTIMER, STARTTIMER, TX_COUNTEVT, TX_ANNOUNCE = 0x01, 0x02, 0x04, 0x08
CAN_EFF_FLAG = 0x80000000
HEAD = struct.Struct("@IIIllllII")  # native: long has 4 bytes on a 32-bit kernel
HEAD_PADDING = bytes(-HEAD.size % 8)  # frames are aligned to 8
FRAME = struct.Struct("=IB3x8s")
LAST_GAP_S = 0.002  # between the frames of the last cycle
MESSAGE_MAX = 4096


def offered() -> bool:
    """Whether this kernel has a broadcast manager."""
    try:
        _socket().close()
    except (OSError, AttributeError):  # no module; no SocketCAN on this system at all
        return False
    return True


@dataclass(slots=True)
class BcmStatistics:
    """Counters since the sender was made. arms: cycles handed to the kernel; starts: from silence."""

    arms: int = 0
    starts: int = 0
    expiries: int = 0
    send_errors: int = 0
    last_error: str | None = None


def setup(frames: Sequence[CanFrame], period_s: float, count: int, flags: int) -> bytes:
    """The message that hands the kernel a cycle. frames: not empty; count: of frames until it stops."""
    interval_us = max(1, round(period_s * 1e6 / len(frames)))
    seconds, microseconds = divmod(interval_us, 1_000_000)
    head = HEAD.pack(TX_SETUP, flags, count, seconds, microseconds, 0, 0, _can_id(frames[0]), len(frames))
    body = [FRAME.pack(_can_id(frame), len(frame.data), frame.data.ljust(8, b"\0")) for frame in frames]
    return head + HEAD_PADDING + b"".join(body)


class BcmSender:
    """Arms one operation of the broadcast manager; see `sender.Sender`. All calls from one event loop.

    channel: the interface, as can0. send: puts one frame on the bus at once and raises LinkError; what
    cannot wait for its place in the cycle goes that way, spacing_s apart. repeat_gap_s: an identifier that
    may not come faster than this keeps to its place: the kernel does not tell when that was. on_expired,
    on_error: called in the loop, the latter whenever an arming failed; the next one tries again.
    """

    def __init__(  # noqa: PLR0913  # three say what to send and where, the others have defaults
        self,
        channel: str,
        period_s: float,
        send: Callable[[CanFrame], None],
        spacing_s: float = 0.0,
        *,
        repeat_gap_s: float = 0.0,
        on_expired: Callable[[], None] | None = None,
        on_error: Callable[[LinkError], None] | None = None,
        connect: Callable[[str], socket.socket] | None = None,
    ) -> None:
        self.statistics = BcmStatistics()
        self._channel = channel
        self._period_s = period_s
        self._send = send
        self._spacing_s = spacing_s
        self._keeps_place = repeat_gap_s > 0
        self._waiting: list[CanFrame] = []  # to go out of their turn
        self._free_s = -math.inf  # when the next of them may
        self._turn: asyncio.TimerHandle | None = None
        self._on_expired = on_expired
        self._on_error = on_error
        self._connect = connect or _connected
        self._socket: socket.socket | None = None
        self._frames: tuple[CanFrame, ...] = ()
        self._running = False
        self._ended = False
        self._finished = threading.Event()
        self._stopped = threading.Event()

    # bridge.links.sender.Sender

    def arm(self, frames: Sequence[CanFrame], valid_for_s: float, *, urgent: Sequence[CanFrame] = ()) -> None:
        """Send these from now on, for as many whole cycles as fit into valid_for_s, one at least. None: be
        silent at once. urgent: those that carry a limit which fell; what was not armed before of them also
        goes out at once, out of its turn.
        """
        if self._ended:
            return
        before, after = self._frames, tuple(frames)
        if not after:
            self._close()
            return
        try:
            self._arm(after, max(1, int(valid_for_s / self._period_s)))
        except OSError as error:
            self._failed(LinkError(f"{self._channel}: {error}"))
            return
        if before and not self._keeps_place:
            self._hurry([frame for frame in urgent if frame not in before])

    def finish(self, frames: Sequence[CanFrame]) -> None:
        """Send these once, as a whole cycle, then be silent for good. Returns at once."""
        if self._ended:
            return
        self._ended = True
        self._close()
        threading.Thread(target=self._last, args=(tuple(frames),), name="last cycle", daemon=True).start()

    def wait_finished(self, timeout_s: float) -> bool:
        """Block until the last cycle is out, or given up; whether it ended in time."""
        return self._finished.wait(timeout_s)

    def stop(self) -> None:
        """Be silent at once and for good."""
        self._ended = True
        self._stopped.set()
        self._finished.set()
        self._close()

    # The operation

    def _arm(self, frames: tuple[CanFrame, ...], cycles: int) -> None:
        self._read()  # an expiry that is not told yet: refilling would not start the timer again
        if self._frames and len(frames) != len(self._frames):
            self._close()  # another operation: the old one may not go on beside it
        if self._socket is None:
            self._socket = self._open()
        flags = SETTIMER | TX_COUNTEVT
        if not self._running:
            flags |= STARTTIMER | TX_ANNOUNCE
            self.statistics.starts += 1
        self._socket.send(setup(frames, self._period_s, cycles * len(frames), flags))
        self._running, self._frames = True, frames
        self.statistics.arms += 1

    def _open(self) -> socket.socket:
        opened = self._connect(self._channel)
        opened.settimeout(0)
        asyncio.get_running_loop().add_reader(opened.fileno(), self._read)
        return opened

    def _close(self) -> None:
        """Without its socket an operation ends at once."""
        if self._socket is not None:
            with suppress(RuntimeError):  # the loop is over
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
        self._socket, self._running, self._frames, self._waiting = None, False, (), []

    def _read(self) -> None:
        """What the kernel tells: that the count is used up, or that the interface is gone."""
        while self._socket is not None:
            try:
                told = self._socket.recv(MESSAGE_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                self._failed(LinkError(f"{self._channel}: {error}"))
                return
            if len(told) >= HEAD.size and HEAD.unpack_from(told)[0] == TX_EXPIRED:
                self._running = False
                self.statistics.expiries += 1
                if self._on_expired is not None:
                    self._on_expired()

    def _failed(self, error: LinkError) -> None:
        self._close()
        self.statistics.send_errors += 1
        self.statistics.last_error = str(error)
        if self._on_error is not None:
            self._on_error(error)

    # Frames out of their turn

    def _hurry(self, urgent: Sequence[CanFrame]) -> None:
        waiting = {frame.key for frame in self._waiting}
        self._waiting = [one for one in self._frames if one in urgent or one.key in waiting]
        self._at_once()

    def _at_once(self) -> None:
        """Send what waits, as far as the spacing allows."""
        loop = asyncio.get_running_loop()
        if self._turn is not None:
            self._turn.cancel()
        while self._waiting and loop.time() >= self._free_s:
            self._free_s = loop.time() + self._spacing_s
            try:
                self._send(self._waiting.pop(0))
            except LinkError as error:  # the cycle stands: all have their turn soon
                self.statistics.send_errors += 1
                self.statistics.last_error = str(error)
                self._waiting = []
        self._turn = loop.call_at(self._free_s, self._at_once) if self._waiting else None

    def _last(self, frames: Sequence[CanFrame]) -> None:
        try:
            for frame in frames:
                self._send(frame)
                if self._stopped.wait(LAST_GAP_S):
                    break
        except LinkError as error:
            self.statistics.last_error = str(error)
        finally:
            self._finished.set()


def _socket() -> socket.socket:
    return socket.socket(socket.PF_CAN, socket.SOCK_DGRAM, socket.CAN_BCM)


def _connected(channel: str) -> socket.socket:
    made = _socket()
    try:
        made.connect((channel,))
    except OSError:
        made.close()
        raise
    return made


def _can_id(frame: CanFrame) -> int:
    return frame.can_id | (CAN_EFF_FLAG if frame.extended else 0)
