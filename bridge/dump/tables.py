"""Decoded logs as tables: Parquet for analysis, CSV for everything else.

A row is a frame in one reading; the columns are the signals of all the dialects that are read, each with
the unit in its name. In Parquet the frames of a message stand together, in a row group of their own, by
time: a row group then has values in few columns, which is quick to write and to read, and who asks for
one message skips all others. In CSV rows keep the log's order.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridge.dump.block import Block, Floats, Integers, id_text, key_of
from bridge.dump.decoding import Decoding, Part
from bridge.dump.meaning import whole
from bridge.errors import ConfigError
from bridge.sinks.layout import TEXTS, Kind, Signal

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1 << 18  # of one message, that wait to be written as one row group
WAITING_ROWS = 1 << 19  # of all messages together
REPEATED = ("channel", "id", "dialect", "message")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of values. kind: `bool`, `int64`, `float64` or `string`."""

    name: str
    kind: str
    unit: str = ""


def columns_of(decoding: Decoding) -> tuple[Column, ...]:
    """The columns that these dialects need, in their order; a name that they share is one column."""
    found: dict[str, Column] = {}
    for dialect in decoding.dialects:
        for message in dialect.messages.values():
            for signal in message.signals:
                column = Column(signal.name, _kind(signal), signal.unit)
                found[signal.name] = _wider(found.get(signal.name, column), column)
    return tuple(found.values())


def write_parquet(blocks: Iterable[Block], decoding: Decoding, path: Path) -> int:
    """All that the frames say as a Parquet file; how many rows it has. Raises ConfigError."""
    need_arrow()
    import pyarrow.parquet as pq

    tables = _Tables(columns_of(decoding))
    waiting = _Waiting()
    with _replaced(path) as written, pq.ParquetWriter(written, tables.schema, **tables.options) as writer:
        for block in blocks:
            for part in decoding.split(block):
                waiting.add(_Piece.of(block, part))
            for full in waiting.full():
                writer.write_table(tables.table(full))
        for left in waiting.rest():
            writer.write_table(tables.table(left))
    return waiting.rows


def write_csv(blocks: Iterable[Block], decoding: Decoding, path: Path) -> int:
    """All that the frames say as CSV, in the log's order; how many rows it has. Raises ConfigError."""
    need_arrow()
    from pyarrow import csv

    tables = _Tables(columns_of(decoding))
    rows = 0
    with _replaced(path) as written, csv.CSVWriter(written, tables.plain) as writer:
        for block in blocks:
            parts = list(decoding.split(block))
            if parts:
                order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
                table = tables.table([_Piece.of(block, part) for part in parts])
                writer.write_table(table.cast(tables.plain).take(order))
                rows += len(order)
    return rows


