"""Every form of log gives the same frames; python-can's own writers and readers are the judges."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import can
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bridge.dump.block import ERROR, EXTENDED, FD, REMOTE, SENT, Block, joined
from bridge.dump.forms import FORMS, recognised
from bridge.dump.problems import Problems
from bridge.dump.reading import read
from bridge.dump.selection import Selection, ids_of, time_of
from bridge.errors import ConfigError

START_S = 1_700_000_000.0
WRITTEN = ("log", "asc", "blf", "csv", "trc", "mf4")
LIMITS = bytes.fromhex("3002E803DC05CC01")

ASC = """\
date Fri Jul 10 06:17:32 2015
base hex  timestamps absolute
no internal events logged
   0.000000 1  351             Rx   d 8 30 02 E8 03 DC 05 CC 01
   0.100287 1  18FF0001x       Rx   d 2 11 22
   0.100387 1  351             Rx   r 0
   0.100587 1  ErrorFrame
   0.100687 CANFD   1 Rx        123                                   1 0 9 12 11 22 33 44 55 66 77 88 99 AA \
BB CC   130000  130     3000 0 0 0 0 0
   0.100887 2  35E             Tx   d 8 50 59 4C 4F 4E 20 20 20
"""  # what log2asc of can-utils 2020.11.0 (Debian 12) writes
SAVVYCAN = """\
Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8
1000,00000351,false,Rx,0,8,30,02,E8,03,DC,05,CC,01,
2500,18FF0001,true,Tx,1,2,11,22,
"""
TRC = """\
;$FILEVERSION=1.1
;$STARTTIME=45244.5
;   Message Number
;---+--   ----+----  --+--  ----+---  +  -+ -- -- -- -- -- -- --
     1)         0.5  Rx         0351  8  30 02 E8 03 DC 05 CC 01
     2)        10.5  Rx     18FF0001  2  11 22
     3)        12.0  Rx         0351  8  30 02 E8 03 DC 05 CC
     4)        13.0  Warng  FFFFFFFF  4  00 00 00 08 BUSHEAVY
     5)        14.0  Rx         0355  4  39 00 63 00
