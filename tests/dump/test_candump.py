"""candump's logs: read in bulk as one by one, as python-can reads them, and as candump shows them."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator

import can
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dump import candump_lines
from bridge.dump.block import COLUMNS, Block, id_text, joined
from bridge.dump.candump import SHAPES, CandumpReader
from bridge.dump.meaning import raw_text
from bridge.dump.problems import Problems

LOG = """\
(1436509052.249713) can0 351#3002E803DC05CC01
(1436509052.350000) can0 18FF0001#1122
(1436509052.350100) can0 351#R
(1436509052.350200) can0 351#R8
(1436509052.350300) can0 20000004#0004000000000000
(1436509052.350400) can0 123##1112233445566778899AABBCC
(1436509052.350500) can0 123#
(1436509052.350600) vcan12 35E#50594C4F4E202020 T
(1436509052.350700) can0 355#39006300
"""
LONG = """\
(1436509052.249713)  can0       351   [8]  30 02 E8 03 DC 05 CC 01   '0.......'
(1436509052.350000)  can0  18FF0001   [2]  11 22                     '."'
(1436509052.350100)  can0       351   [0]  remote request
(1436509052.350200)  can0       351   [8]  remote request
(1436509052.350300)  can0  20000004   [8]  00 04 00 00 00 00 00 00   ERRORFRAME
(1436509052.350400)  can0       123  [12]  11 22 33 44 55 66 77 88 99 AA BB CC
(1436509052.350500)  can0       123   [0]                            ''
(1436509052.350600)  vcan12       35E   [8]  50 59 4C 4F 4E 20 20 20   'PYLON   '
(1436509052.350700)  can0       355   [4]  39 00 63 00               '9.c.'
"""  # what log2long of can-utils 2020.11.0 (Debian 12) makes of LOG

CHANNELS = ("can0", "can1", "vcan12", "x", "a_name_of_15_b.")


def read(text: bytes | str, sizes: tuple[int, ...] = ()) -> tuple[Block, Problems]:
    """The frames of a log that comes in chunks of these sizes, and then all the rest."""
    log = text.encode() if isinstance(text, str) else text
    problems = Problems()
    reader = CandumpReader("log", problems)
    blocks = []
    for size in sizes:
        blocks.append(reader.feed(log[:size]))
        log = log[size:]
    blocks += [reader.feed(log), reader.end()]
    return joined([block for block in blocks if block is not None]), problems


Row = tuple[float | None, str, int, int, int, bytes, int]


def rows(block: Block) -> list[Row]:
    """All that is known of each frame; a time that is not known as None."""
    return [
        (
            None if math.isnan(block.time_s[row]) else float(block.time_s[row]),
            block.channels[block.channel[row]],
            int(block.can_id[row]),
            int(block.flags[row]),
            int(block.length[row]),
            block.data[row].tobytes(),
            int(block.line[row]),
        )
        for row in range(len(block))
    ]


def one_by_one(log: bytes) -> list[Row]:
    found = []
    for number, text in enumerate(log.split(b"\n"), start=1):
        line = candump_lines.parse(text.decode(errors="replace"))
        if line is not None:
            time_s = None if math.isnan(line.time_s) else line.time_s
            data = line.data.ljust(8, b"\0")
            found.append((time_s, line.channel, line.can_id, line.flags, line.length, data, number))
    return found


plain = st.builds(
    "({}.{:06d}) {} {}#{}{}".format,
    st.one_of(st.integers(0, 99), st.integers(10**9, 10**10 - 1)),
    st.integers(0, 999_999),
    st.sampled_from(CHANNELS),
    st.one_of(
        st.integers(0, 0x7FF).map("{:03X}".format),
        st.integers(0, 0xFFF).map("{:03x}".format),
        st.integers(0, (1 << 32) - 1).map("{:08X}".format),
    ),
    st.binary(max_size=9).map(bytes.hex),
    st.sampled_from(("", " T", " R", "\r", " T\r")),
)
strange = st.one_of(
    st.sampled_from(LOG.splitlines() + LONG.splitlines()),
    st.sampled_from(("", "# a comment", "351#11", " can0  351   [1]  11", "can0 351#1", "(1.2) can0")),
    st.text(max_size=40),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A plain line with one letter changed, or cut."""
    line = draw(plain)
    place = draw(st.integers(0, len(line)))
    return line[:place] + draw(st.sampled_from(("", "G", "#", " ", ".", "0", "é", "\0"))) + line[place + 1 :]


lines = st.lists(st.one_of(plain, plain, damaged(), strange), max_size=25)


@given(lines=lines, sizes=st.lists(st.integers(0, 200), max_size=6).map(tuple))
def test_in_bulk_and_in_any_chunks_is_read_what_is_read_line_by_line(
    lines: list[str], sizes: tuple[int, ...]
) -> None:
    log = "\n".join(lines).encode()
    assert rows(read(log, sizes)[0]) == one_by_one(log)


@pytest.mark.parametrize("line", LOG.splitlines()[:2])
def test_any_letter_anywhere_is_read_in_bulk_as_it_is_line_by_line(line: str) -> None:
    whole = line.encode()
    changed = [
        whole[:place] + bytes([letter]) + whole[place + 1 :]
        for place in range(len(whole))
        for letter in range(256)
        if letter != ord("\n")
    ]
    log = b"\n".join([whole, *changed])
    assert rows(read(log)[0]) == one_by_one(log)


