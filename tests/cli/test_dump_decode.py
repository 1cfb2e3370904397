"""`packbridge dump decode`, `stats` and `record` as a user runs them, and the examples of their pages."""

from __future__ import annotations

import gzip
import importlib.util
import io
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import can
import pyarrow.parquet as pq
import pytest

from bridge.cli import dump_decode, dump_record, dump_stats
from tests.cli.dumping import examples, run

START_S = 1_700_000_000
CYCLE = (
    "351#3002E803DC05CC01",
    "355#39006300",
    "356#C01485FFEA00",
    "359#0000000001504E",
    "35E#50594C4F4E202020",
)


def written(path: Path, seconds: int = 200) -> Path:
    """A rack that says the same each second, but for an alarm at 100 s and a silence of limits at 150 s."""
    lines = []
    for second in range(seconds):
        for number, frame in enumerate(CYCLE):
            said = frame.replace("359#00", "359#02") if 100 <= second < 105 else frame
            if not (150 <= second < 160 and number == 0):
                lines.append(f"({START_S + second}.{number:02d}0000) can0 {said}\n")
    path.write_text("".join(lines))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the logs that the examples speak of."""
    written(tmp_path / "dump.log")
    (tmp_path / "month.log.gz").write_bytes(gzip.compress((tmp_path / "dump.log").read_bytes()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


PAGES = {"decode": dump_decode.EPILOG, "stats": dump_stats.EPILOG, "record": dump_record.EPILOG}


@pytest.mark.parametrize(
    "words",
    [words for page in PAGES.values() for words in examples(page) if "--interface" not in words],
    ids=" ".join,
)
@pytest.mark.usefixtures("folder")
def test_the_examples_of_the_help_pages_run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, *words) == 0


def test_every_page_has_examples() -> None:
    assert {name: len(examples(page)) >= 2 for name, page in PAGES.items()} == dict.fromkeys(PAGES, True)


@pytest.mark.usefixtures("folder")
def test_json_has_a_line_a_frame(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "decode", "dump.log", "--profile", "deye-lv", "--json") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 200 * 5 - 10
    assert records[1] == {
        "t": START_S + 0.01, "channel": "can0", "id": "355", "data": "39006300",
        "message": "state_of_charge", "dialects": ["pylontech-lv"], "signals": {"soc_pct": 57, "soh_pct": 99},
    }  # fmt: skip


def test_standard_input_is_shown_with_meanings_and_broken_lines_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = b" can0  355   [4]  39 00 63 00\nwhat is this\n can0  123   [1]  11\n"
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": io.BytesIO(log)}))
    assert run(monkeypatch, "decode", "--dialect", "pylontech-lv") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "can0 355#39006300  :: state_of_charge: soc_pct 57 %, soh_pct 99 %",
        "can0 123#11",
    ]
    assert err == "stdin:2: what is this: no frame\n"


def test_all_broken_lines_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text("rubbish\n" * 25)
    assert run(monkeypatch, "decode", tmp_path / "log") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "and 15 more lines that are no frames"


@pytest.mark.usefixtures("folder")
def test_only_changes_of_a_time_and_an_identifier_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--dialect", "pylontech-lv", "--changes", "--since", "90s", "--until", "3m", "--id", "359")
    assert run(monkeypatch, "decode", "dump.log", *words) == 0
    first, raised, cleared = capsys.readouterr().out.splitlines()
    assert first.endswith("no alarms, module_count 1, pn_marker 20048")
    assert raised.endswith(":: alarms: ALARMS protection_overvoltage")
    assert cleared.endswith(":: alarms: no alarms")


@pytest.mark.usefixtures("folder")
def test_the_picture_at_a_time_says_how_old_each_part_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "decode", "dump.log", "--dialect", "pylontech-lv", "--at", "155s") == 0
    limits, soc, *_ = capsys.readouterr().out.splitlines()
    assert limits.startswith("    6.000 s ago  (1700000149.000000) can0 351#3002E803DC05CC01  :: limits: ")
    assert soc.startswith("    0.990 s ago  (1700000154.010000) can0 355#")


def test_tables_are_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "decode", "dump.log", "--profile", "deye-lv", "--parquet", "x.parquet") == 0
    assert pq.read_table(folder / "x.parquet").num_rows == 990
    assert run(monkeypatch, "decode", "dump.log", "--profile", "deye-lv", "--csv", "x.csv") == 0
    assert len((folder / "x.csv").read_text().splitlines()) == 991


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["decode", "nothing.log"], "nothing.log: cannot be read: No such file or directory"),
        (["decode", "dump.log", "--dialect", "pylontec-lv"], 'Did you mean "pylontech-lv"?'),
        (["decode", "dump.log", "--profile", "nobody"], "unknown profile 'nobody'"),
        (["decode", "dump.log", "--form", "text"], "unknown form 'text'; known: candump,"),
        (["decode", "dump.log", "--since", "noon"], "'noon' is no time"),
        (["stats", "dump.log", "--id", "35G"], "'35G' is no identifier"),
        (["decode", "dump.log", "--csv", "x", "--parquet", "y"], "one at a time"),
        (["decode", "dump.log", "--csv", "no/where.csv"], "cannot be written"),
        (["record", "dump.log", "--on-alarm"], "name a --profile or --dialect"),
        (["record", "dump.log", "--on-gap", "3"], "--on-gap: found 3; write a time with its unit"),
        (["record", "dump.log", "--keep", "1k"], "--file-size: found 10000000 bytes"),
        (["record", "dump.log", "--prefix", "../x"], "--prefix: found '../x'"),
        (["record", "dump.log", "--file-size", "ten"], "write a size with its unit"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_asked_wrongly_is_said_in_a_sentence(
    words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_statistics_name_periods_and_load(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "stats", "dump.log") == 0
    summary, head, limits, *_ = capsys.readouterr().out.splitlines()
    assert summary.startswith("can0: 990 frames, in 199.0 s, load 0.")
    assert head.split() == ["id", "count", "bytes", "share", "period", "p99", "least", "most", "jitter"]
    assert limits.split()[:3] == ["351", "190", "8"]
    assert "11.0 s" in limits
    assert run(monkeypatch, "stats", "dump.log", "--json") == 0
    assert json.loads(capsys.readouterr().out)["ids"][0]["period_p50_s"] == 1.0


def test_events_are_cut_out_of_a_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--on-gap", "3s", "--on-alarm", "--dialect", "pylontech-lv", "--pre", "5s", "--post", "10s")
    assert run(monkeypatch, "record", "dump.log", "--to", "events", *words) == 0
    assert [path.name for path in sorted((folder / "events").iterdir())] == [
        "dump-20231114T221455Z-alarm.log",
        "dump-20231114T221547Z-gap.log",
    ]
    assert capsys.readouterr().err.splitlines() == [
        "(1700000100.030000) alarm: 359 protection_overvoltage",
        "(1700000152.000000) gap: 351 silent for 3 s",
        "142 frames recorded",
    ]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus with a frame each second without an end; after ten somebody presses Ctrl-C."""

    def heard(*_: object) -> Iterator[can.Message]:
        for second in itertools.count():
            if second == 10:
                signal.raise_signal(signal.SIGINT)
            yield can.Message(
                timestamp=START_S + second, arbitration_id=0x355, is_extended_id=False,
                data=bytes.fromhex("39006300"), channel="can0",
            )  # fmt: skip

    monkeypatch.setattr("bridge.links.listening.listen", heard)
    monkeypatch.setattr("bridge.dump.live.BLOCK_FRAMES", 2)


