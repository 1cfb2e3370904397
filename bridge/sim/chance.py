"""Seeded chance, so that a simulated day is the same day each time."""

from __future__ import annotations

import random


def stream(*key: str | int) -> random.Random:
    """A stream of random numbers that depends on `key` alone, on every machine and in every run."""
    return random.Random(":".join(str(part) for part in key))  # noqa: S311  # a simulation, no secret
