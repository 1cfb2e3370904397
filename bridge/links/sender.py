"""What every cyclic sender offers, whether a kernel or a thread keeps its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bridge.model import CanFrame


class Sender(Protocol):
    """Repeats one cycle of frames on a bus, for a bounded time. All calls return at once."""

    def arm(self, frames: Sequence[CanFrame], valid_for_s: float, *, urgent: Sequence[CanFrame] = ()) -> None:
        """Send these from now on, and fall silent in valid_for_s unless armed again.

        urgent: those that carry a limit which fell; what is not on the bus yet of them goes out as soon as
        the inverter takes it, without shifting the later cycles.
        """
        ...

    def finish(self, frames: Sequence[CanFrame]) -> None:
        """Send these once, as a whole cycle, then be silent."""
        ...

    def wait_finished(self, timeout_s: float) -> bool:
        """Block (not in the event loop) until the last cycle is out; whether it is."""
        ...

    def stop(self) -> None:
        """Be silent at once."""
        ...
