"""Packs of one bank that do not fit together: in charge, or in voltage where none should be.

In parallel all packs have the bus's voltage. One that has another is not on the bus, or has an open
contact or a wrong sensor; if it closes its switch, the difference over the resistances is the current
that will flow. Where its path is known (`path_mohm`), that narrows the window: no more than half of what
it may carry. On an LFP plateau the voltage says little, so the charge is compared too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum
from typing import Final

from bridge.battery.context import Pack
from bridge.battery.membership import both_off
from bridge.battery.shares import prior_s
from bridge.model import Alarm, AlarmCause, PackState, Severity

SOC_APART: Final = 0.20
SURGE: Final = 0.5  # of what a pack may carry: so much may flow in the moment in which it is connected
# Who carries less, the greater of the two, is at rest.
REST_A: Final = 2.0
REST_C_RATE: Final = 0.02


def apart_v(pack: Pack, packs: Sequence[Pack]) -> float | None:
    """How far above (below: negative) the bus a pack is, V; None if it carries current, and so is on the
    bus, or if there is no other pack to tell the bus by.
    """
    if pack.facts is None or pack.facts.voltage_v is None or _carries(pack) is True:
        return None
    others_v = [
        v for other in _on_bus(packs, pack) if other.facts and (v := other.facts.voltage_v) is not None
    ]
    return pack.facts.voltage_v - fsum(others_v) / len(others_v) if others_v else None


def is_outside(pack: Pack, volts: float, packs: Sequence[Pack], window_v_per_cell: float) -> bool:
    """Whether a pack so far above (below: negative) the bus is too far from it to be connected."""
    own = pack.member.settings
    window_v = window_v_per_cell * own.cells
    if own.path_mohm is not None:
        others_s = fsum([prior_s(other.member.settings) for other in _on_bus(packs, pack)])
        surge_a = SURGE * (own.discharge_carry_a if volts > 0 else own.charge_carry_a)
        window_v = min(window_v, surge_a * (1.0 / prior_s(own) + (1.0 / others_s if others_s else 0.0)))
    return abs(volts) > window_v


def causes(packs: Sequence[Pack], window_v_per_cell: float) -> Iterator[AlarmCause]:
    """A warning for every pack that does not fit to the others."""
    heard = [pack for pack in packs if pack.heard]
    if len(heard) < 2:
        return
    yield from _charge_apart(heard)
    rests = all(_carries(pack) is False for pack in heard)
    for pack in heard:
        outside = pack.member.state in {PackState.JOINING, PackState.ISOLATED}
        if (rests or outside) and (volts := apart_v(pack, heard)) is not None:
            within_v = window_v_per_cell * pack.member.settings.cells
            if is_outside(pack, volts, heard, window_v_per_cell) if outside else abs(volts) > within_v:
                side = "above" if volts > 0 else "below"
                what = "; closing its switch would draw a surge" if outside else ""
                yield _cause(pack.member.name, f"{abs(volts):.2f} V {side} the other packs{what}")


def _on_bus(packs: Sequence[Pack], pack: Pack) -> list[Pack]:
    """The others that are on the bus and say its voltage."""
    return [
        other
        for other in packs
        if other is not pack
        and other.member.state is PackState.ACTIVE
        and other.facts is not None
        and other.facts.voltage_v is not None
        and not both_off(other.facts.sample)
    ]


def _carries(pack: Pack) -> bool | None:
    """Whether so much flows through a pack that it certainly is on the bus; None if that is not known."""
    if pack.facts is None or (current_a := pack.facts.sample.current_a) is None:
        return None
    return abs(current_a) > max(REST_A, REST_C_RATE * pack.facts.settings.capacity_ah)


def _charge_apart(heard: Sequence[Pack]) -> Iterator[AlarmCause]:
    known = [(pack, soc) for pack in heard if (soc := pack.soc) is not None]
    counting = [(pack.member.settings.capacity_ah, soc) for pack, soc in known if pack.counts]
    if not counting or len(known) < 2:
        return
    mean = fsum([ah * soc for ah, soc in counting]) / fsum([ah for ah, _ in counting])
    for pack, soc in known:
        if abs(soc - mean) > SOC_APART:
            yield _cause(pack.member.name, f"at {100 * soc:.0f} %, the bank at {100 * mean:.0f} %")


def _cause(name: str, text: str) -> AlarmCause:
    return AlarmCause(
        alarm=Alarm.PACK_IMBALANCE, severity=Severity.WARNING, text=f"{name}: {text}", pack=name
    )
