"""A file's packs while they are being checked: perhaps incomplete, perhaps contradictory.

A pack's value is its own, else the one that all packs share under [pack], else the default. A value
that could not be read is none of them: checks that would need it stay silent, because its own
complaint has been made already. A pack's balancer is reached as a pack is, and has the same form here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path

from bridge.battery.chemistry import defaults
from bridge.config import ports
from bridge.config.lines import Key
from bridge.config.schema import BalancerTable, FileTable, LinkTable, PackTable, Scalar, SharedTable, Value
from bridge.config.sentences import describe
from bridge.model import Chemistry, PackSettings
from bridge.protocols.contract import Options, Spec

DEFAULTS: Mapping[str, Value] = {
    item.name: item.default
    for item in fields(PackSettings)
    if item.default is not MISSING and item.default is not None
}
DEFAULTS_OF: Mapping[str, Mapping[str, Value]] = {
    chemistry: {**DEFAULTS, **defaults(chemistry)} for chemistry in Chemistry
}
"""The same for packs of each chemistry."""
RATINGS = ("rated_charge_current_a", "rated_discharge_current_a")
OPTION = "options."
"""In front of the names of a protocol's own options, where they stand beside the keys of all packs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDraft:
    """One pack's values, or its balancer's. table, path: the kind of table that it is, and which.

    origin: the key that each of the values was read from. options: those of [packs.NAME.options];
    in origin and unreadable they are called `options.NAME`.
    """

    name: str
    table: type[LinkTable]
    path: Key
    values: Mapping[str, Value]
    options: Mapping[str, Scalar]
    origin: Mapping[str, Key]
    unreadable: Set[str]
    balancer: PackDraft | None = None

    def get(self, key: str) -> Value | None:
        """A value or its default; None if it is absent or could not be read."""
        return None if key in self.unreadable else self.values.get(key, self.defaults.get(key))

    @property
    def chemistry(self) -> Chemistry:
        """What its cells are made of; LFP as long as nothing else is written."""
        return Chemistry(str(self.values.get("chemistry", Chemistry.LFP)))

    @property
    def defaults(self) -> Mapping[str, Value]:
        """What a key is that is not written."""
        return DEFAULTS_OF[self.chemistry]

    @property
    def curves(self) -> list[str]:
        """The names of the curves that it chose."""
        names = self.values.get("curves")
        return names if isinstance(names, list) else []

    def number(self, key: str) -> float | None:
        """The same, of a key that holds a number."""
        value = self.get(key)
        return value if isinstance(value, int | float) else None

    def text(self, key: str) -> str | None:
        """The same, of a key that holds a text."""
        value = self.get(key)
        return value if isinstance(value, str) else None

    def lacks(self, key: str) -> bool:
        """Whether the key is neither written nor has a default."""
        return key not in self.unreadable and self.get(key) is None

    def at(self, key: str) -> Key:
        """Where the key is written, or where it would be."""
        return self.origin.get(key, (*self.path, *key.split(".")))

    def said(self, key: str) -> str:
        """`cell_max_v = 3.55`, with a remark if that is the default."""
        remark = "" if key in self.origin else " (the default)"
        return f"{key} = {describe(self.get(key))}{remark}"

    @property
    def listens(self) -> bool:
        """Whether it only takes what others on its wire are asked."""
        return self.options.get("listen") is True

    def for_session(self, spec: Spec) -> Options:
        """What the protocol's session is to know; the port has no fault."""
        address, cells, mac = self.get("address"), self.get("cells"), self.text("mac")
        in_port = ports.bluetooth_address(self.text("port") or "")
        return Options(
            address=address if isinstance(address, int) else spec.address,
            cells=cells if isinstance(cells, int) else None,
            password=self.text("password"),
            mac=in_port if mac is None else ports.normal_mac(mac),
            extra=self.options,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A file as far as it could be read. folder: where it lies. unreadable: the keys that could not be."""

    file: FileTable
    folder: Path = Path()
    unreadable: Set[Key] = field(default_factory=frozenset)

    @property
    def packs(self) -> list[PackDraft]:
        """The packs in the order of the file."""
        return [self._pack(name, table) for name, table in self.file.packs.items()]

    @property
    def packs_complete(self) -> bool:
        """Whether no pack had to be left out; a sum over the others would mean nothing."""
        lost = {key for key in self.unreadable if key[0] in {"pack", "packs"} and len(key) <= 2}
        return lost <= {("pack", key) for key in SharedTable.model_fields}

    def profile(self, written: str) -> str:
        """A profile's name as it is; a profile's path from the folder of the file."""
        is_path = "/" in written or written.endswith(".toml")
        return str(self.folder / Path(written).expanduser()) if is_path else written

    def _pack(self, name: str, own: PackTable) -> PackDraft:
        path = ("packs", name)
        pack = self._read(name, PackTable, (("pack",), self.file.pack), (path, own))
        if own.balancer is None:
            return pack
        balancer_path = (*path, "balancer")
        balancer = self._read(f"{name}'s balancer", BalancerTable, (balancer_path, own.balancer))
        cells = {"cells": pack.values["cells"]} if "cells" in pack.values else {}
        return replace(pack, balancer=replace(balancer, values={**cells, **balancer.values}))

    def _read(self, name: str, kind: type[LinkTable], *tables: tuple[Key, LinkTable]) -> PackDraft:
        """The values of tables, each going over those before it. The last is the pack's own."""
        values: dict[str, Value] = {}
        options: dict[str, Scalar] = {}
        origin: dict[str, Key] = {}
        unreadable: set[str] = set()
        for path, table in tables:
            for key, value, written in _expanded(table):
                values[key], origin[key] = value, (*path, written)
            for key, value in (table.options or {}).items():
                options[key], origin[OPTION + key] = value, (*path, "options", key)
            unreadable |= {key[-1] for key in self.unreadable if key[:-1] == path}
            unreadable |= {OPTION + key[-1] for key in self.unreadable if key[:-1] == (*path, "options")}
        if "rated_current_a" in unreadable:
            unreadable |= {*RATINGS}
        return PackDraft(
            name=name,
            table=kind,
            path=tables[-1][0],
            values=values,
            options=options,
            origin=origin,
            unreadable=unreadable,
        )


def _expanded(table: LinkTable) -> Iterator[tuple[str, Value, str]]:
    """(key, value, key as written): `rated_current_a` stands for both ratings, less exactly than they."""
    given = {key: value for key, value in table.given().items() if not isinstance(value, dict)}
    both = given.pop("rated_current_a", None)
    if both is not None:
        yield from ((key, both, "rated_current_a") for key in RATINGS)
    yield from ((key, value, key) for key, value in given.items())