@pytest.mark.usefixtures("bus")
def test_a_bus_is_decoded_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--interface", "socketcan", "--channel", "can0", "--profile", "deye-lv", "--since", "8s")
    assert run(monkeypatch, "decode", *words) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"({START_S + second}.000000) can0 355#39006300  :: state_of_charge: soc_pct 57 %, soh_pct 99 %"
        for second in (8, 9, 10, 11)
    ]
    assert err.strip() == ""


@pytest.mark.usefixtures("bus")
def test_a_bus_is_counted_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "stats", "--interface", "socketcan") == 0
    assert capsys.readouterr().out.startswith("can0: 12 frames, in 11.0 s, load ")


@pytest.mark.usefixtures("bus")
def test_a_bus_is_recorded_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "record", "--interface", "socketcan", "--to", tmp_path) == 0
    (path,) = tmp_path.iterdir()
    assert path.read_text().splitlines() == [f"({START_S + n}.000000) can0 355#39006300" for n in range(12)]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("missing", "words"), [("numpy", ["decode"]), ("numpy", ["stats"]), ("pyarrow", ["decode", "--csv", "x"])]
)
def test_a_missing_extra_is_named(
    missing: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == missing else find(name, *more)
    )
    assert run(monkeypatch, *words, "dump.log") == 2
    assert f"{missing}: pip install 'packbridge[dump]'" in capsys.readouterr().err


def test_nothing_is_said_if_the_reader_goes_away(tmp_path: Path) -> None:
    log = written(tmp_path / "dump.log", 2000)
    command = [sys.executable, "-m", "bridge", "dump", "decode", str(log), "--dialect", "pylontech-lv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait()
        assert process.stderr.read() == b""


def test_help_is_quick_to_show() -> None:
    code = "import sys, bridge.cli.main; print({'numpy', 'pyarrow', 'can'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
