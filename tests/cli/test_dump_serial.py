from __future__ import annotations

import io
import json
import os
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.cli import dump_serial
from bridge.dump.serial_capture import written
from tests.cli.dumping import examples, run
from tests.dump.test_serial_capture import ANSWER, ASK, exchange


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.txt"
    path.write_text(
        "".join(f"{written(chunk)}\n" for second in range(3) for chunk in exchange(float(second)))
    )
    return path


def test_each_chunk_is_shown_with_its_time_and_its_meaning_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], capture: Path
) -> None:
    assert run(monkeypatch, "serial", "decode", capture) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "0.000 > dd a5 03 00 ff fd 77"
    assert lines[1] == "0.050 < dd 03 00 1d 06 18 00 00 01 f2 01 f4"
    assert lines[3].startswith("    basic: voltage_v 15.6")
    assert said.err == "read as jbd (JBD): 3 messages (basic), 100 % of the bytes\n"


def test_as_json_there_are_messages_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], capture: Path
) -> None:
    assert run(monkeypatch, "serial", "decode", capture, "--bms", "jbd", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["t"], one["voltage_v"]) for one in found] == [(0.1, 15.6), (1.1, 15.6), (2.1, 15.6)]


def test_statistics_are_told_to_people_and_to_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], capture: Path
) -> None:
    assert run(monkeypatch, "serial", "stats", capture) == 0
    out = capsys.readouterr().out
    assert "3 questions, 0 without an answer" in out
    assert "until the first byte, ms: p50 50.0, p99 50.0, max 50.0" in out
    assert run(monkeypatch, "serial", "stats", capture, "--json") == 0
    assert json.loads(capsys.readouterr().out)["complete"]["p50_ms"] == 100.0


def test_a_guess_is_told_with_its_reasons(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], capture: Path
) -> None:
    assert run(monkeypatch, "serial", "guess", capture, "--json") == 0
    (best,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (best["name"], best["explained"], best["messages"]) == ("jbd", 1.0, 3)


def test_what_nobody_understands_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "capture.txt"
    path.write_text("< 00 11 22\n")
    assert run(monkeypatch, "serial", "guess", path) == 1
    assert "is the baud rate right?" in capsys.readouterr().err
    assert run(monkeypatch, "serial", "decode", path) == 2
    assert "no codec fits. Name one: --bms NAME" in capsys.readouterr().err
    assert run(monkeypatch, "serial", "decode", path, "--bms", "jbd") == 1
    path.write_text("hello\n")
    assert run(monkeypatch, "serial", "stats", path) == 2
    assert "line 1: no chunk: hello" in (said := capsys.readouterr().err)
    assert "no line of it is a chunk" in said
    assert run(monkeypatch, "serial", "stats", tmp_path / "nothing") == 2
    assert "cannot be read" in capsys.readouterr().err


# Recording


@contextmanager
def spoken(*parts: bytes) -> Iterator[tuple[str, int]]:
    """A port on which somebody says this, again and again; and the other end of it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.05):
            for part in parts:
                os.write(master, part)
                time.sleep(0.06)

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        yield os.ttyname(slave), master
    finally:
        over.set()
        speaker.join()
        os.close(master)
        os.close(slave)


def test_what_passes_is_written_down_and_not_a_byte_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "heard.txt"
    with spoken(ASK, ANSWER) as (port, master):
        assert run(monkeypatch, "serial", "record", port, "--seconds", 1, "--out", path) == 0
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
    assert "chunks at 9600 baud" in capsys.readouterr().err
    heard = path.read_text()
    assert f"< {ANSWER.hex()}\n" in heard
    assert run(monkeypatch, "serial", "guess", path) == 0
    assert capsys.readouterr().out.startswith("jbd (JBD)")


def test_a_quiet_line_and_a_port_that_there_is_not_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with spoken() as (port, _):
        assert run(monkeypatch, "serial", "record", port, "--bms", "jk-pb", "--seconds", 0.3) == 1
    assert "0 chunks at 115200 baud" in capsys.readouterr().err
    assert run(monkeypatch, "serial", "record", "/dev/no-such-port", "--seconds", 0.3) == 1
    assert "/dev/no-such-port" in capsys.readouterr().err
    assert run(monkeypatch, "serial", "record", "ble:AA:BB:CC:DD:EE:FF") == 2


EPILOGS = (
    dump_serial.DECODE_EPILOG, dump_serial.STATS_EPILOG, dump_serial.GUESS_EPILOG, dump_serial.RECORD_EPILOG,
)  # fmt: skip


@pytest.mark.parametrize("words", [words for epilog in EPILOGS for words in examples(epilog)], ids=" ".join)
def test_the_examples_of_the_help_pages_work(
    monkeypatch: pytest.MonkeyPatch, capture: Path, words: list[str]
) -> None:
    monkeypatch.chdir(capture.parent)
    monkeypatch.setattr("sys.stdin", io.StringIO(capture.read_text()))
    if words[1] != "record":
        here = [{"jk-pb": "jbd"}.get(word, word) for word in words]
        assert run(monkeypatch, *here) == 0
        return
    with spoken(ANSWER) as (port, _):
        here = [{"/dev/ttyUSB0": port, "60": "0.5"}.get(word, word) for word in words]
        assert run(monkeypatch, *here, *([] if "--seconds" in here else ["--seconds", "0.5"])) == 0
