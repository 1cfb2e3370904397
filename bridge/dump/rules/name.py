"""The battery's name is not one that this inverter knows, or no text at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump import columns
from bridge.dump.rule import Hits, Memory, Rule, Severity, as_severe, where
from bridge.dump.view import View
from bridge.sinks.layout import Kind

ALSO_KNOWN = {"deye-lv": ("SHEnergy", "BYD"), "sunsynk-lv": ("SHEnergy", "BYD")}
FIRST = 8  # names in a block: one that changes has a rule of its own
BEGINS = ("PYLON", "BYD")  # names of which the beginning decides


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Every new text in a name's frame."""
    profile = view.case.profile
    for message, frames in view.battery():
        for signal in message.signals:
            if signal.kind is not Kind.TEXT or signal.page is not None or signal.length != 64:
                continue
            wanted = str(profile.constants.get(signal.name, "")) if profile else ""
            begin = next((one for one in BEGINS if wanted.startswith(one)), "")
            known = (begin, *ALSO_KNOWN.get(profile.name if profile else "", ()))
            for row in np.flatnonzero(~frames.same).tolist()[:FIRST]:
                text = columns.text(signal, frames.data[row]).rstrip("\0 ")
                at = np.arange(len(frames.rows)) == row
                if "\0" in text or not text.isprintable() or "\\x" in text:
                    hits = where(frames.name, frames, at, "the name is no text: {!r}", text)
                    yield from as_severe(Severity.ERROR, hits)
                elif begin and "name" in signal.name and not text.startswith(known):
                    said = "the name is {!r}, which does not begin with {}"
                    yield from where(frames.name, frames, at, said, text, begin)


RULE = Rule(
    severity=Severity.WARNING,
    finds="a name that this inverter does not know; an error if it is no text",
    why={
        "": "Inverters choose features, or whether to talk at all, by the name.",
        "deye-lv": "A Deye knows names that begin with PYLON (not DIYPYLON), SHEnergy and BYD.",
        "byd-lv": "The inverter looks for a BYD.",
    },
    do="Send the name of the inverter's profile, padded as there.",
    look=look,
)
