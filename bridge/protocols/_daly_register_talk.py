"""What the sessions of both Modbus-like Daly dialects share: info, switches, and one reading of messages.

One idea: the messages of a poll are merged first and judged then, because sign, faults and permissions
need values that one dialect has in one reply and the other in two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bridge.model import PackInfo, Reading
from bridge.protocols._daly import CurrentSign, Pulse, is_monitor, optional, permit, ratings, uninverted
from bridge.protocols._daly_faults import judge
from bridge.protocols._daly_layout import Read
from bridge.protocols._daly_modbus import Found, Window, Written
from bridge.protocols._daly_registers import Board
from bridge.protocols.contract import Dropped, Message, Raw, Request, Script

_REFRESH_EVERY = 10  # polls, as long as a switch is off


def decoded(found: Iterable[Found], board_of: Callable[[int], Board]) -> list[Message | Dropped]:
    """The messages in what a `Reader` found."""
    return [item if isinstance(item, Dropped) else _decoded(item, board_of(item.sender)) for item in found]


def _decoded(item: Window | Written, board: Board) -> Message | Dropped:
    if isinstance(item, Window):
        return board.take(item)
    raw: dict[str, Raw] = {"written_register": item.register, "written_value": item.value}
    return Message("written", {}, raw, board.address)


class RegisterTalk:
    """Scripts and judgement for one board. request: the bytes that read registers of it."""

    def __init__(  # noqa: PLR0913  # each is one thing that a dialect has of its own
        self,
        request: Callable[[int, int], bytes],
        sign: CurrentSign,
        *,
        timeout_s: float | None,
        settings: Read,
        versions: Read,
        address: int | None = None,
    ) -> None:
        self._request = request
        self._sign = sign
        self._timeout_s = timeout_s
        self._settings = settings
        self._versions = versions
        self._address = address
        self._pulse = Pulse()
        self._said: dict[str, Raw] = {}
        self._design_ah: float | None = None
        self._cells: int | None = None
        self._polls = 0

    def ask(self, read: Read, tries: int) -> Request:
        """The request for `read`."""
        data = self._request(read.start, read.count)
        return Request(data, read.name, self._address, self._timeout_s, tries)

    def info(self) -> Script[PackInfo | None]:
        """Name, firmware and thresholds; None if the board answers neither."""
        settings = yield from optional(self.ask(self._settings, 2))
        if settings is not None:
            self._learn(settings)
        versions = yield from optional(self.ask(self._versions, 2))
        if settings is None and versions is None:
            return None
        names = {} if versions is None else versions.raw
        return PackInfo(
            model=_text(names.get("hw_version")),
            firmware=_text(names.get("sw_version")),
            serial=_text(names.get("serial")),
            cell_count=self._cells,
            ratings=ratings({} if is_monitor(self._said) else self._said),
        )

    def refresh(self) -> Script[None]:
        """While a commanded switch is off, it is looked at again now and then."""
        self._polls += 1
        if self._polls % _REFRESH_EVERY or not self._switched_off():
            return
        settings = yield from optional(self.ask(self._settings, 1))
        if settings is not None:
            self._learn(settings)

    def reading(self, messages: Sequence[Message]) -> Reading:
        """One reading of the messages of a poll. Raises NoReply if the board repeats old answers."""
        reading: Reading = {}
        raw: dict[str, Raw] = {}
        for message in messages:
            reading.update(message.reading)
            raw.update(message.raw)
        if "heartbeat" in raw:
            self._pulse.check(raw["heartbeat"])
        self._cells = reading["cell_count"]
        self._judge(reading, raw)
        if self._design_ah is not None:
            reading["design_ah"] = self._design_ah
        return reading

    def _judge(self, reading: Reading, raw: dict[str, Raw]) -> None:
        current_raw, state, alarms = raw["current_raw"], raw["state"], raw.get("alarms")
        assert isinstance(current_raw, int)
        assert isinstance(state, int)
        self._sign.witness(current_raw, state)
        reading["current_a"] = self._sign.current_a(current_raw)
        if is_monitor(self._said):
            reading["charge_fet_on"] = reading["discharge_fet_on"] = None
        if not isinstance(alarms, list) or is_monitor(self._said):
            reading["charge_allowed"] = reading["discharge_allowed"] = None
            return
        verdict = judge(alarms)
        if self._sign.inverted:
            verdict = uninverted(verdict)
        reading["protections"], reading["warnings"] = verdict.protections, verdict.warnings
        switches = self._said.get("charge_mos_switch"), self._said.get("discharge_mos_switch")
        permit(reading, verdict, charge=switches[0], discharge=switches[1])

    def _learn(self, settings: Message) -> None:
        self._said = dict(settings.raw)
        self._design_ah = settings.reading.get("design_ah")

    def _switched_off(self) -> bool:
        return False in {self._said.get("charge_mos_switch"), self._said.get("discharge_mos_switch")}


def _text(value: Raw) -> str | None:
    return value if isinstance(value, str) and value else None
