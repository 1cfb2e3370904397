"""A bank to be posed as, and a conversation with it, for the dialects that have register maps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.model import Alarm
from bridge.protocols.contract import Message
from bridge.responders.contract import Ask, Dropped, Master, Module, Picture, Responder, Understood
from tests.protocols.helpers import VECTORS

VALUES: dict[str, float | str] = {
    "charge_voltage_limit_v": 55.27,
    "discharge_voltage_limit_v": 44.81,
    "charge_current_limit_a": 87.69,
    "discharge_current_limit_a": 120.04,
    "charge_enabled": True,
    "discharge_enabled": True,
    "force_charge_2": False,
    "full_charge_request": False,
    "voltage_v": 52.83,
    "current_a": -12.34,
    "activity": 3.0,
    "soc_pct": 61.4,
    "soh_pct": 99.0,
    "remaining_ah": 171.9,
    "full_ah": 280.0,
    "installed_ah": 285.0,
    "remaining_wh": 9081.5,
    "full_wh": 14792.4,
    "cycles": 12,
    "cell_count": 16,
    "cell_max_v": 3.31,
    "cell_min_v": 3.29,
    "cell_max_number": 15,
    "cell_min_number": 16,
    "temperature_c": 21.0,
    "temperature_max_c": 23.0,
    "temperature_min_c": -4.6,
    "module_count": 3,
}
CELLS_V = (*(3.3,) * 14, 3.31, 3.29)
STOPPED: Mapping[str, float] = {
    "charge_current_limit_a": 0.0,
    "discharge_current_limit_a": 0.0,
    "charge_enabled": False,
    "discharge_enabled": False,
}


def picture(
    values: Mapping[str, float | str] | None = None,
    *,
    without: Iterable[str] = (),
    cells_v: Sequence[float | None] = CELLS_V,
    temperatures_c: Sequence[float | None] = (-4.6, 23.0),
    mosfet_temperature_c: float | None = 25.5,
    protections: Iterable[Alarm] = (),
    warnings: Iterable[Alarm] = (),
) -> Picture:
    left_out = set(without)
    said = {name: value for name, value in {**VALUES, **(values or {})}.items() if name not in left_out}
    whole = Module(
        name="bank",
        cell_voltages_v=tuple(cells_v),
        temperatures_c=tuple(temperatures_c),
        mosfet_temperature_c=mosfet_temperature_c,
        charge_enabled=True,
        discharge_enabled=True,
    )
    return Picture(
        values=said,
        make_whole=lambda: whole,
        protections=frozenset(protections),
        warnings=frozenset(warnings),
    )


def entries(file: str) -> list[dict[str, Any]]:
    """The lines of a vector file."""
    found: list[dict[str, Any]] = json.loads((Path(VECTORS) / f"{file}.json").read_text())
    return found


def captured(entry: Mapping[str, Any]) -> Picture:
    """The bank that the device of a captured exchange was, as far as the exchange shows it."""
    gone = {"soh_pct", "cell_max_number", "cell_min_number"} - {*entry["picture"]}
    return picture(
        entry["picture"],
        without=gone,
        cells_v=entry.get("cells_v", CELLS_V),
        temperatures_c=entry.get("temperatures_c", (21.0,)),
        mosfet_temperature_c=entry.get("mosfet_temperature_c"),
    )


def asks(items: Iterable[object]) -> list[Ask]:
    return [item for item in items if isinstance(item, Ask)]


def answers(responder: Responder, chunk: bytes, shown: Picture) -> list[bytes]:
    """What is said to these bytes, silence behind them included."""
    found = [*responder.feed(chunk), *responder.reset()]
    said = [responder.answer(ask, shown) for ask in asks(found) if ask.for_us]
    return [one for one in said if one is not None]


def understood(master: Master, responder: Responder, shown: Picture, turns: int) -> dict[str, Any]:
    """What an inverter makes of the battery after so many questions. Every one must be answered rightly."""
    known: dict[str, Any] = {}
    for _ in range(turns):
        question = master.question()
        (ask,) = asks(responder.feed(question.data))
        assert ask.name == question.name
        answer = responder.answer(ask, shown)
        if not question.answered:
            assert answer is None
            continue
        assert answer is not None, question
        (item,) = master.feed(answer)
        assert isinstance(item, Understood), (question, item)
        known |= item.values
    return known


def fed(feed: Any, reset: Any, chunks: Iterable[bytes]) -> list[Any]:
    """All that comes out of these chunks, and of the silence behind them."""
    return [item for chunk in chunks for item in feed(chunk)] + list(reset())


def messages(items: Iterable[Message | Dropped]) -> list[Message]:
    return [item for item in items if isinstance(item, Message)]
