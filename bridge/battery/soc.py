"""The bank's state of charge: a weighted mean that knows its weakest pack and never jumps.

The mean is weighted by capacity over the packs that count. Toward empty it gives way to the lowest
pack, because that one trips first and leaves its load to the rest. When packs come or go the shown
value glides to the new mean; when none is left, it stays where it was. 100 % is shown only when the
bank is full and 0 % only when it is empty, because inverters act on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, inf

from bridge.battery.chemistry import preset
from bridge.battery.context import Pack
from bridge.model import PackSettings

GLIDE_PER_S = 0.005  # while packs have come or gone
FOLLOW_PER_S = 0.01  # otherwise
STEP_MAX_S = 3.0
LOW_BEGINS, LOW_ENDS = 0.15, 0.05  # of the lowest pack: from where on, and where only it counts
ALMOST_FULL, ALMOST_EMPTY = 0.99, 0.01
FULL_C_RATE = 0.05  # the charging current at which a full cell is `Preset.full_rise_v` above its rest


class StateOfCharge:
    """The shown value, which has a memory."""

    def __init__(self) -> None:
        self._soc: float | None = None
        self._now = inf
        self._names: frozenset[str] = frozenset()
        self._gliding = False

    def follow(self, packs: Sequence[Pack], now: float, *, settled: bool) -> float | None:
        """The value to show at `now`, 0..1, edges apart. settled: False while the bank starts, when every
        pack is news.
        """
        elapsed_s = min(max(0.0, now - self._now), STEP_MAX_S)
        self._now = now
        known = _known(packs)
        if not known:
            return self._soc
        target = _target(known)
        names = frozenset([own.name for own, _ in known])
        self._gliding = self._gliding or names != self._names
        self._names = names
        if self._soc is None or not settled:
            self._soc = target
        step = (GLIDE_PER_S if self._gliding else FOLLOW_PER_S) * elapsed_s
        self._soc = min(max(target, self._soc - step), self._soc + step)
        self._gliding = self._gliding and self._soc != target
        return self._soc


def within_edges(soc: float | None, packs: Sequence[Pack], discharge_limit_a: float) -> float | None:
    """100 % only when every pack is full, 0 % only when discharging has ended because one is empty."""
    if soc is None:
        return None
    if soc > ALMOST_FULL and not _full(packs):
        soc = ALMOST_FULL
    if soc < ALMOST_EMPTY and not (discharge_limit_a <= 0 and _empty(packs)):
        soc = ALMOST_EMPTY
    return soc


def _known(packs: Sequence[Pack]) -> list[tuple[PackSettings, float]]:
    """The packs whose SoC is part of the bank's, with it."""
    return [
        (pack.member.settings, pack.member.sample.soc)
        for pack in packs
        if pack.counts and pack.member.sample is not None and pack.member.sample.soc is not None
    ]


def _target(known: Sequence[tuple[PackSettings, float]]) -> float:
    mean = fsum([own.capacity_ah * soc for own, soc in known]) / fsum([own.capacity_ah for own, _ in known])
    lowest = min(soc for _, soc in known)
    weight = min(1.0, max(0.0, (lowest - LOW_ENDS) / (LOW_BEGINS - LOW_ENDS)))
    return weight * mean + (1.0 - weight) * lowest


def _full(packs: Sequence[Pack]) -> bool:
    """Whether every pack that counts is on the line from rest to charging at which a cell is full."""
    counting = [pack for pack in packs if pack.counts]
    return bool(counting) and all(_pack_full(pack) for pack in counting)


def _pack_full(pack: Pack) -> bool:
    facts, own = pack.facts, pack.member.settings
    if facts is None or facts.cell_max_v is None or facts.sample.current_a is None:
        return False
    charge_a, chemistry = max(0.0, facts.sample.current_a), preset(own)
    rise_v = chemistry.full_rise_v * charge_a / (FULL_C_RATE * own.capacity_ah)
    return facts.cell_max_v - rise_v >= own.cell_charge_v - (chemistry.charge_v - chemistry.full_rest_v)


def _empty(packs: Sequence[Pack]) -> bool:
    stopped = any(pack.facts is not None and pack.facts.discharge_stopped for pack in packs if pack.counts)
    return stopped or all(soc <= 0 for _, soc in _known(packs))
