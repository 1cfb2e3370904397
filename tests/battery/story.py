"""What the battery tests are told in: packs that are well, and virtual time that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge.battery.aggregator import Aggregator
from bridge.battery.charging import Charging
from bridge.battery.context import Context, Pack
from bridge.battery.facts import Memory
from bridge.battery.faults import fault
from bridge.battery.pack_rules import PackLimits, pack_limits
from bridge.battery.sharing import LearnedSharing
from bridge.model import (
    BankSettings,
    ChargeSettings,
    Decision,
    Limit,
    Member,
    PackSample,
    PackSettings,
    PackState,
)

Feed = Callable[[float], PackSample]


def pack(
    name: str = "garage", capacity_ah: float = 280.0, rated_a: float = 140.0, cells: int = 16
) -> PackSettings:
    return PackSettings(
        name=name,
        cells=cells,
        capacity_ah=capacity_ah,
        rated_charge_current_a=rated_a,
        rated_discharge_current_a=rated_a,
    )


GARAGE, SHED, ATTIC = pack("garage", 280, 140), pack("shed", 200, 100), pack("attic", 100, 50)
UNLIKE = (GARAGE, SHED, ATTIC)


def well(
    time_s: float = 0.0,
    cell_v: float = 3.30,
    *,
    cells: int = 16,
    soc: float = 0.5,
    current_a: float = 0.0,
    temperature_c: float = 25.0,
) -> PackSample:
    """A sample of a pack that has nothing to complain of."""
    return PackSample(
        time_s=time_s,
        voltage_v=cell_v * cells,
        current_a=current_a,
        soc=soc,
        cell_voltages_v=(cell_v,) * cells,
        temperatures_c=(temperature_c, temperature_c),
        charge_fet_on=True,
        discharge_fet_on=True,
        charge_allowed=True,
        discharge_allowed=True,
    )


def changed(sample: PackSample, **fields: object) -> PackSample:
    """The sample with fields of any value, also impossible ones."""
    return replace(sample, **fields)  # type: ignore[arg-type]  # the point is that it may be wrong


def with_cell(sample: PackSample, index: int, cell_v: float | None) -> PackSample:
    """The sample with its `index`-th cell (1-based) at another voltage; the pack voltage follows."""
    cells_v = list(sample.cell_voltages_v)
    before_v = cells_v[index - 1]
    cells_v[index - 1] = cell_v
    other = replace(sample, cell_voltages_v=tuple(cells_v))
    if before_v is None or cell_v is None or sample.voltage_v is None:
        return other
    return replace(other, voltage_v=sample.voltage_v + cell_v - before_v)


def stand(
    settings: PackSettings,
    sample: PackSample | None,
    state: PackState = PackState.ACTIVE,
    age_s: float = 0.5,
) -> Pack:
    """A pack as the aggregator would hand it on."""
    facts = None if sample is None else Memory(settings).facts(sample)
    member = Member(settings=settings, state=state, sample=sample, age_s=None if sample is None else age_s)
    heard = state in {PackState.ACTIVE, PackState.JOINING, PackState.ISOLATED}
    return Pack(
        member,
        heard=heard,
        trusted=heard or state is PackState.STALE,
        certainty=float(state is PackState.ACTIVE),
        counts=state in {PackState.ACTIVE, PackState.STALE},
        facts=facts,
        limits=pack_limits(facts) if facts else PackLimits(),
        fault=fault(facts) if facts else None,
    )


def around(*packs: Pack, on_pack_lost: str = "hold", voltage_v: float | None = None) -> Context:
    """A bank of these packs, after its start."""
    settings = [one.member.settings for one in packs]
    bank = BankSettings(on_pack_lost=on_pack_lost)
    charging = Charging(settings, ChargeSettings(), bank)
    return Context(
        settings=bank,
        packs=packs,
        sharing=LearnedSharing(),
        waiting_for=(),
        voltage_v=voltage_v,
        cautious_voltage_v=voltage_v,
        any_active=any(p.member.state is PackState.ACTIVE for p in packs),
        any_heard=any(p.heard for p in packs),
        charge=charging.follow(packs, voltage_v, 0.0, starting=False),
    )


class Story:
    """A bank in virtual time: every second each pack that has a feed is heard, then a decision is made.

    feeds: what each pack says; None is silence. obedience: off, for what packs say here seldom follows
    from what the inverter was told.
    """

    def __init__(
        self,
        *packs: PackSettings,
        settings: BankSettings | None = None,
        start_s: float = 1000.0,
        obedience: str = "off",
    ):
        self.packs = packs
        self.settings = replace(settings or BankSettings(), obedience=obedience)
        self.bank = Aggregator(packs, self.settings)
        self.now = start_s
        self.feeds: dict[str, Feed | None] = {p.name: well for p in packs}
        self.decisions: list[Decision] = []

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    def say(self, feed: Feed | None, *names: str) -> Story:
        """From here on these packs (all, if none is named) say this."""
        for name in names or tuple(p.name for p in self.packs):
            self.feeds[name] = feed
        return self

    def cut(self, *names: str) -> Story:
        """The links of these packs (all, if none is named) break: silence, and the link says so."""
        for name in names or tuple(p.name for p in self.packs):
            self.feeds[name] = None
            self.bank.link(name, up=False, now=self.now)
        return self

    def decide(self) -> Decision:
        """One decision, without time passing."""
        self.decisions.append(self.bank.decide(self.now))
        return self.last

    def run(self, seconds: float, step_s: float = 1.0) -> list[Decision]:
        """Let time pass; the decisions made meanwhile."""
        begin = len(self.decisions)
        for _ in range(round(seconds / step_s)):
            self.now += step_s
            for name, feed in self.feeds.items():
                if feed is not None:
                    self.bank.heard(name, feed(self.now), self.now)
            self.decide()
        return self.decisions[begin:]

    def settle(self) -> Story:
        """Run until the limits have risen to what is allowed."""
        self.run(150)
        return self

    def states(self) -> list[PackState]:
        return [member.state for member in self.bank.members(self.now)]

    def limits(self) -> tuple[float, float]:
        return self.last.charge_current_limit_a, self.last.discharge_current_limit_a

    def why(self, limit: Limit) -> str:
        """The rule that binds."""
        return self.last.constraints[limit][0].rule
