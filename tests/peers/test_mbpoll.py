"""The program mbpoll (Debian: mbpoll) reads our simulated JK board by Modbus RTU, over a pseudo-terminal."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from bridge.protocols import jk_modbus
from bridge.protocols.contract import Options
from tests.peers.line import Line
from tests.protocols.daly_packs import PACK

MBPOLL = shutil.which("mbpoll")
pytestmark = pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed (sudo apt install mbpoll)")

WORDS, LONGS = ["-t", "4"], ["-t", "4:int", "-B"]
SERIAL = ["-m", "rtu", "-b", "115200", "-P", "none", "-0", "-1", "-q"]
ADDRESS = 3


def polled(
    start: int, count: int, kind: list[str], address: int = ADDRESS, timeout_s: float = 5.0
) -> subprocess.CompletedProcess[str]:
    """The program's run, asking `address` for registers of the board at ADDRESS."""
    assert MBPOLL is not None
    where = ["-a", str(address), "-r", str(start), "-c", str(count), *kind]
    with Line(jk_modbus.Device(Options(address=ADDRESS)), PACK) as line:
        command = [MBPOLL, *SERIAL, "-o", str(timeout_s), *where, line.path]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def values(start: int, count: int, kind: list[str]) -> list[int]:
    """The numbers that it prints, in their order."""
    return [
        int(number)
        for number in re.findall(r"^\[\d+\]:\s+(-?\d+)", polled(start, count, kind).stdout, re.MULTILINE)
    ]


def test_it_reads_the_cells() -> None:
    assert values(0x1200, 16, WORDS) == [round(volts * 1000) for volts in PACK["cell_voltages_v"] if volts]


def test_it_reads_voltage_and_a_current_below_zero() -> None:
    assert values(0x1290, 1, LONGS) == [53_100]
    assert values(0x1298, 1, LONGS) == [-12_300]


def test_a_register_that_there_is_not_is_refused_as_modbus_wants_it() -> None:
    told = polled(0x0000, 1, WORDS)
    assert told.returncode == 1
    assert "Illegal data address" in told.stderr


def test_another_address_is_not_answered() -> None:
    assert "timed out" in polled(0x1200, 1, WORDS, address=4, timeout_s=0.2).stderr
