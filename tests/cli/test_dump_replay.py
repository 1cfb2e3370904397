"""The command on a bus of python-can; python-can's own log writer and reader say what came."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import can
import pytest

from bridge.cli.dump_replay import EPILOG
from bridge.model import CanFrame
from tests.cli.dumping import examples, run
from tests.dump.bus import START_S, Timed, frames, written

QUICK = ("--interface", "virtual", "--listen", "0")


@pytest.fixture
def channel() -> str:
    return f"test-{uuid.uuid4()}"


@contextmanager
def recorded(channel: str, path: Path) -> Iterator[can.BusABC]:
    """What is said on a bus, written by python-can as `candump -l` does."""
    with can.Bus(interface="virtual", channel=channel, ignore_config=True) as bus:
        yield bus
        with can.Logger(path) as writer:
            while (message := bus.recv(0)) is not None:
                writer(message)


def read(path: Path) -> list[Timed]:
    with can.LogReader(path) as messages:
        return [
            (one.timestamp, CanFrame(one.arbitration_id, bytes(one.data), one.is_extended_id))
            for one in messages
        ]


def test_what_comes_out_of_the_bus_is_the_dump_in_its_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, channel: str
) -> None:
    timed = [*frames(range(4)), (START_S + 5.0, CanFrame(0x18904001, b"\x01\x02", extended=True))]
    log = written(tmp_path / "dump.log", timed)
    with recorded(channel, tmp_path / "heard.log"):
        assert run(monkeypatch, "replay", log, *QUICK, "--channel", channel, "--speed", 20, "--json") == 0
    heard = read(tmp_path / "heard.log")
    assert [frame for _, frame in heard] == [frame for _, frame in timed]
    summary = json.loads(capsys.readouterr().out)
    assert (summary["sent"], summary["ended"], summary["rounds"]) == (len(timed), "done", 1)
    assert summary["planned_s"] == pytest.approx(0.25)


def test_identifiers_can_be_left_out_and_rounds_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, channel: str
) -> None:
    log = written(tmp_path / "dump.log", frames(range(2)))
    with recorded(channel, tmp_path / "heard.log"):
        options = ("--channel", channel, "--id", "350-35F", "--id", "!35E", "--times", "3", "--speed", "50")
        assert run(monkeypatch, "replay", log, *QUICK, *options) == 0
    ids = [frame.can_id for _, frame in read(tmp_path / "heard.log")]
    assert ids == [0x351, 0x355, 0x356, 0x35A, 0x35F] * 6


def test_two_buses_of_a_dump_go_to_two_buses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, channel: str
) -> None:
    log = tmp_path / "dump.log"
    log.write_text("(1.0) can0 351#01\n(1.0) can1 351#02\n(1.1) can2 351#03\n")
    maps = ("--map", f"can0={channel}-a", "--map", f"can1={channel}-b")
    with recorded(f"{channel}-a", tmp_path / "a.log"), recorded(f"{channel}-b", tmp_path / "b.log"):
        assert run(monkeypatch, "replay", log, *QUICK, *maps) == 0
    assert [frame.data for name in ("a", "b") for _, frame in read(tmp_path / f"{name}.log")] == [
        b"\1",
        b"\2",
    ]
    assert "not sent: 1 of another channel" in capsys.readouterr().out


def test_beside_a_living_battery_nothing_is_sent_unless_it_is_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, channel: str
) -> None:
    log = written(tmp_path / "dump.log", frames(range(2)))
    options = ("--interface", "virtual", "--channel", channel, "--speed", 50)
    with recorded(channel, tmp_path / "heard.log") as bus:
        over = threading.Event()

        def live() -> None:
            while not over.wait(0.02):
                bus.send(can.Message(arbitration_id=0x351, data=b"\xff" * 8, is_extended_id=False))

        battery = threading.Thread(target=live)
        battery.start()
        assert run(monkeypatch, "replay", log, *options, "--listen", 0.3) == 1
        said = capsys.readouterr().out
        assert f"{channel}: somebody else sends 351" in said
        assert "0 frames" in said
        assert run(monkeypatch, "replay", log, *options, "--force") == 0
        over.set()
        battery.join()
    assert len(read(tmp_path / "heard.log")) == len(frames(range(2)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--channel NAME, or --map FROM=TO"),
        (("--channel", "x", "--map", "a=b"), "say the same"),
        (("--map", "a="), "write FROM=TO"),
        (("--channel", "x", "--id", "house"), "is no identifier"),
        (("--channel", "x", "--id", "7FF"), "no frame in it that is wanted"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: tuple[str, ...],
    said: str,
) -> None:
    log = written(tmp_path / "dump.log", frames(range(2)))
    assert run(monkeypatch, "replay", log, *QUICK, *options) == 2
    assert said in capsys.readouterr().err


def test_a_dump_of_several_buses_is_not_poured_into_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "dump.log"
    log.write_text("(1.0) can0 351#01\n(1.0) can1 351#02\n")
    assert run(monkeypatch, "replay", log, *QUICK, "--channel", "x") == 2
    assert "several buses (can0, can1)" in capsys.readouterr().err


def test_standard_input_has_no_second_round(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "replay", "-", *QUICK, "--channel", "x", "--loop") == 2
    assert "read only once" in capsys.readouterr().err


def test_a_bus_that_there_is_not_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = written(tmp_path / "dump.log", frames(range(2)))
    assert run(monkeypatch, "replay", log, "--interface", "slcan", "--channel", "/dev/no-such-adapter") == 1
    assert "slcan:/dev/no-such-adapter" in capsys.readouterr().err


@pytest.mark.parametrize("words", examples(EPILOG), ids=" ".join)
def test_the_examples_of_the_help_page_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(Path("dump.log"), frames(range(2)))
    written(Path("dump.log.gz"), frames(range(2)))  # what it is is told by its content
    both = [Path("dump.log").read_text(), written(Path("b.log"), frames(range(2)), "can1").read_text()]
    Path("two-buses.log").write_text("".join(both))
    place = words.index("--interface") + 1
    own = {"--loop": [], "10m": ["0s"], "12m": ["2s"]}
    here = [
        word for n, one in enumerate(words) for word in (["virtual"] if n == place else own.get(one, [one]))
    ]
    assert run(monkeypatch, *here, "--listen", 0, "--speed", 100) == 0
