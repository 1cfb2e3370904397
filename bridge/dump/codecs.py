"""Everything here that reads a serial line, by name: the folders are the list, as everywhere.

A codec is a module with `SPEC` and `Decoder` as `bridge.protocols.contract` says; protocols of packs have
it, and so has whatever answers an inverter, once its folder is there.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bridge.errors import ConfigError, did_you_mean
from bridge.protocols.contract import Decoder, Spec

FOLDERS = ("bridge.protocols", "bridge.responders")


@dataclass(frozen=True, slots=True)
class Codec:
    """What reads one kind of line."""

    name: str
    spec: Spec
    decoder: Callable[[], Decoder]


def codecs() -> dict[str, Codec]:
    """All that read bytes, by name; what runs over CAN alone is none."""
    found = {codec.name: codec for folder in FOLDERS for codec in _codecs(folder)}
    return dict(sorted(found.items()))


def codec(name: str) -> Codec:
    """The codec of that name; raises ConfigError with those that there are."""
    known = codecs()
    if name not in known:
        raise ConfigError(f"unknown codec {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")
    return known[name]


def _codecs(folder: str) -> Iterator[Codec]:
    if importlib.util.find_spec(folder) is None:
        return
    for module in pkgutil.iter_modules(importlib.import_module(folder).__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{folder}.{module.name}")
        spec, decoder = getattr(loaded, "SPEC", None), getattr(loaded, "Decoder", None)
        if isinstance(spec, Spec) and callable(decoder) and spec.links != ("can",):
            yield Codec(module.name.replace("_", "-"), spec, decoder)
