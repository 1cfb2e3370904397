"""Values that may be missing, joined: which of them must be there for the whole to be known."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

Values = Sequence[float | None]


def value_or(value: float | None, default: float) -> float:
    """The value, or what stands for one that is not known."""
    return default if value is None else value


def sum_of_all(values: Values) -> float | None:
    """The sum, if every value is known."""
    known = [value for value in values if value is not None]
    return fsum(known) if len(known) == len(values) else None


def least_of_all(values: Values) -> float | None:
    """The least, if every value is known."""
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def least_of_known(values: Values) -> float | None:
    """The least of those that are known."""
    return min([value for value in values if value is not None], default=None)


def least_with_defaults(values: Sequence[tuple[float | None, float]]) -> float | None:
    """The least of (value, what stands for it), if any value is known."""
    if all(value is None for value, _ in values):
        return None
    return min([value_or(value, default) for value, default in values])
