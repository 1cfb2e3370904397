"""How far one dump has to be moved in time to lie upon another.

The idea: of all offsets at once, by Fourier transforms, the one at which the courses of what both say differ
least where both are known. It counts only if it is good; else both begin together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bridge.dump.block import Floats
from bridge.dump.traces import Traces

TELLING = ("current_a", "voltage_v", "soc_hires_pct", "cell_max_v", "soc_pct", "charge_current_limit_a")
LEAST = 8  # times in which a signal must be known
LEAST_OVERLAP = 0.3  # of the shorter
GOOD = 0.35  # mean square difference; courses that have nothing to do with each other have 2
CLEARLY = 0.7  # of what beginning together gives


class Align(StrEnum):
    """How two dumps are laid upon each other."""

    AUTO = "auto"  # where they agree best
    START = "start"  # both begin together
    NONE = "none"  # as their clocks have it


@dataclass(frozen=True, slots=True)
class Offset:
    """What is added to the second dump's times. by: what it was found by; empty: it was not looked for."""

    seconds: float
    by: tuple[str, ...] = ()


def offset(first: Traces, second: Traces, align: Align) -> Offset:
    """The offset of the second dump against the first. Both get times of one width."""
    width_s = max(first.width_s, second.width_s)
    first.coarser(width_s)
    second.coarser(width_s)
    start_s = first.begin_s - second.begin_s
    if align is Align.NONE:
        return Offset(0.0)
    if align is Align.START or not (first.timed and second.timed):
        return Offset(start_s)
    fits = {
        name: fit
        for name in TELLING
        if name in first.names & second.names
        and (fit := _fit(first.course(name), second.course(name))) is not None
        and fit.mean.min() <= GOOD  # what was changed between the two must not spoil it
    }
    if not fits:
        return Offset(start_s)
    squares = np.sum([fit.squares for fit in fits.values()], axis=0)
    mean: Floats = squares / np.sum([fit.overlap for fit in fits.values()], axis=0)
    place = int(np.argmin(mean))
    if mean[place] > CLEARLY * mean[0]:
        place = 0
    shift = place if place < len(mean) // 2 else place - len(mean)
    return Offset(start_s + shift * width_s, tuple(fits))


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Of one signal, for every shift: the sum of squared differences, and over how many times."""

    squares: Floats
    overlap: Floats

    @property
    def mean(self) -> Floats:
        return self.squares / self.overlap


def _fit(first: Floats, second: Floats) -> _Fit | None:
    """How well a signal fits at each shift; None if it does not move."""
    known = first[~np.isnan(first)], second[~np.isnan(second)]
    if min(len(known[0]), len(known[1])) < LEAST or not (np.ptp(known[0]) > 0 and np.ptp(known[1]) > 0):
        return None
    together = np.concatenate(known)
    middle, spread = float(together.mean()), float(together.std())
    squares, overlap = _squares((first - middle) / spread, (second - middle) / spread)
    enough = overlap > LEAST_OVERLAP * min(len(known[0]), len(known[1]))
    return _Fit(np.where(enough, squares, np.inf), np.where(enough, overlap, 1.0))


def _squares(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """For every shift: the sum of squared differences, and how many places both are known at."""
    size = 2 * len(first)

    def transformed(values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
        return np.asarray(np.fft.rfft(values, size), np.complex128)

    a, b = np.nan_to_num(first), np.nan_to_num(second)
    in_a, in_b = (~np.isnan(first)).astype(np.float64), (~np.isnan(second)).astype(np.float64)
    known_a, known_b = transformed(in_a), np.conj(transformed(in_b))
    total = transformed(a * a) * known_b + known_a * np.conj(transformed(b * b))
    total -= 2 * transformed(a) * np.conj(transformed(b))
    squares, both = np.fft.irfft(total, size), np.fft.irfft(known_a * known_b, size)
    return np.maximum(squares, 0), np.round(both)
