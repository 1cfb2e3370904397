"""Three families of errors, each saying who must act.

`ConfigError`: the user. `LinkError`: the wire; the supervisor retries. `BridgeBug`: we do. Bytes
from outside raise none of them: a codec drops and counts what it does not understand.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BridgeError(Exception):
    """The base of all errors that packbridge raises on purpose."""


class ConfigError(BridgeError):
    """What the user wrote cannot be used. Carries every problem found, not the first."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LinkError(BridgeError):
    """A port, bus or radio cannot be opened, read or written at the moment."""


class BridgeBug(BridgeError):
    """Something that must not happen did: our own values do not fit where they must."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean "jbd"?`, with a leading full stop, or nothing if no known word is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f'. Did you mean "{close[0]}"?' if close else ""
