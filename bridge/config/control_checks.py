"""What must hold for the control socket: a path that the kernel takes."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.config.draft import Draft
from bridge.config.sentences import Problem, describe

OFF = "off"
LONGEST = 107  # bytes of a path in sockaddr_un, see unix(7)


def check_control(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with `control`."""
    path = draft.file.gateway.control
    if path is None or path == OFF:
        return
    if not path.startswith("/") or len(path.encode()) > LONGEST:
        yield Problem(
            ("gateway", "control"),
            f'found {describe(path)}; allowed: a path from / on of {LONGEST} bytes at most, or "off"; '
            "leave it out for the usual place",
        )
