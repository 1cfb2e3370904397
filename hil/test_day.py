"""24 hours of the cycle with the engine behind it: a pack's real bytes in, frames out, a mishap a minute.

It needs no kernel, only a minute or two, and so runs where the CAN tests do not run emulated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise

import pytest

from bridge import config, profiles
from bridge.battery.leases import LeaseRequest
from bridge.events import Action, Arm, LinkUp, Received, Report, Tick
from bridge.gateway import Gateway
from bridge.links.cyclic import CyclicSender
from bridge.model import Limit
from bridge.protocols.contract import Options, load
from bridge.sinks.can import CanSink
from hil.guest import MARK
from tests.links.day import PERIOD_S, Armed, Day, Expected
from tests.test_gateway import CAN, CELLS, Port, World

HOURS = 24.0
WITHIN_S = 1e-6  # what floats lose in a day, where times are not multiples of a power of two
PORT = "/dev/one"
CONFIG = f"""
[packs.only]
bms = "jbd"
port = "{PORT}"
cells = {CELLS}
capacity_ah = 280
rated_current_a = 140
period_s = 5
lost_after_s = 60

[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "test"
"""


class Engine(World):
    """The gateway and a pack, as what decides."""

    def __init__(self) -> None:
        sink = CanSink("house", profiles.load("deye-lv"), ceiling_v=CELLS * 3.55)
        gateway = Gateway(config.parse(CONFIG, "test"), {"house": sink}, 0.0)
        super().__init__(gateway, {PORT: Port(load("jbd").device(Options(cells=CELLS)))})
        self._arms: list[Arm] = []
        self._falls = 0
        for link in (PORT, CAN):
            self.event(LinkUp(link))

    def next_s(self) -> float:
        return min([self.gateway.next_wakeup(), *(at for at, _, _ in self._replies)])

    def run(self, sender: CyclicSender, now: float) -> Iterator[Armed]:  # type: ignore[override]  # a decider
        self.now = now
        arrived = [reply for reply in self._replies if reply[0] <= now]
        self._replies = [reply for reply in self._replies if reply[0] > now]
        for _, link, answer in arrived:
            self.event(Received(link, answer))
        self.event(Tick())
        for arm in self._arms:
            sender.arm(arm.frames, arm.valid_for_s, urgent=arm.urgent)
            if arm.frames:
                yield Armed(now, bool(arm.urgent))
        self._arms.clear()

    def fall(self) -> None:
        """A lease of a few seconds, each lower than what the one before has left of it."""
        self._falls += 1
        wish = LeaseRequest(name="tariff", limit=Limit.CCL, value=10.0 + self._falls % 2, ttl_s=5.0)
        self.gateway.aggregator.leases.grant(wish, self.now)

    def _do(self, actions: list[Action]) -> None:
        self._arms += [action for action in actions if isinstance(action, Arm)]
        super()._do([action for action in actions if not isinstance(action, Arm | Report)])


@pytest.mark.skipif(MARK in os.environ, reason="needs no kernel and is slow here: pytest hil/test_day.py")
def test_every_gap_of_a_day_behind_the_engine_is_what_it_must_be() -> None:
    day = Day(Engine()).live(HOURS, seed=5)
    expected = Expected(day).begun_s
    assert len(day.begun_s) == len(expected) > 0.95 * 3600 * HOURS
    assert day.begun_s == pytest.approx(expected, abs=WITHIN_S)
    gaps_s = [after - before for before, after in pairwise(day.begun_s)]
    assert sum(abs(gap_s - PERIOD_S) < WITHIN_S for gap_s in gaps_s) > 0.95 * len(gaps_s)
    assert sum(armed.urgent for armed in day.arms) > 5 * HOURS
    assert (day.sender.statistics().expiries, len(day.full)) > (5 * HOURS, 5 * HOURS)
