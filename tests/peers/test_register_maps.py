"""mbpoll (Debian: mbpoll) and minimalmodbus (PyPI) read what we pose as, over a pseudo-terminal.

What they must find is written here by hand from the documents: register and raw count, for every map.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from bridge.registers import maps
from bridge.responders import modbus, voltronic_lib
from bridge.responders.contract import Port, Responder
from tests.peers.battery_line import BatteryLine
from tests.responders.pictures import STOPPED, picture

MBPOLL = shutil.which("mbpoll")
needs_mbpoll = pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed (sudo apt install mbpoll)")
SERIAL = ["-m", "rtu", "-b", "9600", "-P", "none", "-0", "-1", "-q"]
HOLDING, INPUT = "4", "3"
CHARGE_W, POWER_W = 4632, 651  # 87.69 A and 12.34 A at 52.83 V
MINUS = 0x10000


@dataclass(frozen=True, slots=True)
class Found:
    """One read of a map, and what must stand in some of its registers."""

    map: str
    address: int
    kind: str
    start: int
    count: int
    words: dict[int, int]
    stopped: dict[int, int]


READS = [
    Found(
        "growatt-1xsxxp", 1, HOLDING, 0x13, 17,
        {0x13: 0x67, 0x15: 61, 0x16: 5283, 0x17: MINUS - 1234, 0x18: 21, 0x19: 8769, 0x21: 5527, 0x23: 12004},
        {0x13: 0x87, 0x19: 0, 0x23: 0, 0x14: 8},
    ),
    Found("pace", 1, HOLDING, 0, 37, {0: MINUS - 1234, 1: 5283, 2: 61, 5: 28000, 15: 3300}, {10: 0xC}),
    Found("pace", 1, HOLDING, 60, 55, {61: 55270, 69: 44810, 77: 87, 80: 120}, {77: 0, 80: 0}),
    Found(
        "epever", 4, INPUT, 0x3100, 40,
        {0x3100: 16, 0x3101: 5283, 0x3102: MINUS - 1234, 0x3103: 65192, 0x3104: 0, 0x3106: 61, 0x3127: 0},
        {0x3127: 0xC003},
    ),
    Found(
        "epever", 4, HOLDING, 0x9000, 21,
        {0x9001: 4481, 0x9002: 5527, 0x9005: 8769, 0x9007: 12004, 0x9014: 10}, {0x9005: 0, 0x9007: 0},
    ),
    Found("epever-box", 1, INPUT, 0x30FF, 41, {0x30FF: 1, 0x3101: 5283, 0x3106: 61}, {0x3127: 0xC003}),
    Found("epever-converter", 3, INPUT, 0x3100, 41, {0x3101: 5283, 0x3106: 61}, {0x3127: 0xC003}),
    Found(
        "byd-hvm", 21, HOLDING, 300, 24,
        {300: 3, 302: 130, 303: 6140, 305: 9081, 306: 6341, 307: CHARGE_W, 308: 528, 309: POWER_W + 1},
        {300: 0, 306: 0, 307: 0},
    ),
    Found("byd-hvm", 21, HOLDING, 100, 68, {100: 0x5349, 101: 1, 102: 0x4259, 103: 0x4400, 104: 0}, {}),
    Found("byd-hvm", 21, HOLDING, 200, 13, {202: 14792, 203: 40960, 205: 552, 206: 449}, {}),
    Found(
        "eg4-ll", 1, HOLDING, 0, 39,
        {0: 5283, 1: MINUS - 1234, 2: 3300, 22: 87, 24: 61, 36: 16}, {22: 0, 25: 4},
    ),
    Found(
        "seplos-v3", 1, INPUT, 0x1000, 18,
        {0x1000: 5283, 0x1001: MINUS - 1234, 0x1005: 614, 0x100D: 2685, 0x100F: 120, 0x1010: 87},
        {0x100F: 0, 0x1010: 0},
    ),
    Found(
        "felicity", 1, HOLDING, 0x1302, 60,
        {0x1302: 5, 0x1306: 5283, 0x1307: 123, 0x130B: 61, 0x131C: 5527, 0x131E: 876, 0x131F: 1200},
        {0x1302: 0, 0x131E: 0, 0x131F: 0},
    ),
]  # fmt: skip
each_read = pytest.mark.parametrize("found", READS, ids=lambda found: f"{found.map}-{found.start}")


def posing(name: str) -> Responder:
    return modbus.Responder(Port(None, modbus.Options(map=name)))


def polled(
    line: BatteryLine, found: Found, *, address: int | None = None, timeout_s: float = 5.0
) -> subprocess.CompletedProcess[str]:
    assert MBPOLL is not None
    slave = found.address if address is None else address
    where = ["-a", str(slave), "-r", str(found.start), "-c", str(found.count), "-t", found.kind]
    command = [MBPOLL, *SERIAL, *where, "-o", str(timeout_s), line.path]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def printed(told: subprocess.CompletedProcess[str]) -> dict[int, int]:
    lines = re.findall(r"^\[(\d+)\]:\s+(-?\d+)", told.stdout, re.MULTILINE)
    return {int(at): int(value) for at, value in lines}


def test_every_standard_map_is_read_here() -> None:
    standard = {name for name in maps.names() if maps.load(name).answers == "standard"}
    assert {found.map for found in READS} == standard


@needs_mbpoll
@each_read
def test_mbpoll_reads_what_was_decided(found: Found) -> None:
    with BatteryLine(posing(found.map), picture()) as line:
        words = printed(polled(line, found))
    assert len(words) == found.count
    assert {at: words[at] for at in found.words} == found.words


@needs_mbpoll
def test_mbpoll_is_told_of_registers_that_there_are_not_and_nothing_at_another_address() -> None:
    hole = Found("pace", 1, HOLDING, 0, 49, {}, {})
    with BatteryLine(posing("pace"), picture()) as line:
        assert "Illegal data address" in polled(line, hole).stderr
        assert "timed out" in polled(line, hole, address=2, timeout_s=0.2).stderr


@needs_mbpoll
def test_mbpoll_takes_no_answer_of_voltronics_for_modbus() -> None:
    """Which shows that they really are none: an inverter that speaks LIb would not take standard ones."""
    lib = voltronic_lib.Responder(Port(1, voltronic_lib.Options()))
    with BatteryLine(lib, picture()) as line:
        told = polled(line, Found("voltronic-lib", 1, HOLDING, 0x70, 5, {}, {}))
    assert printed(told) == {}
    assert "Invalid CRC" in told.stderr


@each_read
@pytest.mark.parametrize("stopped", [False, True])
def test_minimalmodbus_reads_what_was_decided(found: Found, stopped: bool) -> None:
    minimalmodbus = pytest.importorskip(
        "minimalmodbus", reason='minimalmodbus is not installed (pip install "packbridge[peers]")'
    )
    with BatteryLine(posing(found.map), picture(STOPPED if stopped else None)) as line:
        client = minimalmodbus.Instrument(line.path, found.address)
        client.serial.baudrate, client.serial.timeout = 115200, 5.0
        try:
            words = client.read_registers(found.start, found.count, 3 if found.kind == HOLDING else 4)
        finally:
            client.serial.close()
    expected = found.stopped if stopped else found.words
    assert {at: words[at - found.start] for at in expected} == expected


def test_minimalmodbus_may_write_what_a_gen24_writes() -> None:
    minimalmodbus = pytest.importorskip(
        "minimalmodbus", reason='minimalmodbus is not installed (pip install "packbridge[peers]")'
    )
    with BatteryLine(posing("byd-hvm"), picture()) as line:
        client = minimalmodbus.Instrument(line.path, 21)
        client.serial.baudrate, client.serial.timeout = 115200, 5.0
        try:
            client.write_registers(400, [1, 0x00FF, 60, 0, 0, 0x6650, 0x1234])
            client.write_register(401, 0xFF00, functioncode=6)
            assert client.read_registers(400, 7) == [1, 0xFF00, 60, 0, 0, 0x6650, 0x1234]
            client.serial.timeout = 1.0  # it waits for more than a refusal has
            with pytest.raises(minimalmodbus.IllegalRequestError):
                client.write_registers(306, [30000])
        finally:
            client.serial.close()
