"""The right number with the wrong number of bits: 29 instead of 11, or the other way round."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.block import id_text
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

FORMAT = 1 << 32


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Identifiers that would be the battery's in the other format."""
    battery = view.case.tongue.battery
    for key, rows in view.rows.items():
        if key ^ FORMAT in battery and key not in battery and key not in view.case.tongue.inverter:
            bits, other = ("29", "11") if key & FORMAT else ("11", "29")
            text = f"{id_text(key)} has {bits} bits; the dialect's 0x{key & ~FORMAT:X} has {other}"
            yield Hits(about=id_text(key), rows=rows, text=text)


RULE = Rule(
    severity=Severity.ERROR,
    finds="an identifier of the dialect, with 29 bits instead of 11 or the other way round",
    why={
        "": "To a CAN controller that is another identifier: the inverter never sees the frame.",
        "victron": "A GX ignores 29-bit frames on this port.",
    },
    do="Set the sender to the other identifier format.",
    look=look,
)
