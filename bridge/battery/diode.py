"""Current through the body diode of an open switch, and the limit that bounds it.

A pack with its charge switch off still gives current once the bus sags far enough, through a diode that
burns 0.7 W for each ampere; so does one with its discharge switch off take it. It is not counted on.
More than 10 A for 10 s is warned of: most boards close the switch at that, this one does not.

A diode at 0.4 of the rating burns what closed switches of 2.8 mohm burn at the rating of a 100 A board,
so up to there the board is built for the heat, unless it says that its switches are hot. Beyond it
for 10 s, the bank's limit of that direction is lowered by a fifth of what flows, and again every 10 s.
The lower limit stays while the switch is open, and is let go slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum, inf
from typing import Final

from bridge.battery.context import Pack
from bridge.battery.curves import MOSFET_TAPER
from bridge.model import Alarm, AlarmCause, Constraint, Limit, Severity

CONDUCTS_A: Final = 10.0
CONDUCTS_S: Final = 10.0
BEARABLE: Final = 0.4  # of the rating
# Less than half of what is too much for so long: the limit may rise ...
CALM: Final = 0.5
CALM_S: Final = 600.0
RISE_PER_S: Final = 0.01 / 60.0  # ... by so much of it
CUT: Final = 0.8


class DiodeWatch:
    """One direction of the bank."""

    def __init__(self, limit: Limit) -> None:
        self.causes: list[AlarmCause] = []
        self._limit = limit
        self._cap_a = inf
        self._conducts_s: dict[str, float] = {}  # since when a pack carries more than is worth a warning
        self._too_much_s: float | None = None  # since when one carries too much, or the limit was lowered
        self._calm_s: float | None = None
        self._seen_a: dict[str, float] = {}  # what was last measured through each diode
        self._now = -inf

    def look(self, packs: Sequence[Pack], published_a: float, now: float) -> None:
        """All packs at `now`, and the limit that the inverter was told last."""
        flows = [(amps, pack) for pack in packs if (amps := self._through_diode(pack)) is not None]
        self._seen_a = {pack.member.name: amps for amps, pack in flows}
        elapsed_s, self._now = min(max(0.0, now - self._now), CONDUCTS_S), now
        self._warn(flows)
        if not flows:
            self._cap_a, self._too_much_s, self._calm_s = inf, None, None
            return
        worst = max(amps / self._bearable_a(pack) for amps, pack in flows)
        if worst > 1.0:
            self._too_much(packs, published_a)
        else:
            self._too_much_s = None
        if worst > CALM or self._calm_s is None:
            self._calm_s = now
        elif now - self._calm_s >= CALM_S:
            self._cap_a *= 1.0 + RISE_PER_S * elapsed_s

    def constraints(self) -> Iterator[Constraint]:
        """The lowered limit, if it is."""
        if self._cap_a < inf:
            text = "a pack conducts through the diode of an open switch, or did until this was lowered"
            yield Constraint(limit=self._limit, value=self._cap_a, rule="diode", text=text)

    def _warn(self, flows: Sequence[tuple[float, Pack]]) -> None:
        since_s: dict[str, float] = {}
        self.causes = []
        for amps, pack in flows:
            name = pack.member.name
            if amps <= CONDUCTS_A:
                continue
            since_s[name] = self._conducts_s.get(name, self._now)
            if self._now - since_s[name] >= CONDUCTS_S:
                self.causes.append(self._cause(name, amps))
        self._conducts_s = since_s

    def _too_much(self, packs: Sequence[Pack], published_a: float) -> None:
        if self._too_much_s is None:
            self._too_much_s = self._now
        if self._now - self._too_much_s < CONDUCTS_S:
            return
        self._too_much_s = self._now
        heard_a = [p.facts.sample.current_a or 0.0 for p in packs if p.heard and p.facts is not None]
        self._cap_a = CUT * min(self._cap_a, published_a, max(abs(fsum(heard_a)), CONDUCTS_A))

    def _through_diode(self, pack: Pack) -> float | None:
        """What flows in this direction through a pack whose switch for the other one is off, A. One that
        fell silent, or does not say its current any more, is taken to go on as it was: silence lets
        nothing go.
        """
        facts, charging = pack.facts, self._limit is Limit.CCL
        if facts is None or (facts.discharge_switch_on if charging else facts.charge_switch_on) is not False:
            return None
        amps = facts.sample.current_a
        if amps is None:
            return self._seen_a.get(pack.member.name, 0.0)
        return max(0.0, amps if charging else -amps)

    def _bearable_a(self, pack: Pack) -> float:
        own = pack.member.settings
        hot_c = None if pack.facts is None else pack.facts.mosfet_temperature_c
        if hot_c is not None and hot_c > MOSFET_TAPER[0][0]:
            return CONDUCTS_A
        charging = self._limit is Limit.CCL
        rated_a = own.rated_charge_current_a if charging else own.rated_discharge_current_a
        return max(CONDUCTS_A, BEARABLE * rated_a)

    def _cause(self, name: str, amps: float) -> AlarmCause:
        charging = self._limit is Limit.CCL
        return AlarmCause(
            alarm=Alarm.DISCHARGE_FET_FAULT if charging else Alarm.CHARGE_FET_FAULT,
            severity=Severity.WARNING,
            text=f"{name}: {amps:.0f} A through the diode of its open switch",
            pack=name,
        )
