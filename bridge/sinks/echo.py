"""Our own words, heard again: on a two-wire pair an adapter may hand back what it sends."""

from __future__ import annotations


class Echo:
    """Takes what we sent out of what arrives, once, while it can be that. Any chunking gives the same."""

    def __init__(self) -> None:
        self.count = 0
        self._expected = b""
        self._until_s = 0.0
        self._held = bytearray()

    def sent(self, data: bytes, until_s: float) -> None:
        """This leaves now; a later echo than until_s is none."""
        self._expected, self._until_s = data, until_s
        self._held.clear()

    def without(self, chunk: bytes, at_s: float) -> bytes:
        """What of a chunk is not our echo; what may still become one is held back."""
        if not self._expected:
            return chunk
        held = bytes(self._held) + chunk
        if at_s > self._until_s or not (self._expected.startswith(held) or held.startswith(self._expected)):
            return self.release() + chunk
        self._held[:] = held
        if len(held) < len(self._expected):
            return b""
        self.count += 1
        rest = held[len(self._expected) :]
        self._expected = b""
        self._held.clear()
        return rest

    def release(self) -> bytes:
        """What was held back and is no echo after all."""
        held = bytes(self._held)
        self._expected = b""
        self._held.clear()
        return held