def need_arrow() -> None:
    """Raises ConfigError that says what to install, where pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigError("tables need pyarrow: pip install 'packbridge[dump]'")


class _Tables:
    """Makes Arrow's tables of parts."""

    def __init__(self, columns: Iterable[Column]) -> None:
        import pyarrow as pa

        repeated = pa.dictionary(pa.int32(), pa.string())
        own = {"t": pa.float64(), "line": pa.int64(), **dict.fromkeys(REPEATED, repeated)}
        self._kinds = {column.name: column.kind for column in columns if column.name not in own}
        units = {column.name: {"unit": column.unit} for column in columns if column.unit}
        types = own | {name: pa.type_for_alias(kind) for name, kind in self._kinds.items()}
        always = {*own} - {"t"}
        self.schema = pa.schema(
            [pa.field(name, types[name], name not in always, units.get(name)) for name in types]
        )
        self.plain = pa.schema(
            [(name, pa.string() if types[name] == repeated else types[name]) for name in types]
        )
        self.options: dict[str, Any] = {
            "compression": {name: "none" if name == "t" else "snappy" for name in types},
            "use_dictionary": [name for name in types if name not in {"t", "line"}],
            "write_statistics": ["t", "message"],
            "column_encoding": {"t": "PLAIN", "line": "DELTA_BINARY_PACKED"},
        }
        self._nulls = {name: pa.nulls(0, kind) for name, kind in types.items()}

    def table(self, pieces: Sequence[_Piece]) -> pa.Table:
        """Pieces one below the other, with nothing where they have no values."""
        import pyarrow as pa

        messages = [piece.part.message for piece in pieces]
        channel = np.concatenate([piece.channel for piece in pieces])
        columns: dict[str, pa.Array] = {
            "t": pa.array(np.concatenate([piece.time_s for piece in pieces]), from_pandas=True),
            "line": pa.array(np.concatenate([piece.line for piece in pieces])),
            "channel": _words(pieces[-1].channels, channel),
            "id": _each(pieces, [id_text(key_of(one.can_id, extended=one.extended)) for one in messages]),
            "dialect": _each(pieces, [piece.part.dialect for piece in pieces]),
            "message": _each(pieces, [one.name for one in messages]),
        }
        for name, kind in self._kinds.items():
            column = _column(name, kind, pieces)
            columns[name] = self._nothing(name, len(channel)) if column is None else column
        return pa.Table.from_pydict(columns, schema=self.schema)

    def _nothing(self, name: str, count: int) -> pa.Array:
        """So many nulls; shared, because most of a table is nothing."""
        import pyarrow as pa

        if len(self._nulls[name]) < count:
            self._nulls[name] = pa.nulls(count, self.schema.field(name).type)
        return self._nulls[name][:count]


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A part with what the table needs of its block, which need not be kept for it."""

    part: Part
    time_s: Floats
    line: Integers
    channel: NDArray[np.uint16]
    channels: tuple[str, ...]

    @classmethod
    def of(cls, block: Block, part: Part) -> _Piece:
        rows = part.rows
        return cls(part, block.time_s[rows], block.line[rows], block.channel[rows], block.channels)


@dataclass(slots=True)
class _Waiting:
    """Pieces that wait until they are enough for a row group of their message. rows: of all there were."""

    rows: int = 0
    _pieces: dict[tuple[str, str], list[_Piece]] = field(default_factory=dict)
    _rows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, piece: _Piece) -> None:
        of = (piece.part.dialect, piece.part.message.name)
        self._pieces.setdefault(of, []).append(piece)
        self._rows[of] += len(piece.time_s)
        self.rows += len(piece.time_s)

    def full(self) -> Iterator[list[_Piece]]:
        """What has waited long enough: large groups, and the largest while there is too much in all."""
        while self._rows and (
            self._rows.most_common(1)[0][1] >= GROUP_ROWS or self._rows.total() >= WAITING_ROWS
        ):
            of, _ = self._rows.most_common(1)[0]
            del self._rows[of]
            yield self._pieces.pop(of)

    def rest(self) -> Iterator[list[_Piece]]:
        """All that is left."""
        yield from self._pieces.values()


def _each(pieces: Sequence[_Piece], words: Sequence[str]) -> pa.Array:
    """A word for each piece; once for all if it is the same."""
    counts = [len(piece.time_s) for piece in pieces]
    if len(set(words)) == 1:
        return _words(words[:1], np.zeros(sum(counts), np.int32))
    return _words(words, np.repeat(np.arange(len(words)), counts))


def _words(words: Sequence[str], which: NDArray[np.integer]) -> pa.Array:
    import pyarrow as pa

    known, place = np.unique(words, return_inverse=True)  # a dictionary says each only once
    indices = place.astype(np.int32)[which]
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(known.tolist(), pa.string()))


def _column(name: str, kind: str, pieces: Sequence[_Piece]) -> pa.Array | None:
    """One signal's values in all pieces; None if no piece has any."""
    import pyarrow as pa

    found = [piece.part.texts.get(name, piece.part.values.get(name)) for piece in pieces]
    if all(one is None for one in found):
        return None
    counts = [len(piece.time_s) for piece in pieces]
    filled = [
        np.full(count, np.nan) if one is None else one for one, count in zip(found, counts, strict=True)
    ]
    if kind == "string":
        return pa.concat_arrays([_array(kind, one) for one in filled])
    return _array(kind, np.concatenate(filled))


def _array(kind: str, values: Floats | NDArray[np.object_]) -> pa.Array:
    """Values as a column of this kind; NaN and None are nothing."""
    import pyarrow as pa

    if values.dtype == np.object_:
        return pa.array(values, pa.string(), from_pandas=True)
    if kind == "float64":
        return pa.array(values, from_pandas=True)
    nothing = np.isnan(values)
    mask = nothing if nothing.any() else None
    if kind == "bool":
        return pa.array(values == 1, mask=mask)
    numbers = pa.array(np.where(nothing, 0, values).astype(np.int64), mask=mask)
    return numbers.cast(pa.string()) if kind == "string" else numbers


def _kind(signal: Signal) -> str:
    if signal.kind in TEXTS:
        return "string"
    if signal.length == 1 or signal.kind is Kind.ALARM:
        return "bool"
    return "int64" if whole(signal) else "float64"


def _wider(one: Column, other: Column) -> Column:
    """The column that holds the values of both."""
    kinds = {one.kind, other.kind}
    kind = next((kind for kind in ("string", "float64", "int64") if kind in kinds), "bool")
    return Column(one.name, kind, one.unit or other.unit)


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[str]:
    """A file beside `path`, which takes its place when all is written: half a table is none."""
    beside = path.with_name(f".{path.name}.part")
    try:
        try:
            yield str(beside)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