@given(log=st.binary(max_size=300))
def test_nothing_makes_the_reader_fail(log: bytes) -> None:
    block, problems = read(log)
    assert len(block) + problems.count <= log.count(b"\n") + 1


@given(lines=st.lists(damaged(), max_size=8))
def test_every_line_is_a_frame_or_counted_or_nothing(lines: list[str]) -> None:
    log = "\n".join(lines).encode()
    block, problems = read(log)
    nothing = sum(not text.strip() or text.strip().startswith(b"#") for text in log.split(b"\n"))
    assert len(block) + problems.count == len(log.split(b"\n")) - nothing


def test_python_can_reads_the_same() -> None:
    block, _ = read(LOG)
    theirs = list(can.CanutilsLogReader(io.StringIO(LOG)))
    assert block.time_s.tolist() == [message.timestamp for message in theirs]
    assert block.length.tolist() == [message.dlc for message in theirs]
    ours = [id_text(key) for key in block.key.tolist()]
    assert [int(one, 16) for one in ours] == [message.arbitration_id & 0x1FFFFFFF for message in theirs]


def test_what_candump_shows_is_what_it_logs() -> None:
    logged, shown = read(LOG)[0], read(LONG)[0]
    without_way = [(*row[:3], row[3] & ~16, *row[4:]) for row in rows(logged)]
    assert rows(shown) == without_way


def test_frames_are_written_as_they_were_read() -> None:
    block, _ = read(LOG)
    written = [raw_text(block, row) for row in range(len(block))]
    classic = [line.split(" ", 2)[2] for line in LOG.splitlines() if "##" not in line]
    assert [text for text in written if "##" not in text] == classic


@pytest.mark.parametrize(
    ("line", "time_s", "data"),
    [
        (" can0  351   [2]  30 02", None, "3002"),
        (" (000.100000)  can0  RX - -  351   [2]  30 02", 0.1, "3002"),
        (" (1436509052.249713)  can0  TX B E  351   [2]  30 02   '0.'", 1436509052.249713, "3002"),
        (" can0  351   [2]  02`30", None, "3002"),
        ("\x1b[32m can0  351   [2]  30 02\x1b[0m", None, "3002"),
        ("351#3002", None, "3002"),
        ("351#30.02", None, "3002"),
        ("(0.5) can0 351#3002112233445566_9", 0.5, "3002112233445566"),
    ],
)
def test_every_form_of_candump_is_read(line: str, time_s: float | None, data: str) -> None:
    block, problems = read(line + "\n")
    assert problems.count == 0
    assert [(row[0], row[5]) for row in rows(block)] == [(time_s, bytes.fromhex(data).ljust(8, b"\0"))]


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_utc")
def test_a_date_is_local_time() -> None:
    block, _ = read(" (2015-07-10 06:17:32.249713)  can0  351   [1]  30\n")
    assert block.time_s.tolist() == [1436509052.249713]


def test_broken_lines_are_told_with_their_numbers_across_chunks() -> None:
    log = "".join(f"(1.{number:06d}) can0 351#00\n" for number in range(50))
    broken = log.replace("(1.000007)", "(1.00x007)").replace(
        "(1.000041) can0 351#00", "(1.000041) can0 351#0"
    )
    block, problems = read(broken, (300, 300))
    assert (len(block), problems.count) == (48, 2)
    assert [str(problem) for problem in problems.first] == [
        "log:8: (1.00x007) can0 351#00",
        "log:42: (1.000041) can0 351#0",
    ]
    assert block.line.tolist() == [number for number in range(1, 51) if number not in {8, 42}]


def test_only_the_first_broken_lines_are_kept() -> None:
    _, problems = read("rubbish\n" * 1000)
    assert (problems.count, len(problems.first)) == (1000, 10)


def test_what_has_no_lines_does_not_fill_the_memory() -> None:
    reader = CandumpReader("log", problems := Problems())
    for _ in range(10):
        assert reader.feed(bytes(1 << 20)) is None
    assert len(reader._rest) <= 5 << 20
    assert problems.count == 2


def test_more_channels_than_shapes_are_read_too() -> None:
    log = "".join(f"(1.000000) can{number} 351#{number:02X}\n" for number in range(2 * SHAPES))
    block, problems = read(log)
    assert problems.count == 0
    assert [block.channels[channel] for channel in block.channel] == [f"can{n}" for n in range(2 * SHAPES)]
    assert block.data[:, 0].tolist() == list(range(2 * SHAPES))


def test_times_are_the_floats_nearest_to_what_is_written() -> None:
    stamps = [f"{1_700_000_000 + number}.{number * 7919 % 1_000_000:06d}" for number in range(2000)]
    block, _ = read("".join(f"({stamp}) can0 351#00\n" for stamp in stamps))
    assert block.time_s.tolist() == [float(stamp) for stamp in stamps]
    assert block.time_s.dtype == np.float64


def test_columns_are_of_one_length() -> None:
    block, _ = read(LOG)
    assert {len(getattr(block, name)) for name in COLUMNS} == {9}
