"""Cuts a byte stream into checked frames, for protocols whose frames say their own length.

The one idea: whether a frame starts at a byte, how long it is and whether it is whole are three
questions about bytes alone, so the cuts depend on the stream and never on how it was chunked. What
fails is dropped only up to the next place where a frame may start, because a truncated frame hides
the beginning of a good one.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocols.contract import Drop, Dropped


class BadFrame(Exception):
    """A frame that cannot be used; a decoder turns it into a counted `Dropped`."""

    def __init__(self, reason: Drop, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


Measure = Callable[[bytearray, int], int | None]
"""measure(buffer, offset): the size of the frame that starts there; 0 while too little of it is known
to say; None if none can start there. Its answer may not change with more bytes, except from 0.
"""

Check = Callable[[bytes], Drop | None]
"""check(frame): why a frame of full length is not a frame; None if it is one."""


class Cutter:
    """Frames out of chunks of any size. Holds less than one longest frame between two calls.

    All bytes of a failed frame count under its reason, and are told at once when none of them can start
    another frame any more: one bad frame is one drop.
    """

    def __init__(self, measure: Measure, check: Check) -> None:
        self._measure = measure
        self._check = check
        self._buffer = bytearray()
        self._reason = Drop.NOISE  # of the failed frame that the buffer begins in
        self._failed_left = 0  # how many of its bytes are still in the buffer
        self._untold = 0  # how many of its bytes were dropped already

    def feed(self, chunk: bytes) -> list[bytes | Dropped]:
        """The frames and the drops that `chunk` makes certain, in order."""
        self._buffer += chunk
        return self._cut(closed=False)

    def reset(self) -> list[bytes | Dropped]:
        """Gives up the incomplete frame; a whole one that stood behind its first bytes comes out."""
        return self._cut(closed=True)

    def _cut(self, *, closed: bool) -> list[bytes | Dropped]:
        found: list[bytes | Dropped] = []
        if self._untold:
            _drop(found, self._reason, self._untold)
            self._untold = 0
        at = 0
        while at < len(self._buffer):
            size = self._measure(self._buffer, at)
            whole = bool(size) and at + (size or 0) <= len(self._buffer)
            if size is not None and not whole and not closed:
                break
            failure = self._failure(at, size, whole=whole)
            step = (size or 0) if failure is None else 1
            if failure is None:
                found.append(bytes(self._buffer[at : at + step]))
            else:
                _drop(found, failure, 1)
            at += step
            self._failed_left = max(0, self._failed_left - step)
        del self._buffer[:at]
        last = found[-1] if found else None
        if self._failed_left and isinstance(last, Dropped) and last.reason is self._reason:
            self._untold = last.size
            found.pop()
        return found

    def _failure(self, at: int, size: int | None, *, whole: bool) -> Drop | None:
        """Why the byte at `at` is dropped; None if a good frame starts there."""
        if size is None:
            return self._reason if self._failed_left else Drop.NOISE
        failure = self._check(bytes(self._buffer[at : at + size])) if whole else Drop.TRUNCATED
        if failure is None or self._failed_left:
            return failure and self._reason
        self._reason = failure
        self._failed_left = size if whole else len(self._buffer) - at
        return failure


def _drop(found: list[bytes | Dropped], reason: Drop, size: int) -> None:
    last = found[-1] if found else None
    if isinstance(last, Dropped) and last.reason is reason:
        found[-1] = Dropped(reason, last.size + size)
    else:
        found.append(Dropped(reason, size))
