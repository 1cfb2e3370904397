"""`packbridge dump decode`: what every frame of a dump means. The work is in `bridge.dump`."""

from __future__ import annotations

EPILOG = """[b]Examples[/b]

packbridge dump decode dump.log"""


def decode() -> None:
    """Say what the frames of a dump mean."""
    raise NotImplementedError
