"""Bad input for each dialect, each with all that may be said to it, looked through by hand."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.responders.contract import Dropped, Overheard, Port, load
from tests.protocols.helpers import bytewise, pieces
from tests.responders.pictures import asks, entries, fed, picture

OPTIONS: dict[str, dict[str, str]] = {"modbus": {"map": "growatt-1xsxxp"}}
ENTRIES = entries("rs485_bad")


def test_there_is_bad_input_for_each_dialect() -> None:
    for dialect in ("modbus", "voltronic-lib", "kostal", "pylontech-rs485"):
        assert sum(entry["dialect"] == dialect for entry in ENTRIES) >= 15


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['dialect']}-{entry['name']}")
def test_bad_input_gets_the_dialects_error_or_nothing_however_it_arrives(entry: dict[str, Any]) -> None:
    dialect = load(entry["dialect"])
    options = dialect.options.model_validate(OPTIONS.get(dialect.name, {}))
    stream = bytes.fromhex(entry["hex"])
    for chunks in ([stream], bytewise(stream), pieces(stream, [3] * len(stream))):
        ours = dialect.responder(Port(dialect.spec.address, options))
        items = fed(ours.feed, ours.reset, chunks)
        said = [ours.answer(ask, picture()) for ask in asks(items) if ask.for_us]
        assert [answer.hex() for answer in said if answer is not None] == entry["answers"]
        sizes = [item.size if isinstance(item, Dropped | Overheard) else len(item.data) for item in items]
        assert sum(sizes) == len(stream)
