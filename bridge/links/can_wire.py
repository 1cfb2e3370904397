"""A CAN bus in the hands of one thread, for tools that have no event loop: send now, take what was heard.

What a gateway does stands in `can`; here nothing is repeated and nothing is supervised.
"""

from __future__ import annotations

import contextlib
import time

import can

from bridge.errors import LinkError
from bridge.links.can import FAILURES
from bridge.model import CanFrame

MOST_AT_ONCE = 1000  # frames taken in one look: a babbling bus may not hold us


class CanWire:
    """One bus, open from the start. Raises LinkError if it can't be opened.

    interface, channel: python-can's.
    """

    def __init__(self, interface: str, channel: str, bitrate: int) -> None:
        self.name = f"{interface}:{channel}"
        try:
            self._bus = can.Bus(interface=interface, channel=channel, bitrate=bitrate, ignore_config=True)
        except FAILURES as error:
            raise LinkError(f"{self.name}: {error}") from error

    def send(self, frame: CanFrame, *, remote: bool = False) -> None:
        """Send a frame now; raises LinkError if the interface does not take it."""
        message = can.Message(
            arbitration_id=frame.can_id,
            is_extended_id=frame.extended,
            is_remote_frame=remote,
            data=None if remote else frame.data,
            check=True,
        )
        try:
            self._bus.send(message, timeout=0)
        except FAILURES as error:
            raise LinkError(f"{self.name}: {error}; does anybody acknowledge, and is it up?") from error

    def heard(self) -> list[CanFrame]:
        """Data frames that came since the last time, without waiting. Raises LinkError."""
        found: list[CanFrame] = []
        try:
            for _ in range(MOST_AT_ONCE):
                if (message := self._bus.recv(0)) is None:
                    break
                if not (message.is_error_frame or message.is_remote_frame or message.is_fd):
                    found.append(
                        CanFrame(message.arbitration_id, bytes(message.data), message.is_extended_id)
                    )
        except FAILURES as error:
            raise LinkError(f"{self.name}: {error}") from error
        return found

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(*FAILURES):
            self._bus.shutdown()


class SystemClock:
    """The machine's own monotonic time."""

    @staticmethod
    def now() -> float:
        """Monotonic seconds."""
        return time.monotonic()

    @staticmethod
    def wait_until(time_s: float) -> None:
        """Sleep until then; not at all if it is over."""
        if (left_s := time_s - time.monotonic()) > 0:
            time.sleep(left_s)
