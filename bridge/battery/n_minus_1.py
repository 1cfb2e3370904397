"""What the loss of one pack at full load does to the others, and how much that leaves the bank.

A BMS that opens leaves its current to the rest: of n equal packs each gets n / (n - 1) times as much,
until the inverter has followed the limit that falls. If their BMSs open meanwhile, the house is dark.
From the trip to a current that the survivor i may carry for good it takes

    T = poll + cycle + frame + lag * ln((I' - D_i) / (OCP_i - D_i))

where I' is what it inherits. "auto" allows the I' at which T is a second less than the delay of its BMS,
if that is known, but nothing near its instant stage; "strict" allows no more than D_i. The bank's limit
is then the one under which the worst single loss leaves each survivor within that, at the share it would
have then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, fsum
from typing import Final

from bridge.battery.anchor import Part
from bridge.battery.context import Context, Pack
from bridge.battery.fixed import UNKNOWN_FAST, UNKNOWN_OCP
from bridge.battery.silence import branch
from bridge.model import BankSettings, Constraint, Limit

BELOW_TRIP: Final = 0.97  # of a current at which a BMS opens: its sensor's error
SPARE_S: Final = 1.0
# Of the gateway: until it decides, until the inverter is told.
CYCLE_S: Final = 1.0
FRAME_S: Final = 1.0


def n_minus_1(context: Context) -> Iterable[Constraint]:
    """Survive the loss of any one pack, as far as the settings ask for it."""
    settings = context.settings
    if settings.n_minus_1 == "off":
        return
    found = [(pack, b) for pack in context.packs if (b := branch(pack, Limit.DCL, context)) is not None]
    if len(found) < 2:
        return
    parts = context.sharing.parts([b for _, b in found], Limit.DCL)
    reaction_s = max([pack.member.settings.period_s for pack, _ in found]) + CYCLE_S + FRAME_S
    losses = _Losses(parts)
    for (pack, own), part in zip(found, parts, strict=True):
        own_a = own.causes[0].value
        if settings.n_minus_1 == "strict":
            most_a, reason = own_a, "more than it may carry"
        else:
            most_a, reason = _bearable_a(pack, own_a, settings, reaction_s)
        amps, lost = losses.bank_a(most_a, part)
        text = f"{part.name}: if {lost} dropped out, it would get {reason}"
        yield Constraint(
            limit=Limit.DCL, value=amps, rule="n_minus_1", text=text, pack=part.name, age_s=own.age_s
        )


class _Losses:
    """The worst single loss for each of the packs. Only packs that are surely there can help, or be lost."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._sure = fsum([part.certainty * part.conductance for part in parts])
        self._stiffest = sorted(parts, key=lambda p: (-p.certainty * p.conductance, p.name))[:2]
        self._circulating = sorted(parts, key=lambda p: (-p.circulating_a, p.name))[:2]

    def bank_a(self, most_a: float, part: Part) -> tuple[float, str]:
        """The bank's current that leaves most_a to this pack after the worst loss, and the pack lost.

        What was drawn through the lost pack counts as the largest that circulates through any.
        """
        lost = _other(self._stiffest, part)
        inherited_a = _other(self._circulating, part).circulating_a
        others = self._sure - part.certainty * part.conductance - lost.certainty * lost.conductance
        share = part.conductance / (part.conductance + max(0.0, others))
        room_a = max(0.0, most_a - part.circulating_a)
        return max(0.0, room_a / min(1.0, share * (1.0 + part.margin)) - inherited_a), lost.name


def _other(two: Sequence[Part], part: Part) -> Part:
    return two[1] if two[0] is part else two[0]


def _bearable_a(pack: Pack, own_a: float, settings: BankSettings, reaction_s: float) -> tuple[float, str]:
    """The current that this pack's BMS bears until the inverter has followed, A, and what lies beyond."""
    ocp_a, fast_a, delay_s = _trips(pack)
    left_s = 0.0 if delay_s is None else delay_s - SPARE_S - reaction_s
    ride_a = own_a + (ocp_a - own_a) * exp(left_s / settings.inverter_lag_s) if left_s > 0 else ocp_a
    if ride_a <= ocp_a:
        return BELOW_TRIP * ocp_a, f"more than 97 % of the {ocp_a:g} A at which its BMS opens"
    if ride_a >= fast_a:
        return BELOW_TRIP * fast_a, f"more than 97 % of the {fast_a:g} A at which its BMS opens at once"
    return BELOW_TRIP * ride_a, f"more than it bears for the {delay_s:g} s until its BMS opens"


def _trips(pack: Pack) -> tuple[float, float, float | None]:
    """The discharging currents at which a pack's BMS opens late and at once, A; its delay, s, if known."""
    own = pack.member.settings
    said_a = None if pack.facts is None else pack.facts.ratings.discharge_ocp_a
    known_a = [amps for amps in (own.ocp_a, said_a) if amps is not None]
    ocp_a = min(known_a, default=UNKNOWN_OCP * own.rated_discharge_current_a)
    fast_a = UNKNOWN_FAST * own.rated_discharge_current_a if own.ocp_fast_a is None else own.ocp_fast_a
    return ocp_a, max(ocp_a, fast_a), own.ocp_delay_s
