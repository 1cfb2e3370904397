"""Times as people write them: 90s, 15m, 1h30m."""

from __future__ import annotations

import re

from bridge.errors import ConfigError

UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0}


def seconds(text: str, option: str) -> float:
    """A duration in seconds. Raises ConfigError that names the option."""
    found = re.fullmatch(r"(?=\d)(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", text.strip())
    if found is None:
        raise ConfigError(f"{option}: found {text}; write a time with its unit: 90s, 15m or 1h30m")
    return sum(int(number or 0) * UNITS_S[unit] for number, unit in zip(found.groups(), "hms", strict=True))


def shown(seconds_: float) -> str:
    """A duration as a person reads it: 14m 55s."""
    whole = max(0, round(seconds_))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
