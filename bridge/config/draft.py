"""A file's packs while they are being checked: perhaps incomplete, perhaps contradictory.

A pack's value is its own, else the one that all packs share under [pack], else the default. A value
that could not be read is none of them: checks that would need it stay silent, because its own
complaint has been made already.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from bridge.config.lines import Key
from bridge.config.schema import FileTable, PackTable
from bridge.config.sentences import describe
from bridge.model import PackSettings

Value = str | int | float

DEFAULTS: Mapping[str, Value] = {
    item.name: item.default
    for item in fields(PackSettings)
    if item.default is not MISSING and item.default is not None
}
RATINGS = ("rated_charge_current_a", "rated_discharge_current_a")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDraft:
    """One pack's values. origin: the key that each of them was read from."""

    name: str
    values: Mapping[str, Value]
    origin: Mapping[str, Key]
    unreadable: Set[str]

    def get(self, key: str) -> Value | None:
        """A value or its default; None if it is absent or could not be read."""
        return None if key in self.unreadable else self.values.get(key, DEFAULTS.get(key))

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
        return self.origin.get(key, ("packs", self.name, key))

    def said(self, key: str) -> str:
        """`cell_max_v = 3.55`, with a remark if that is the default."""
        remark = "" if key in self.origin else " (the default)"
        return f"{key} = {describe(self.get(key))}{remark}"


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
        return lost <= {("pack", key) for key in PackTable.model_fields}

    def profile(self, written: str) -> str:
        """A profile's name as it is; a profile's path from the folder of the file."""
        is_path = "/" in written or written.endswith(".toml")
        return str(self.folder / Path(written).expanduser()) if is_path else written

    def _pack(self, name: str, own: PackTable) -> PackDraft:
        values: dict[str, Value] = {}
        origin: dict[str, Key] = {}
        for path, table in ((("pack",), self.file.pack), (("packs", name), own)):
            for key, value, written in _expanded(table):
                values[key], origin[key] = value, (*path, written)
        unreadable = {key[-1] for key in self.unreadable if key[:-1] in {("pack",), ("packs", name)}}
        if "rated_current_a" in unreadable:
            unreadable |= {*RATINGS}
        return PackDraft(name=name, values=values, origin=origin, unreadable=unreadable)


def _expanded(table: PackTable) -> list[tuple[str, Value, str]]:
    """(key, value, key as written): `rated_current_a` stands for both ratings, less exactly than they."""
    given = table.given()
    both = given.pop("rated_current_a", None)
    rated = [] if both is None else [(key, both, "rated_current_a") for key in RATINGS]
    return rated + [(key, value, key) for key, value in given.items()]
