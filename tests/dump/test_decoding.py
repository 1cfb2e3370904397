"""Columns say what frames say: beside our own line decoder, and beside cantools with the same files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cantools
import numpy as np
import pytest
from cantools.database.can import Database
from cantools.database.errors import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from bridge import profiles
from bridge.dump import decoding
from bridge.dump.block import ERROR, FD, REMOTE, Block, block_of
from bridge.dump.decoding import Decoding, chosen, dialect_paths
from bridge.dump.meaning import frames, rows_of
from bridge.errors import ConfigError
from bridge.model import CanFrame
from bridge.sinks.layout import CLEARED, RAISED, TEXTS, Dialect, Kind, Value

FOLDER = Path(__file__).parents[1] / "vectors"
CAPTURES: list[dict[str, Any]] = json.loads((FOLDER / "can_dialects.json").read_text("utf-8"))
RACKS: list[dict[str, Any]] = json.loads((FOLDER / "can_sinks.json").read_text("utf-8"))
NAMES = tuple(dialect_paths())


@cache
def everything() -> Decoding:
    return chosen()


@cache
def dialect(name: str) -> Dialect:
    return next(one for one in everything().dialects if one.name == name)


@cache
def database(name: str) -> Database:
    loaded = cantools.database.load_file(dialect(name).path, database_format="dbc")
    assert isinstance(loaded, Database)
    return loaded


def random_block(names: tuple[str, ...], count: int, seed: int) -> Block:
    """Frames of these dialects with any data, some short, and some of nobody."""
    chance = np.random.default_rng(seed)
    keys = sorted({key for name in names for key in dialect(name).messages} | {(0x123, False)})
    found = []
    for number in range(count):
        can_id, extended = keys[chance.integers(len(keys))]
        data = bytearray(chance.bytes(int(chance.choice([8, 8, 8, int(chance.integers(9))]))))
        if data and chance.integers(2):
            data[0] = int(chance.integers(6))  # a page that there is
        found.append((number * 0.1, CanFrame(can_id, bytes(data), extended)))
    return block_of(found)


def read_by_columns(decoding: Decoding, block: Block) -> dict[tuple[str, int], dict[str, Value]]:
    """By dialect and row, what the parts say."""
    return {
        (part.dialect, row): said
        for part in decoding.split(block)
        for row, said in zip(part.rows.tolist(), rows_of(part), strict=True)
    }


def theirs(name: str, frame: CanFrame) -> dict[str, object] | None:
    """A whole frame by cantools, which knows no codes for "nothing", pairs or texts: those by our rules."""
    message = dialect(name).messages.get((frame.can_id, frame.extended))
    if message is None or len(frame.data) < database(name).get_message_by_name(message.name).length:
        return None
    try:
        raw = database(name).decode_message(message.name, frame.data, scaling=False, decode_choices=False)
    except DecodeError:  # it refuses a page that it does not know
        return None
    values = database(name).decode_message(message.name, frame.data, decode_choices=False)
    assert isinstance(raw, Mapping)
    assert isinstance(values, Mapping)
    found: dict[str, object] = {}
    for signal in message.signals:
        if signal.name not in values:
            continue
        number = int(raw[signal.name])  # type: ignore[arg-type]
        if signal.kind in TEXTS:
            data = number.to_bytes(signal.length // 8, "little" if signal.little_endian else "big")
            found[signal.name] = data.decode("ascii", "backslashreplace")
        elif signal.kind is Kind.ALARM and signal.length > 1:
            if number in {RAISED, CLEARED}:
                found[signal.name] = number == RAISED
        elif number & signal.mask != signal.not_available:
            found[signal.name] = round(float(values[signal.name]), 6)  # type: ignore[arg-type]
    return found


def _unpadded(value: Value) -> Value:
    return value.rstrip("\0 ") if isinstance(value, str) else value


def test_there_are_many_dialects() -> None:
    assert len(NAMES) > 20
    assert [one.name for one in everything().dialects] == list(NAMES)


def test_all_dialects_at_once_say_what_each_of_them_says_of_a_frame() -> None:
    block = random_block(NAMES, 4000, seed=1)
    ours = read_by_columns(everything(), block)
    expected = {
        (name, row): dialect(name).decode(block.frame(row))
        for name in NAMES
        for row in range(len(block))
        if (int(block.can_id[row]), bool(block.flags[row] & 1)) in dialect(name).messages
    }
    assert ours == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_a_random_log_is_what_cantools_makes_of_it(name: str) -> None:
    block = random_block((name,), 400, seed=2)
    ours = read_by_columns(Decoding([dialect(name)]), block)
    compared = 0
    for row in range(len(block)):
        if (said := theirs(name, block.frame(row))) is not None and (name, row) in ours:
            assert ours[name, row] == said, block.frame(row)
            compared += 1
    assert compared > 50


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=30
    )
)
def test_any_data_says_in_columns_what_it_says_alone(rows: list[tuple[str, int, bytes]]) -> None:
    found = []
    for name, number, data in rows:
        keys = list(dialect(name).messages)
        found.append((0.0, CanFrame(keys[number % len(keys)][0], data, keys[number % len(keys)][1])))
    block = block_of(found)
    for (name, row), said in read_by_columns(everything(), block).items():
        assert said == dialect(name).decode(block.frame(row))


@pytest.mark.parametrize("capture", CAPTURES, ids=[one["name"] for one in CAPTURES])
def test_captures_of_real_devices_say_what_is_known_of_them(capture: dict[str, Any]) -> None:
    block = block_of(
        (number * 0.1, CanFrame(one["id"], bytes.fromhex(one["data"]), one.get("ext", False)))
        for number, one in enumerate(capture["frames"])
    )
    said: dict[str, Value] = {}
    found = read_by_columns(Decoding([dialect(capture["dialect"])]), block)
    for _, values in sorted(found.items(), key=lambda one: one[0][1]):
        said |= values
    expected = {name: _unpadded(value) for name, value in capture["expect"].items() if name in said}
    assert {name: _unpadded(said[name]) for name in expected} == expected
    assert len(expected) > 3 or capture["name"].startswith("growatt")


@pytest.mark.parametrize("rack", RACKS, ids=[one["name"] for one in RACKS])
def test_captures_of_real_racks_say_what_is_known_of_them(rack: dict[str, Any]) -> None:
    timed = [(0.1, CanFrame(one["id"], bytes.fromhex(one["data"]))) for one in rack["frames"]]
    said: dict[str, Value] = {}
    for frame in frames(block_of(timed), Decoding([dialect("pylontech-lv")])):
        for meaning in frame.meanings:
            said |= meaning.signals
    expected = {name: value for name, value in rack["expect"].items() if name != "alarm_bits"}
    assert {name: said[name] for name in expected} == expected


def test_frames_that_are_no_plain_data_say_nothing() -> None:
    frame = CanFrame(0x351, bytes(8))
    block = block_of([(0.0, frame)] * 4, flags=[0, REMOTE, ERROR, FD])
    (part,) = Decoding([dialect("pylontech-lv")]).split(block)
    assert part.rows.tolist() == [0]


def test_an_identifier_counts_with_its_number_of_bits() -> None:
    block = block_of([(0.0, CanFrame(0x351, bytes(8), extended=True))])
    assert list(Decoding([dialect("pylontech-lv")]).split(block)) == []


def test_an_empty_block_and_no_dialect_say_nothing() -> None:
    assert list(everything().split(block_of(()))) == []
    assert list(Decoding([]).split(block_of([(0.0, CanFrame(0x351, bytes(8)))]))) == []


def test_a_frame_of_one_page_lacks_the_signals_of_the_others() -> None:
    block = block_of((0.0, CanFrame(0x3D0, bytes([page]) + b"Battery"[:7])) for page in (0, 1, 9))
    parts = {part.page: part for part in Decoding([dialect("byd-hv")]).split(block)}
    assert parts.keys() == {0, 1, None}
    assert parts[0].texts.keys() == {"product_text_1"}
    assert parts[None].texts.keys() == set()
    assert [signal.name for signal in parts[None].signals] == ["product_page"]


def test_profiles_and_dialects_are_chosen_by_name() -> None:
    assert [one.name for one in chosen(["deye-lv"], ["victron"]).dialects] == ["pylontech-lv", "victron"]
    with pytest.raises(ConfigError, match=r"unknown dialect 'victro'.*Did you mean .victron."):
        chosen(dialects=["victro"])
    with pytest.raises(ConfigError, match="unknown profile"):
        chosen(["nobody"])


def test_a_users_own_dialect_is_one_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "packbridge" / "profiles" / "dialects"
    own.mkdir(parents=True)
    source = profiles.folders()[-1] / "dialects" / "pylontech-lv.dbc"
    (own / "acme.dbc").write_text(source.read_text())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert decoding.dialect_paths()["acme"] == own / "acme.dbc"


def test_who_claims_an_identifier_is_known() -> None:
    assert {"pylontech-lv", "victron", "afore"} <= set(everything().claims(0x351))
    assert everything().claims(0x351 | 1 << 32) == ("sofar-hv",)
    assert everything().claims(0x123) == ()
