"""Frames of a CAN bus as they come, for who only listens and may block."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import can

from bridge.errors import LinkError
from bridge.links.can import FAILURES

WAIT_S = 0.1  # at the longest without a word


def listen(interface: str, channel: str, bitrate: int) -> Generator[can.Message | None]:
    """Every frame, and None when there was none for WAIT_S; endless. Raises LinkError if the bus fails."""
    try:
        bus = can.Bus(interface=interface, channel=channel, bitrate=bitrate, ignore_config=True)
    except FAILURES as error:
        raise LinkError(f"{interface}:{channel}: {error}") from error
    try:
        while True:
            yield bus.recv(WAIT_S)
    except FAILURES as error:
        raise LinkError(f"{interface}:{channel}: {error}") from error
    finally:
        with contextlib.suppress(*FAILURES):
            bus.shutdown()
