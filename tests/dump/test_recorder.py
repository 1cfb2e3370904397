"""The recorder in the log's own time: what is kept around events, and that files never take more room."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dump.block import FD, Block, block_of, joined
from bridge.dump.decoding import Decoding, chosen
from bridge.dump.problems import Problems
from bridge.dump.reading import read
from bridge.dump.recorder import Recorder, Rules
from bridge.dump.triggers import AlarmTrigger, GapTrigger, Trigger
from bridge.errors import ConfigError
from bridge.model import CanFrame

START_S = 1_700_000_000.0
ALARM = bytes.fromhex("02000000000000")
Timed = list[tuple[float, CanFrame]]


@cache
def racks() -> Decoding:
    return chosen(dialects=["pylontech-lv"])


def limits(seconds: Sequence[float]) -> Timed:
    return [(START_S + at, CanFrame(0x351, bytes(8))) for at in seconds]


def alarms(raised: dict[float, bool]) -> Timed:
    return [(START_S + at, CanFrame(0x359, ALARM if on else bytes(7))) for at, on in raised.items()]


def fed(recorder: Recorder, frames: Timed, size: int = 3) -> list[Trigger]:
    """The frames in blocks of some, each as soon as it is over."""
    found = []
    ordered = sorted(frames, key=lambda one: one[0])
    for at in range(0, len(ordered), size):
        block = block_of(ordered[at : at + size])
        found += recorder.feed(block, float(block.time_s[-1]))
    recorder.close()
    return found


def files(folder: Path) -> dict[str, list[float]]:
    """Times from the start of each file's frames."""
    return {path.name: [time_s - START_S for time_s in times(path)] for path in sorted(folder.iterdir())}


def times(path: Path) -> list[float]:
    problems = Problems()
    block = joined(list(read([str(path)], problems)))
    assert problems.count == 0
    return [float(time_s) for time_s in block.time_s]


def test_without_a_trigger_everything_is_recorded(tmp_path: Path) -> None:
    recorder = Recorder(Rules(folder=tmp_path / "new"))
    fed(recorder, limits(range(10)))
    assert files(tmp_path / "new") == {"dump-20231114T221320Z.log": [float(n) for n in range(10)]}
    assert recorder.written == 10


def test_what_is_around_a_silence_is_kept(tmp_path: Path) -> None:
    present = [*range(100), *range(110, 200)]
    recorder = Recorder(Rules(folder=tmp_path, pre_s=5, post_s=10), [GapTrigger(3)])
    others = [(START_S + at + 0.5, CanFrame(0x356, b"")) for at in range(200)]
    (trigger,) = fed(recorder, limits(present) + others)
    assert (trigger.time_s - START_S, trigger.kind, trigger.text) == (102.0, "gap", "351 silent for 3 s")
    (kept,) = files(tmp_path).values()
    assert kept == [at for at in sorted([*present, *(n + 0.5 for n in range(200))]) if 97 <= at <= 112]


def test_a_silence_is_noticed_while_nothing_comes(tmp_path: Path) -> None:
    recorder = Recorder(Rules(folder=tmp_path, pre_s=5, post_s=10), [GapTrigger(3)])
    recorder.feed(block_of(limits(range(10))), START_S + 9)
    empty = block_of(())
    assert recorder.feed(empty, START_S + 11) == []
    assert [one.kind for one in recorder.feed(empty, START_S + 12.5)] == ["gap"]
    assert recorder.feed(empty, START_S + 20) == []
    recorder.close()
    assert list(files(tmp_path).values()) == [[7.0, 8.0, 9.0]]


def test_what_comes_seldom_is_not_silent(tmp_path: Path) -> None:
    recorder = Recorder(Rules(folder=tmp_path), [GapTrigger(3)])
    assert fed(recorder, limits(range(0, 300, 10)) + limits([301, 302])) == []
    assert files(tmp_path) == {}


def test_what_is_around_an_alarm_is_kept_once_while_it_lasts(tmp_path: Path) -> None:
    recorder = Recorder(Rules(folder=tmp_path, pre_s=3, post_s=4), [AlarmTrigger(racks())])
    raised = alarms({float(at): 50 <= at < 60 for at in range(100)})
    (trigger,) = fed(recorder, raised)
    assert trigger.text == "359 protection_overvoltage"
    assert files(tmp_path) == {"dump-20231114T221407Z-alarm.log": [float(at) for at in range(47, 55)]}


def test_events_near_each_other_share_a_file_and_far_ones_do_not(tmp_path: Path) -> None:
    watch = AlarmTrigger(racks())
    recorder = Recorder(Rules(folder=tmp_path, pre_s=3, post_s=4), [watch])
    assert len(fed(recorder, alarms({float(at): at in {20, 25, 60} for at in range(100)}))) == 3
    assert list(files(tmp_path).values()) == [
        [float(at) for at in range(17, 30)],
        [float(at) for at in range(57, 65)],
    ]


@given(raised=st.sets(st.integers(0, 39), max_size=5), size=st.sampled_from([3, 7, 20, 40]))
def test_exactly_what_is_around_the_events_is_kept(
    tmp_path_factory: pytest.TempPathFactory, raised: set[int], size: int
) -> None:
    folder = tmp_path_factory.mktemp("rec")
    watch = AlarmTrigger(racks())
    triggers = fed(
        Recorder(Rules(folder=folder, pre_s=3, post_s=4), [watch]),
        alarms({float(at): at in raised for at in range(40)}),
        size,
    )
    begins = sorted(at for at in raised if at - 1 not in raised)
    assert [one.time_s - START_S for one in triggers] == begins
    kept = sorted(time_s for some in files(folder).values() for time_s in some)
    assert kept == [at for at in range(40) if any(begin - 3 <= at <= begin + 4 for begin in begins)]


def test_files_are_of_bounded_size_and_the_oldest_goes(tmp_path: Path) -> None:
    rules = Rules(folder=tmp_path, file_bytes=1000, total_bytes=3000)
    (tmp_path / "dump-mine.log").write_text("x" * 5000)
    (tmp_path / "other-20231114T221320Z.log").write_text("x" * 5000)
    fed(Recorder(rules), limits(range(500)))
    own = [path for path in sorted(tmp_path.iterdir()) if path.stat().st_size < 5000]
    assert len(own) == 3
    assert all(path.stat().st_size <= 1000 for path in own)
    last = [time_s for path in own for time_s in times(path)]
    assert last == [START_S + at for at in range(500 - len(last), 500)]
    assert len(list(tmp_path.iterdir())) == 5


def test_files_of_one_second_go_in_their_order(tmp_path: Path) -> None:
    rules = Rules(folder=tmp_path, file_bytes=1000, total_bytes=12_000)
    fed(Recorder(rules), limits([n / 1000 for n in range(900)]))
    kept = sorted(time_s for path in tmp_path.iterdir() for time_s in times(path))
    assert kept == [START_S + n / 1000 for n in range(900 - len(kept), 900)]


def test_frames_of_can_fd_are_left_out_and_counted(tmp_path: Path) -> None:
    block: Block = block_of(limits([0, 1]), flags=[FD, 0])
    recorder = Recorder(Rules(folder=tmp_path))
    recorder.feed(block, START_S + 1)
    recorder.close()
    assert (recorder.written, recorder.fd_frames) == (1, 1)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: cannot be written"):
        Recorder(Rules(folder=tmp_path / "file")).feed(block_of(limits([0])), START_S)
