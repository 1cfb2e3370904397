"""What frames mean in words, as tables and at a moment: all say what the columns say."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bridge.dump import tables
from bridge.dump.block import Block, block_of
from bridge.dump.decoding import Decoding, chosen
from bridge.dump.meaning import Changes, Frame, frames, rows_of
from bridge.dump.moment import picture
from bridge.errors import ConfigError
from bridge.model import CanFrame
from tests.dump.test_decoding import NAMES, everything, random_block

START_S = 1_700_000_000.0
LIMITS, LOWER = bytes.fromhex("3002E803DC05CC01"), bytes.fromhex("3002D007DC05CC01")
SAID = "charge_voltage_limit_v 56.0 V, charge_current_limit_a 100.0 A, discharge_current_limit_a 150.0 A, "
COUNTED = "module_count 0, pn_marker 20048"
FINE = "measurements: voltage_v 53.12 V"
REST = "current_a -12.3 A, temperature_c 23.4 degC"


@cache
def racks() -> Decoding:
    return chosen(dialects=["pylontech-lv"])


def block(*data: tuple[int, str]) -> Block:
    frames_ = [CanFrame(can_id, bytes.fromhex(text)) for can_id, text in data]
    return block_of((START_S + number, frame) for number, frame in enumerate(frames_))


def lines(given: Block, decoding: Decoding, *, named: bool = False) -> list[str]:
    return [line for frame in frames(given, decoding) for line in frame.text(named=named)]


def test_a_line_has_its_meaning_beside_its_bytes() -> None:
    given = block(
        (0x351, "3002E803DC05CC01"), (0x359, "0200000000504E"), (0x123, "11"), (0x35E, "50594C4F4E")
    )
    assert lines(given, racks()) == [
        f"(1700000000.000000) can0 351#3002E803DC05CC01  :: limits: {SAID}discharge_voltage_limit_v 46.0 V",
        "(1700000001.000000) can0 359#0200000000504E  :: alarms: ALARMS protection_overvoltage, " + COUNTED,
        "(1700000002.000000) can0 123#11",
        "(1700000003.000000) can0 35E#50594C4F4E  :: identity: manufacturer_name 'PYLON'",
    ]


def test_meanings_that_differ_stand_below_each_other_with_their_dialects() -> None:
    both = Decoding(
        [one for one in everything().dialects if one.name in {"sol-ark", "sol-ark-tenths", "victron"}]
    )
    assert lines(block((0x356, "C01485FFEA00")), both, named=True) == [
        f"(1700000000.000000) can0 356#C01485FFEA00  :: [sol-ark victron] {FINE}, {REST}",
        f"      :: [sol-ark-tenths] measurements: voltage_v 531.2 V, {REST}",
    ]


def test_json_has_a_record_for_each_meaning_and_one_for_a_frame_without() -> None:
    given = block((0x355, "39006300"), (0x123, ""))
    records = [record for frame in frames(given, racks()) for record in frame.records()]
    assert json.loads(json.dumps(records)) == [
        {
            "t": START_S, "channel": "can0", "id": "355", "data": "39006300", "message": "state_of_charge",
            "dialects": ["pylontech-lv"], "signals": {"soc_pct": 57, "soh_pct": 99},
        },
        {
            "t": START_S + 1, "channel": "can0", "id": "123", "data": "", "message": None,
            "dialects": [], "signals": {},
        },
    ]  # fmt: skip


def test_a_time_that_is_not_known_is_null() -> None:
    (frame,) = frames(block_of([(float("nan"), CanFrame(0x123, b""))]), racks())
    assert (next(frame.records())["t"], frame.line()) == (None, "can0 123#")


def changed(*blocks: Block) -> list[Frame]:
    changes = Changes()
    found = [frame for given in blocks for frame in frames(changes.rows(given), racks())]
    return [left for frame in found if (left := changes.frame(frame)) is not None]


def test_only_what_changed_is_left_also_across_blocks() -> None:
    same, lower = block((0x351, LIMITS.hex()), (0x351, LIMITS.hex())), block((0x351, LOWER.hex()))
    signals = [dict(frame.meanings[0].signals) for frame in changed(same, same, lower, lower)]
    assert [list(one) for one in signals] == [
        ["charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a",
         "discharge_voltage_limit_v"],
        ["charge_current_limit_a"],
    ]  # fmt: skip
    assert signals[1] == {"charge_current_limit_a": 200.0}


def test_bits_that_nothing_describes_do_not_count_as_changed() -> None:
    assert len(changed(block((0x35C, "C000"), (0x35C, "C001"), (0x35C, "C000")))) == 1


def test_frames_of_no_dialect_count_by_their_bytes() -> None:
    assert [one.data for one in changed(block((0x123, "00"), (0x123, "00"), (0x123, "01")))] == ["00", "01"]


def test_the_picture_has_the_last_of_each_message_before_the_moment() -> None:
    given = block((0x351, LIMITS.hex()), (0x355, "39006300"), (0x351, LOWER.hex()), (0x355, "38006300"))
    seen = picture([given.take(slice(0, 2)), given.take(slice(2, 4))], racks(), 2.5)
    assert seen.at_s == START_S + 2.5
    assert [(frame.time_s - START_S, frame.data) for frame in seen.frames] == [
        (2.0, LOWER.hex().upper()),
        (1.0, "39006300"),
    ]


def test_the_picture_has_every_page_of_a_message() -> None:
    byd = chosen(dialects=["byd-hv"])
    given = block_of((START_S + n, CanFrame(0x3D0, bytes([n % 3]) + b"Battery")) for n in range(9))
    assert [frame.time_s - START_S for frame in picture([given], byd, START_S + 100).frames] == [
        6.0,
        7.0,
        8.0,
    ]


def test_a_picture_of_nothing_is_empty() -> None:
    assert picture([], racks(), 1.0).frames == ()


@pytest.mark.parametrize(
    ("names", "count"), [(("victron",), 500), (("byd-hv", "growatt-hv"), 500), (NAMES, 60)]
)
def test_the_tables_hold_what_the_columns_say(tmp_path: Path, names: tuple[str, ...], count: int) -> None:
    decoding = Decoding([one for one in everything().dialects if one.name in names])
    given = random_block(names, count, seed=3)
    expected = sorted(
        (part.dialect, row + 1, part.message.name, said)
        for part in decoding.split(given)
        for row, said in zip(part.rows.tolist(), rows_of(part), strict=True)
    )
    halves = [given.take(slice(0, count // 2)), given.take(slice(count // 2, None))]
    assert tables.write_parquet(halves, decoding, tmp_path / "x.parquet") == len(expected)
    own = ("t", "line", "channel", "id", "dialect", "message")
    found = []
    for row in pq.read_table(tmp_path / "x.parquet").to_pylist():
        said = {name: value for name, value in row.items() if name not in own and value is not None}
        found.append((row["dialect"], row["line"], row["message"], said))
        assert row["t"] == given.time_s[row["line"] - 1]
    numbers = {column.name for column in tables.columns_of(decoding) if column.kind == "string"}
    for *_, said in expected:
        said |= {name: str(value) for name, value in said.items() if name in numbers}
    assert sorted(found, key=lambda one: one[:3]) == expected


def test_a_row_group_of_parquet_holds_one_message(tmp_path: Path) -> None:
    given = random_block(("victron",), 500, seed=4)
    tables.write_parquet([given], chosen(dialects=["victron"]), tmp_path / "x.parquet")
    file = pq.ParquetFile(tmp_path / "x.parquet")
    groups = [file.read_row_group(n)["message"].to_pylist() for n in range(file.num_row_groups)]
    assert len(groups) > 10
    assert all(len(set(group)) == 1 for group in groups)
    assert file.schema_arrow.field("voltage_v").metadata == {b"unit": b"V"}


def test_much_is_written_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "GROUP_ROWS", 50)
    monkeypatch.setattr(tables, "WAITING_ROWS", 200)
    given = random_block(("victron",), 1000, seed=5)
    parts = [given.take(slice(at, at + 100)) for at in range(0, 1000, 100)]
    victron = chosen(dialects=["victron"])
    rows = tables.write_parquet(parts, victron, tmp_path / "x.parquet")
    read = pq.read_table(tmp_path / "x.parquet")
    assert sorted(read["line"].to_pylist()) == sorted(
        row + 1 for part in victron.split(given) for row in part.rows.tolist()
    )
    assert rows == read.num_rows


def test_csv_keeps_the_logs_order(tmp_path: Path) -> None:
    given = block(
        (0x355, "39006300"), (0x351, LIMITS.hex()), (0x355, "38006300"), (0x35E, "50594C4F4E202020")
    )
    tables.write_csv([given], racks(), tmp_path / "x.csv")
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["message"] for row in rows] == ["state_of_charge", "limits", "state_of_charge", "identity"]
    assert [row["soc_pct"] for row in rows] == ["57", "", "56", ""]
    assert rows[3]["manufacturer_name"] == "PYLON   "


def test_half_a_table_is_none(tmp_path: Path) -> None:
    def broken() -> list[Block]:
        raise ConfigError("stop")

    path = tmp_path / "x.parquet"
    path.write_text("what was there")
    with pytest.raises(ConfigError, match="stop"):
        tables.write_parquet((one for one in broken()), racks(), path)
    assert [one.name for one in tmp_path.iterdir()] == ["x.parquet"]
    assert path.read_text() == "what was there"


def test_a_table_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        tables.write_csv([], racks(), tmp_path / "nowhere" / "x.csv")
