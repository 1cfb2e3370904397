"""`sim pack`, `read`, `scan` and `init` as processes on real pseudo-terminals, against each other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKBRIDGE = [sys.executable, "-m", "bridge"]
LONG_S = 60.0
SERIAL = {
    "jbd": 9600,
    "jbd-up16s": 9600,
    "daly-a5": 9600,
    "daly-d2": 9600,
    "daly-p81": 9600,
    "jk-nw": 115200,
    "jk-pb": 115200,
    "jk-modbus": 115200,
    "pylontech-rs485": 115200,
}


@contextmanager
def simulated(link: Path, *extra: str) -> Iterator[str]:
    """A simulated pack behind a path, for as long as the block lasts."""
    command = [*PACKBRIDGE, "sim", "pack", "--link", f"pty:{link}", "--cells", "8", "--soc", "0.6", *extra]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(link)
        yield str(link)
    finally:
        process.terminate()
        process.communicate(timeout=LONG_S)


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PACKBRIDGE, *arguments], input=text, capture_output=True, text=True, timeout=LONG_S, check=False
    )


def records(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("bms", SERIAL)
def test_a_pack_of_every_serial_protocol_is_read(bms: str, tmp_path: Path) -> None:
    with simulated(tmp_path / "pack", "--bms", bms) as port:
        ended = run("read", port, "--bms", bms, "--json")
    (one,) = records(ended)
    assert ended.returncode == 0, ended.stderr
    assert (one["bms"], one["baudrate"], len(one["cell_voltages_v"])) == (bms, SERIAL[bms], 8)
    assert one["soc_pct"] == pytest.approx(60, abs=1)
    assert one["voltage_v"] == pytest.approx(sum(one["cell_voltages_v"]), abs=0.2)


def test_scan_finds_packs_of_several_makers_and_all_addresses_of_a_wire(tmp_path: Path) -> None:
    with (
        simulated(tmp_path / "one", "--bms", "jbd") as one,
        simulated(tmp_path / "two", "--bms", "jk-pb", "--count", "2") as two,
        simulated(tmp_path / "three", "--bms", "daly-a5") as three,
    ):
        ended = run("scan", "--ports", f"{one},{two},{three}", "--seconds", "40", "--json")
    assert {(record["port"], record["bms"], record["address"]) for record in records(ended)} == {
        (one, "jbd", None),
        (two, "jk-pb", 1),
        (two, "jk-pb", 2),
        (three, "daly-a5", 1),
    }


def test_scan_writes_a_file_once_and_leaves_daly_ratings_to_a_person(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    with simulated(tmp_path / "pack", "--bms", "daly-a5") as port:
        arguments = ("scan", "--ports", port, "--bms", "daly-a5", "--seconds", "20", "--write", str(config))
        assert run(*arguments).returncode == 0
        again = run(*arguments)
    assert again.returncode == 2
    assert "--force" in again.stderr
    checked = run("check", "--no-ports", str(config))
    assert checked.returncode == 2
    assert "rated_current_a" in checked.stderr


@pytest.mark.parametrize("fault", ["noise", "truncate", "checksum", "dead"])
def test_a_pack_that_gives_no_usable_answer_is_not_found(fault: str, tmp_path: Path) -> None:
    with simulated(tmp_path / "pack", "--bms", "jbd", "--fault", fault) as port:
        ended = run("read", port, "--bms", "jbd", "--timeout", "3")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "no pack was found" in ended.stderr


def test_a_sleeping_pack_is_woken(tmp_path: Path) -> None:
    with simulated(tmp_path / "pack", "--bms", "jbd", "--fault", "asleep") as port:
        ended = run("read", port, "--bms", "jbd", "--json")
    assert records(ended)[0]["soc_pct"] == 60


def test_init_asks_finds_writes_and_checks(tmp_path: Path) -> None:
    config = tmp_path / "bank.toml"
    # inverter, bus, cells, chemistry; then of the pack: name, capacity, ratings for both ways, fuse
    answers = "deye-lv\ncan0\n8\nlfp\n\n100\n50\n50\n60\n"
    with simulated(tmp_path / "pack", "--bms", "jbd") as port:
        ended = run("init", "--ports", port, "--seconds", "20", str(config), text=answers)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = config.read_text()
    assert f'port = "{port}"' in written
    assert "rated_charge_current_a = 50" in written
    assert run("check", "--no-ports", str(config)).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "/dev/null", "--bms", "jdb"),
        ("read", "can:can0", "--bms", "jbd"),
        ("sim", "pack", "--bms", "jbd", "--cells", "99"),
        ("sim", "pack", "--bms", "jbd", "--fault", "moody"),
    ],
)
def test_misuse_ends_with_2_and_a_sentence(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.strip()


def test_simulated_packs_leave_when_they_are_told_to(tmp_path: Path) -> None:
    link = tmp_path / "pack"
    with simulated(link, "--bms", "jbd"):
        assert link.exists()
    end_s = time.monotonic() + LONG_S
    while link.is_symlink() and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not link.is_symlink()
