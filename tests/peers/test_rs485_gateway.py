"""Programs of others in the place of inverters, at the running gateway: `packbridge run` as it is started.

One gateway reads one board and answers on five pairs at once. Each pair is two pseudo-terminals with a
cable between them: the gateway has one end open, the other program the other. Layouts are written down
here a second time, from the documents.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bridge.protocols.contract import Options, load
from tests.test_run import CELLS, LONG_S, Terminal, reading

TRIES = 5
MBPOLL = shutil.which("mbpoll")
PROFILES = {
    "growatt": "growatt-spf-rs485",
    "pace": "srne-wow",
    "epever": "epever-bms-link",
    "byd": "fronius-byd-rs485",
    "pylontech": "other-pylontech-rs485",
}
HEAD = """
[gateway]
state_dir = "{folder}/state"
control = "{folder}/control.sock"

[bank]
rise_after_s = 1
rise_pct_per_s = 100

[packs.only]
bms = "jbd"
port = "{board}"
cells = 16
capacity_ah = 100
rated_current_a = 100
"""
INVERTER = """
[inverters.{name}]
profile = "{profile}"
port = "{port}"
"""


class Cable(threading.Thread):
    """Two pseudo-terminals of which each hears what is said into the other."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        pairs = [os.openpty() for _ in range(2)]
        self._near, self._far = [near for near, _ in pairs], [far for _, far in pairs]
        for far in self._far:
            tty.setraw(far)
        self.ours, self.theirs = (os.ttyname(far) for far in self._far)
        self._closing = False
        self.start()

    def run(self) -> None:
        one, other = self._near
        while not self._closing:
            for fd in select.select([one, other], [], [], 0.05)[0]:
                os.write(other if fd == one else one, os.read(fd, 4096))

    def close(self) -> None:
        self._closing = True
        self.join()
        for fd in (*self._near, *self._far):
            os.close(fd)


@dataclass
class Gateway:
    cables: dict[str, Cable]
    control: Path

    def sent(self, name: str) -> dict[str, float]:
        """What an inverter was told last, by the gateway's own word."""
        return status(self.control)["inverters"][name]["sent"] or {}


def status(control: Path) -> Any:
    command = [sys.executable, "-m", "bridge", "status", "--json", "--socket", str(control)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def settled(control: Path) -> bool:
    limits = status(control).get("limits", {})
    return bool(limits) and limits["charge_current_limit_a"] > 40


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    device = load("jbd").device(Options(cells=CELLS))

    def board(chunk: bytes) -> bytes:
        return b"".join(one for one in device.receive(chunk, reading()) if isinstance(one, bytes))

    serial, cables = Terminal(board), {name: Cable() for name in PROFILES}
    text = HEAD.format(folder=folder, board=serial.path)
    for name, profile in PROFILES.items():
        text += INVERTER.format(name=name, profile=profile, port=cables[name].ours)
    config, control, errors = folder / "config.toml", folder / "control.sock", folder / "errors"
    config.write_text(text)
    with errors.open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "bridge", "run", str(config)], stderr=log)
    try:
        end_s = time.monotonic() + LONG_S
        while not settled(control):
            assert time.monotonic() < end_s, errors.read_text()
            assert process.poll() is None, errors.read_text()
            time.sleep(0.2)
        yield Gateway(cables, control)
    finally:
        process.kill()
        process.wait()
        serial.close()
        for cable in cables.values():
            cable.close()


@dataclass(frozen=True)
class Read:
    """A register that others read: of which map, from which slave, by which function, and what it is."""

    pair: str
    slave: int
    function: int
    at: int
    step: float
    what: str
    signed: bool = False