"""


def messages(count: int = 200) -> list[can.Message]:
    """Data frames of both kinds, as every form can have them."""
    chance = np.random.default_rng(7)
    found = []
    for number in range(count):
        extended = bool(chance.integers(2))
        found.append(
            can.Message(
                timestamp=START_S + number * 0.25,
                arbitration_id=int(chance.integers(1 << (29 if extended else 11))),
                is_extended_id=extended,
                data=chance.bytes(int(chance.integers(9))),
                channel=1,
                is_rx=number % 3 > 0,
            )
        )
    return found


def written(folder: Path, form: str, frames: Sequence[can.Message]) -> Path:
    path = folder / f"dump.{form}"
    with can.Logger(path) as logger:
        for frame in frames:
            logger(frame)
    return path


def frames_of(*paths: Path | str, form: str | None = None, **wanted: object) -> tuple[Block, Problems]:
    problems = Problems()
    selection = Selection(**wanted)  # type: ignore[arg-type]
    return joined(list(read([str(path) for path in paths], problems, selection, form=form))), problems


def said(block: Block) -> list[tuple[int, bool, bytes]]:
    frames = [block.frame(row) for row in range(len(block))]
    return [(frame.can_id, frame.extended, frame.data) for frame in frames]


@pytest.mark.parametrize("form", WRITTEN)
def test_what_python_can_writes_is_read(tmp_path: Path, form: str) -> None:
    given = messages()
    block, problems = frames_of(written(tmp_path, form, given))
    assert problems.count == 0
    assert said(block) == [(one.arbitration_id, one.is_extended_id, bytes(one.data)) for one in given]
    with can.LogReader(tmp_path / f"dump.{form}") as reader:
        theirs = list(reader)
    assert block.time_s.tolist() == pytest.approx([one.timestamp for one in theirs], abs=1e-6)
    assert ((block.flags & SENT) == 0).tolist() == [one.is_rx for one in theirs]


@pytest.mark.parametrize("form", WRITTEN)
def test_the_form_is_told_by_the_content_alone(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, form, messages(20)).rename(tmp_path / "dump")
    assert recognised(path.read_bytes()) == {"log": "candump"}.get(form, form)


@pytest.mark.parametrize("form", ["log", "asc", "blf", "csv", "trc"])
def test_remote_error_and_fd_frames_keep_what_they_are(tmp_path: Path, form: str) -> None:
    special = [
        can.Message(
            timestamp=START_S, arbitration_id=0x351, is_extended_id=False, is_remote_frame=True, dlc=8
        ),
        can.Message(timestamp=START_S + 1, arbitration_id=0x123, is_fd=True, data=bytes(range(12))),
        can.Message(timestamp=START_S + 2, arbitration_id=0x4, is_error_frame=True, data=bytes(8)),
        can.Message(timestamp=START_S + 3, arbitration_id=0x351, is_extended_id=False, data=LIMITS),
    ]
    block, _ = frames_of(written(tmp_path, form, special))
    kinds = [int(flags) & (REMOTE | ERROR | FD) for flags in block.flags]
    left_out = {"csv": set(), "trc": {REMOTE, FD, ERROR}, "asc": set()}.get(form, set())
    assert kinds == [kind for kind in (REMOTE, FD, ERROR, 0) if kind not in left_out]
    assert block.plain.tolist() == [kind == 0 for kind in kinds]


def test_a_frame_of_can_fd_has_its_length_and_its_first_bytes(tmp_path: Path) -> None:
    long = can.Message(timestamp=START_S, arbitration_id=0x123, is_fd=True, data=bytes(range(64)))
    block, _ = frames_of(written(tmp_path, "log", [long]))
    assert (block.length.tolist(), block.data.tolist()) == ([64], [list(range(8))])


def test_what_log2asc_of_can_utils_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(ASC)
    block, problems = frames_of(path)
    assert problems.count == 0
    assert block.flags.tolist() == [0, EXTENDED, REMOTE, ERROR, FD, SENT]
    assert block.line.tolist() == [4, 5, 6, 7, 8, 9]
    assert said(block)[5] == (0x35E, False, b"PYLON   ")


def test_an_asc_without_a_head_loses_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("\n".join(line for line in ASC.splitlines()[3:5]))
    assert [one[0] for one in said(frames_of(path)[0])] == [0x351, 0x18FF0001]


def test_savvycans_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(SAVVYCAN)
    block, problems = frames_of(path)
    assert problems.count == 0
    assert said(block) == [(0x351, False, LIMITS), (0x18FF0001, True, b"\x11\x22")]
    assert (block.time_s.tolist(), block.flags.tolist()) == ([0.001, 0.0025], [0, EXTENDED | SENT])
    assert [block.channels[channel] for channel in block.channel] == ["0", "1"]


def test_savvycans_older_csv_without_direction_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("Time Stamp,ID,Extended,Bus,LEN,D1,D2\n1000,00000351,false,0,2,30,02\n")
    assert said(frames_of(path)[0]) == [(0x351, False, b"\x30\x02")]


def test_peaks_trace_is_read_and_its_bus_messages_are_no_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(TRC)
    block, problems = frames_of(path)
    assert said(block) == [
        (0x351, False, LIMITS),
        (0x18FF0001, True, b"\x11\x22"),
        (0x355, False, bytes.fromhex("39006300")),
    ]
    assert [(problem.line, problem.text[:2]) for problem in problems.first] == [(7, "3)")]


BROKEN = {
    "log": "(1700000000.250000) can1 35G#00",
    "asc": "0.250000 1  35G             Rx   d 1 00",
    "csv": "1700000000.25,0x35G,0,0,0,1,AA==",
    "trc": "      2        250.000 DT  1     035G Rx -  1    00",
}


@pytest.mark.parametrize("form", BROKEN)
@pytest.mark.parametrize("broken", ["its own", "x", "\0\0\0", "351,,,,", "ÿþ"])
def test_a_broken_line_is_counted_with_its_number_and_the_rest_is_read(
    tmp_path: Path, form: str, broken: str
) -> None:
    path = written(tmp_path, form, messages(20))
    lines = path.read_text().splitlines()
    place = len(lines) - 10
    lines.insert(place, BROKEN[form] if broken == "its own" else broken)
    path.write_text("\n".join(lines))
    block, problems = frames_of(path)
    given = messages(20)
    assert said(block) == [(one.arbitration_id, one.is_extended_id, bytes(one.data)) for one in given]
    assert [problem.line for problem in problems.first] == [place + 1]


def test_many_broken_lines_on_end_are_all_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", messages(5))
    path.write_text(path.read_text() + "broken\n" * 50)
    block, problems = frames_of(path)
    assert (len(block), problems.count) == (5, 50)


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_cut_blf_gives_what_is_there_and_says_so(tmp_path: Path, part: float) -> None:
    path = written(tmp_path, "blf", messages(2000))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    block, problems = frames_of(path)
    assert len(block) < 2000
    assert "damaged" in problems.first[0].text


@cache
def whole(form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder), form, messages(12)).read_bytes()


@pytest.mark.parametrize("form", ["log", "asc", "blf", "csv", "trc"])
@given(data=st.data())
def test_no_damage_makes_a_form_fail(
    tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject
) -> None:
    log = bytearray(whole(form))
    for _ in range(data.draw(st.integers(0, 5))):
        log[data.draw(st.integers(0, len(log) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged.{form}"
    path.write_bytes(log[: data.draw(st.integers(0, len(log)))])
    forced = data.draw(st.sampled_from([None, *(one for one in FORMS if one != "mf4")]))
    block, _ = frames_of(path, form=forced)
    assert ((block.length <= 8) | ((block.flags & FD) != 0)).all()


def test_a_cut_gzip_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    plain = written(tmp_path, "log", messages(5000)).read_bytes()
    path = tmp_path / "dump.gz"
    packed = gzip.compress(plain)
    path.write_bytes(packed[: len(packed) // 2])
    block, problems = frames_of(path)
    assert 1000 < len(block) < 5000
    assert "ends in damage" in problems.first[-1].text


@pytest.mark.parametrize("form", WRITTEN)
def test_gzip_and_zstd_are_undone(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, form, messages(50))
    expected = said(frames_of(path)[0])
    for name, packed in (
        ("gz", gzip.compress(path.read_bytes())),
        ("zst", zstandard.ZstdCompressor().compress(path.read_bytes())),
    ):
        (tmp_path / name).write_bytes(packed)
        assert said(frames_of(tmp_path / name)[0]) == expected


def test_logs_come_one_after_the_other_and_share_their_channels(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("(1.000000) can1 351#00\n")
    (tmp_path / "b").write_text("(2.000000) can0 351#01\n(3.000000) can1 351#02\n")
    block, _ = frames_of(tmp_path / "a", tmp_path / "b")
    assert block.time_s.tolist() == [1.0, 2.0, 3.0]
    assert [block.channels[channel] for channel in block.channel] == ["can1", "can0", "can1"]


def test_standard_input_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"(1.000000) can0 351#00\n")

    monkeypatch.setattr("sys.stdin", Stdin)
    block, _ = frames_of("-")
    assert (len(block), block.source) == (1, "stdin")


def test_times_since_the_frame_before_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    steps = (0.0, 0.02, 0.01, 0.97, 0.02, 0.01, 0.97, 0.02)
    path.write_text("".join(f" ({step:010.6f})  can0  351   [1]  00\n" for step in steps))
    assert frames_of(path)[0].time_s.tolist() == pytest.approx(np.cumsum(steps).tolist())
    forced, _ = frames_of(path, form="candump")
    assert forced.time_s.tolist() == list(steps)


def test_times_from_the_start_are_not_added_up(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("".join(f" ({step:010.6f})  can0  351   [1]  00\n" for step in (0.0, 0.1, 0.2, 0.3, 0.4)))
    assert frames_of(path)[0].time_s.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_only_the_wanted_times_and_identifiers_are_given(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("".join(f"({START_S + n:.6f}) can0 {0x350 + n % 4:03X}#{n:02X}\n" for n in range(20)))
    assert frames_of(path, since_s=5.0, until_s=8.0)[0].data[:, 0].tolist() == [5, 6, 7]
    assert frames_of(path, since_s=START_S + 18)[0].data[:, 0].tolist() == [18, 19]
    ids, without = ids_of(["351-352"])
    assert set(said(frames_of(path, ids=ids, without_ids=without)[0])) == {
        (0x350 + n % 4, False, bytes([n])) for n in range(20) if n % 4 in {1, 2}
    }
    ids, without = ids_of(["0x351,!352", "353"])
    assert (ids, without) == ((range(0x351, 0x352), range(0x353, 0x354)), (range(0x352, 0x353),))


def test_times_of_a_log_without_any_cannot_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(" can0  351   [1]  00\n")
    with pytest.raises(ConfigError, match="has no times"):
        frames_of(path, since_s=1.0)


@pytest.mark.parametrize(
    ("text", "time_s"), [("12.5", 12.5), ("90s", 90.0), ("1h30m", 5400.0), ("2d", 172_800.0), ("1.5s", 1.5)]
)
def test_times_are_written_as_people_do(text: str, time_s: float) -> None:
    assert time_of(text) == time_s


@pytest.mark.parametrize("text", ["noon", "12:00", "1x", " "])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        time_of(text)


def test_what_is_no_identifier_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no identifier"):
        ids_of(["35G"])


def test_a_log_that_is_not_there_and_a_form_that_there_is_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        frames_of(tmp_path / "nothing")
    with pytest.raises(ConfigError, match='Did you mean "candump"'):
        frames_of(tmp_path / "nothing", form="candum")
    assert "candump" in FORMS
