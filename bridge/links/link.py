"""What every link offers to the runtime, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.protocols.contract import Payload


class Link(Protocol):
    """A wire, a radio or a bus to one or more devices."""

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        """Open, call `up` once, then `receive` for everything that arrives, in the event loop.

        Ends only by raising: LinkError when the link cannot be opened or fails, CancelledError when
        it is to be closed. Everything is closed by then.
        """
        ...

    def write(self, payload: Payload) -> None:
        """Send soon, in order; never blocks and never raises. Lost while the link is down."""
        ...