VOLTAGE, CURRENT, SOC = "voltage", "current", "soc"
CVL, CCL, DCL = "charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a"
READS = [
    Read("growatt", 1, 3, 0x15, 1, SOC),
    Read("growatt", 1, 3, 0x16, 0.01, VOLTAGE),
    Read("growatt", 1, 3, 0x17, 0.01, CURRENT, signed=True),
    Read("growatt", 1, 3, 0x19, 0.01, CCL),
    Read("growatt", 1, 3, 0x21, 0.01, CVL),
    Read("growatt", 1, 3, 0x23, 0.01, DCL),
    Read("pace", 1, 3, 0, 0.01, CURRENT, signed=True),
    Read("pace", 1, 3, 1, 0.01, VOLTAGE),
    Read("pace", 1, 3, 2, 1, SOC),
    Read("pace", 1, 3, 61, 0.001, CVL),
    Read("pace", 1, 3, 77, 1, CCL),
    Read("epever", 1, 4, 0x3101, 0.01, VOLTAGE),
    Read("epever", 1, 4, 0x3102, 0.01, CURRENT, signed=True),
    Read("epever", 1, 4, 0x3106, 1, SOC),
    Read("epever", 1, 3, 0x9002, 0.01, CVL),
    Read("epever", 1, 3, 0x9005, 0.01, CCL),
    Read("epever", 1, 3, 0x9007, 0.01, DCL),
    Read("byd", 21, 3, 303, 0.01, SOC),
    Read("byd", 21, 3, 308, 0.1, VOLTAGE),
]
every_read = pytest.mark.parametrize("read", READS, ids=lambda one: f"{one.pair}-{one.at:#x}-{one.what}")


def is_right(gateway: Gateway, read: Read, value: float) -> bool:
    """Whether a value is that of the board; of a limit: what the gateway says it told, or a step less."""
    told = {VOLTAGE: CELLS * 3.3, CURRENT: 5.0, SOC: 60.0}
    if read.what in told:
        return value == pytest.approx(told[read.what], abs=read.step)
    limit = gateway.sent(read.pair)[read.what]
    return 0 < value <= limit + 0.001 and value > limit - 2 * read.step - 0.01


T = TypeVar("T")


def again(ask: Callable[[], T], failure: type[Exception]) -> T:
    """What is asked, asked again if there was no answer, as every master does: on a machine with too much
    to do an answer that would be late is not given.
    """
    for _ in range(TRIES - 1):
        with suppress(failure):
            return ask()
    return ask()


@every_read
def test_minimalmodbus_reads_what_the_board_says_and_what_was_decided(gateway: Gateway, read: Read) -> None:
    minimalmodbus = pytest.importorskip("minimalmodbus", reason="minimalmodbus is not installed ('.[peers]')")
    client = minimalmodbus.Instrument(gateway.cables[read.pair].theirs, read.slave)
    client.serial.baudrate, client.serial.timeout = 9600, 1.0
    try:
        raw = again(
            lambda: client.read_register(read.at, functioncode=read.function, signed=read.signed),
            minimalmodbus.NoResponseError,
        )
    finally:
        client.serial.close()
    assert is_right(gateway, read, raw * read.step)


@every_read
def test_mbpoll_reads_the_same(gateway: Gateway, read: Read) -> None:
    if MBPOLL is None:
        pytest.skip("mbpoll is not installed (sudo apt install mbpoll)")
    kind = {3: "4", 4: "3"}[read.function]
    where = ["-a", str(read.slave), "-r", str(read.at), "-c", "1", "-t", kind]
    serial = ["-m", "rtu", "-b", "9600", "-P", "none", "-0", "-1", "-q", "-o", "2"]
    command = [MBPOLL, *serial, *where, gateway.cables[read.pair].theirs]
    done = again(
        lambda: subprocess.run(command, capture_output=True, text=True, timeout=30, check=True),
        subprocess.CalledProcessError,
    )
    found = re.search(r"^\[\d+\]:\s+(\d+)(?: \((-\d+)\))?", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    assert is_right(gateway, read, int((read.signed and found[2]) or found[1]) * read.step)


def test_python_pylontech_reads_the_bank(gateway: Gateway) -> None:
    pytest.importorskip("pylontech", reason="python-pylontech is not installed ('.[peers]')")
    client = importlib.import_module("pylontech.pylontech")
    battery = client.Pylontech(gateway.cables["pylontech"].theirs, 9600)
    battery.s.timeout = 0.5  # it waits for a line feed that no battery sends
    try:
        values = battery.get_values_single(2)
    finally:
        battery.s.close()
    assert list(values.CellVoltages) == [3.3] * CELLS
    assert (values.Voltage, values.Current) == (CELLS * 3.3, 5.0)
