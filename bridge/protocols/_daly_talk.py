"""The conversation with one Daly board in classic commands, whatever carries them: polling and info.

What permits current comes in every poll: pack values, switches, faults, cells, probes. What only
informs comes seldom: the balancing map every fourth poll, counts and cycles every sixteenth; between,
their last values are repeated. A poll that lacks one of the former has failed as a whole, because half
a picture would take the limits down where a retry a second later brings them back unharmed.

Sources: timing and losses of mr-manuel/venus-os_dbus-serialbattery bms/daly.py, ai-republic/bms-to-inverter
issue 34.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.model import PackInfo, Reading
from bridge.protocols._daly import CurrentSign, Pulse, optional, permit, ratings, uninverted
from bridge.protocols._daly_faults import Verdict, judge
from bridge.protocols._daly_values import (
    BALANCE,
    CELL_LIMITS,
    CELLS,
    CURRENT_LIMITS,
    FAULTS,
    HARDWARE,
    PACK,
    PACK_LIMITS,
    PROBE_EXTREMES,
    PROBES,
    RATED,
    SOFTWARE,
    STATUS,
    SWITCHES,
)
from bridge.protocols.contract import Message, NoReply, Raw, Request, Script

_BALANCE_EVERY, _STATUS_EVERY = 4, 16

Ask = Callable[[int, int], Request]
"""ask(command, tries): the request for a command."""


class Talk:
    """Scripts for one board. ask: how its requests look. sign: how it counts current."""

    def __init__(self, ask: Ask, sign: CurrentSign) -> None:
        self._ask = ask
        self._sign = sign
        self._pulse = Pulse()
        self._polls = 0
        self._cells: int | None = None
        self._informing: Reading = {}

    def open(self) -> Script[None]:
        """The cell count, without which cells cannot be read. Asked once: see `poll`."""
        self._cells = (yield self._ask(STATUS, 1)).reading["cell_count"]

    def poll(self) -> Script[Reading]:
        """One picture of the pack. Its first request is sent once only: a dead pack costs one timeout."""
        pack = yield self._ask(PACK, 1)
        switches = yield self._ask(SWITCHES, 3)
        faults = yield self._ask(FAULTS, 3)
        cells = yield self._ask(CELLS, 3)
        if len(cells.reading["cell_voltages_v"]) != self._cells:
            self._cells = (yield self._ask(STATUS, 3)).reading["cell_count"]
            raise NoReply("as many cells as were counted")
        temperatures_c = yield from self._temperatures_c()
        yield from self._inform()
        self._pulse.check(switches.raw["heartbeat"])
        current_raw, state = pack.raw["current_raw"], switches.raw["state"]
        assert isinstance(current_raw, int)
        assert isinstance(state, int)
        self._sign.witness(current_raw, state)
        reading: Reading = {
            **self._informing,
            **pack.reading,
            **switches.reading,
            "current_a": self._sign.current_a(current_raw),
            "cell_count": self._cells,
            "cell_voltages_v": cells.reading["cell_voltages_v"],
            "temperatures_c": temperatures_c,
        }
        _judged(reading, faults, self._sign)
        return reading

    def info(self) -> Script[PackInfo | None]:
        """Name, firmware and thresholds; boards that answer none of it are normal."""
        said: dict[str, Raw] = {}
        for command in (RATED, CELL_LIMITS, PACK_LIMITS, CURRENT_LIMITS):
            message = yield from optional(self._ask(command, 2))
            if message is not None:
                said.update(message.raw)
                self._informing.update(message.reading)
        software = yield from optional(self._ask(SOFTWARE, 2))
        hardware = yield from optional(self._ask(HARDWARE, 2))
        if not said and software is None and hardware is None:
            return None
        return PackInfo(
            model=_text(hardware), firmware=_text(software), cell_count=self._cells, ratings=ratings(said)
        )

    def _temperatures_c(self) -> Script[tuple[float | None, ...]]:
        """The probes; where none can be read, the extremes that the board has, if they are real."""
        probes = yield from optional(self._ask(PROBES, 3))
        values = () if probes is None else probes.reading["temperatures_c"]
        if any(value is not None for value in values):
            return values
        extremes = yield from optional(self._ask(PROBE_EXTREMES, 3))
        if extremes is None:
            if probes is None:
                raise NoReply("neither probes nor their extremes")
            return values
        high, low = extremes.raw["temp_max_c"], extremes.raw["temp_min_c"]
        if not extremes.raw["temp_valid"] or not isinstance(high, int) or not isinstance(low, int):
            return values
        return high, low

    def _inform(self) -> Script[None]:
        """What only informs, now and then. Where the cycles stand can only be told behind other replies."""
        if self._polls % _STATUS_EVERY == 0:
            status = yield from optional(self._ask(STATUS, 1))
            if status is not None:
                self._cells = status.reading["cell_count"]
                self._informing["cycles"] = status.reading["cycles"]
        if self._polls % _BALANCE_EVERY == 1:
            balance = yield from optional(self._ask(BALANCE, 1))
            self._informing["balancing"] = None if balance is None else balance.reading["balancing"]
        self._polls += 1


def _judged(reading: Reading, faults: Message, sign: CurrentSign) -> None:
    names = faults.raw["alarms"]
    assert isinstance(names, list)
    verdict: Verdict = judge(names)
    if sign.inverted:
        verdict = uninverted(verdict)
    reading["protections"], reading["warnings"] = verdict.protections, verdict.warnings
    permit(reading, verdict)


def _text(message: Message | None) -> str | None:
    value = None if message is None else message.raw["text"]
    return value if isinstance(value, str) and value else None
