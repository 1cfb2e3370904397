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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridge.dump.block import Block, Floats, id_text, key_of
from bridge.dump.decoding import Decoding, Part
from bridge.dump.meaning import whole
from bridge.errors import ConfigError
from bridge.sinks.layout import TEXTS, Kind, Signal

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1 << 18  # of one message, that wait to be written as one row group
WAITING_ROWS = 1 << 20  # of all messages together
REPEATED = ("channel", "id", "dialect", "message")

Arrays = Mapping[str, "pa.Array"]


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
                waiting.add(part, tables.arrays(block, part))
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
                table = tables.table([tables.arrays(block, part) for part in parts]).cast(tables.plain)
                writer.write_table(table.take(order))
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
        self._words: dict[str, pa.Array] = {}
        self._nothing = {name: pa.nulls(0, kind) for name, kind in types.items()}

    def arrays(self, block: Block, part: Part) -> Arrays:
        """The columns of one part that have values."""
        import pyarrow as pa

        count = len(part.rows)
        found = {
            "t": pa.array(block.time_s[part.rows], from_pandas=True),
            "line": pa.array(block.line[part.rows]),
            "channel": self._channels(block, part),
            "id": self._same(id_text(key_of(part.message.can_id, extended=part.message.extended)), count),
            "dialect": self._same(part.dialect, count),
            "message": self._same(part.message.name, count),
        }
        for name, texts in part.texts.items():
            found[name] = pa.array(texts, pa.string(), from_pandas=True)
        for name, values in part.values.items():
            found[name] = _array(self._kinds[name], values)
        return found

    def table(self, parts: Sequence[Arrays]) -> pa.Table:
        """Parts one below the other, with nothing where they have no values."""
        import pyarrow as pa

        counts = [len(part["t"]) for part in parts]
        columns = []
        for name in self.schema.names:
            nothing = self._nulls(name, max(counts))
            chunks = [part.get(name, nothing[:count]) for part, count in zip(parts, counts, strict=True)]
            columns.append(pa.chunked_array(chunks))
        return pa.Table.from_arrays(columns, schema=self.schema)

    def _channels(self, block: Block, part: Part) -> pa.Array:
        if len(block.channels) == 1:
            return self._same(block.channels[0], len(part.rows))
        return _repeated(block.channels, block.channel[part.rows].astype(np.int32))

    def _same(self, word: str, count: int) -> pa.Array:
        """A word so many times; shared, because that is what most such columns are."""
        if word not in self._words or len(self._words[word]) < count:
            self._words[word] = _repeated((word,), np.zeros(count, np.int32))
        return self._words[word][:count]

    def _nulls(self, name: str, count: int) -> pa.Array:
        """At least so many; shared, because most of a table is nothing."""
        import pyarrow as pa

        if len(self._nothing[name]) < count:
            self._nothing[name] = pa.nulls(count, self.schema.field(name).type)
        return self._nothing[name]


@dataclass(slots=True)
class _Waiting:
    """Parts that wait until they are enough for a row group of their message. rows: of all there were."""

    rows: int = 0
    _parts: dict[tuple[str, str], list[Arrays]] = field(default_factory=dict)
    _rows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, part: Part, arrays: Arrays) -> None:
        of = (part.dialect, part.message.name)
        self._parts.setdefault(of, []).append(arrays)
        self._rows[of] += len(part.rows)
        self.rows += len(part.rows)

    def full(self) -> Iterator[list[Arrays]]:
        """What has waited long enough: large groups, and the largest while there is too much in all."""
        while self._rows and (
            self._rows.most_common(1)[0][1] >= GROUP_ROWS or self._rows.total() >= WAITING_ROWS
        ):
            of, _ = self._rows.most_common(1)[0]
            del self._rows[of]
            yield self._parts.pop(of)

    def rest(self) -> Iterator[list[Arrays]]:
        """All that is left."""
        yield from self._parts.values()


def _repeated(words: Sequence[str], which: NDArray[np.int32]) -> pa.Array:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(which), pa.array(words, pa.string()), safe=False)


def _array(kind: str, values: Floats) -> pa.Array:
    """Values as a column of this kind; NaN is nothing."""
    import pyarrow as pa

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
