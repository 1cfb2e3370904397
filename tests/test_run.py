"""`packbridge run` as its user starts it: a process of its own between a board and a CAN adapter.

The board is a pseudo-terminal that answers in JBD's bytes. The adapter is another one that speaks SLCAN,
as cheap USB adapters do, so every frame is read here as text that python-can's own driver wrote.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge.model import Reading
from bridge.protocols.contract import Options, load

CELLS = 16
LONG_S = 60.0  # far more than anything here takes on a busy machine
POLL_S = 0.02

CONFIG = """
[gateway]
log_format = "json"
state_dir = "{state}"
control = "{control}"

[bank]
rise_after_s = 1
rise_pct_per_s = 100

[packs.only]
bms = "jbd"
port = "{board}"
cells = 16
capacity_ah = 100
rated_current_a = 100

[inverters.house]
profile = "deye-lv"
interface = "slcan"
channel = "{adapter}"
"""


def reading() -> Reading:
    return Reading(
        voltage_v=CELLS * 3.3, current_a=5.0, soc_pct=60, remaining_ah=60.0, full_ah=100.0,
        design_ah=100.0, cycles=10, cell_count=CELLS, cell_voltages_v=(3.3,) * CELLS,
        temperatures_c=(25.0, 25.0), charge_fet_on=True, discharge_fet_on=True, balancing=False,
        protections=frozenset(), warnings=frozenset(),
    )  # fmt: skip


class Terminal(threading.Thread):
    """The near end of a pseudo-terminal, served by a thread until it is closed."""

    def __init__(self, serve: Callable[[bytes], bytes]) -> None:
        super().__init__(daemon=True)
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)
        self._serve = serve
        self._closing = False
        self.start()

    def run(self) -> None:
        while not self._closing:
            if select.select([self._near], [], [], 0.05)[0] and (
                answer := self._serve(os.read(self._near, 4096))
            ):
                os.write(self._near, answer)
            if said := self.idle():
                os.write(self._near, said)

    def idle(self) -> bytes:
        """What is said without being asked; asked for many times a second."""
        return b""

    def close(self) -> None:
        self._closing = True
        self.join()
        os.close(self._near)
        os.close(self._far)


@dataclass
class Adapter:
    """An SLCAN adapter that acknowledges every command and keeps the frames that it is told to send."""

    frames: list[tuple[float, int, bytes]] = field(default_factory=list)
    _line: str = ""

    def serve(self, chunk: bytes) -> bytes:
        *lines, self._line = (self._line + chunk.decode("ascii")).split("\r")
        for line in lines:
            if found := re.fullmatch(r"t([0-9A-Fa-f]{3})(\d)([0-9A-Fa-f]*)", line):
                self.frames.append((time.monotonic(), int(found[1], 16), bytes.fromhex(found[3])))
        return b"\r" * len(lines)

    def last(self, can_id: int) -> bytes:
        return next((data for _, one, data in reversed(self.frames) if one == can_id), b"")

    def permits(self) -> bool:
        """Whether the last whole cycle lets current flow in both directions."""
        return min(self.limits_a()) > 40 and self.last(0x35C)[:1] == b"\xc0"

    def limits_a(self) -> tuple[float, float]:
        data = self.last(0x351)
        return int.from_bytes(data[2:4], "little") / 10, int.from_bytes(data[4:6], "little") / 10


@dataclass
class Bench:
    process: subprocess.Popen[str]
    adapter: Adapter
    board_silent: threading.Event
    control: Path

    def until(self, wanted: Callable[[], bool]) -> None:
        end_s = time.monotonic() + LONG_S
        while not wanted():
            assert time.monotonic() < end_s, f"{self.adapter.frames[-8:]}"
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(POLL_S)

    def silent_for(self, seconds: float) -> bool:
        last_s = self.adapter.frames[-1][0]
        return time.monotonic() - last_s > seconds


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    device, silent, adapter = load("jbd").device(Options(cells=CELLS)), threading.Event(), Adapter()

    def board(chunk: bytes) -> bytes:
        answers = device.receive(chunk, reading())
        return b"" if silent.is_set() else b"".join(one for one in answers if isinstance(one, bytes))

    serial, can = Terminal(board), Terminal(adapter.serve)
    config = tmp_path / "config.toml"
    control, state = tmp_path / "control.sock", tmp_path / "state"
    config.write_text(CONFIG.format(board=serial.path, adapter=can.path, state=state, control=control))
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "run", str(config)], stderr=subprocess.PIPE, text=True
    )
    try:
        yield Bench(process, adapter, silent, control)
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()
        serial.close()
        can.close()


def test_sigterm_ends_with_a_last_cycle_of_no_current_and_exit_code_0(bench: Bench, tmp_path: Path) -> None:
    bench.until(bench.adapter.permits)
    bench.process.send_signal(signal.SIGTERM)
    assert bench.process.wait(LONG_S) == 0
    assert [can_id for _, can_id, _ in bench.adapter.frames[-6:]] == [
        0x351,
        0x355,
        0x356,
        0x359,
        0x35C,
        0x35E,
    ]
    assert bench.adapter.limits_a() == (0, 0)
    assert bench.adapter.last(0x35C)[0] & 0xC0 == 0
    assert json.loads((tmp_path / "state" / "packbridge.json").read_text())["state"]["charge"]


def test_a_gateway_that_hangs_or_dies_falls_silent_by_itself(bench: Bench) -> None:
    bench.until(bench.adapter.permits)
    bench.process.send_signal(signal.SIGSTOP)
    bench.until(lambda: bench.silent_for(2.5))
    bench.process.send_signal(signal.SIGCONT)
    bench.until(lambda: not bench.silent_for(0.5))
    bench.process.send_signal(signal.SIGKILL)
    assert bench.process.wait(LONG_S) == -signal.SIGKILL
    count = len(bench.adapter.frames)
    time.sleep(1.5)  # more than a period, in which a frame would show
    assert len(bench.adapter.frames) == count


def test_a_board_that_falls_silent_takes_the_inverter_to_zero(bench: Bench) -> None:
    bench.until(bench.adapter.permits)
    bench.board_silent.set()
    bench.until(lambda: bench.adapter.last(0x35C)[:1] == b"\x00")
    assert bench.adapter.limits_a() == (0, 0)
    bench.until(lambda: bool(bench.adapter.last(0x359)[3] & 0x08))
    bench.until(lambda: not bench.silent_for(1.5))


def packbridge(bench: Bench, *arguments: str) -> str:
    """What another shell prints."""
    command = [sys.executable, "-m", "bridge", *arguments, "--socket", str(bench.control)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_shell_is_told_why_and_may_lower_a_limit(bench: Bench) -> None:
    bench.until(bench.adapter.permits)
    (told,) = json.loads(packbridge(bench, "why", "ccl", "--json"))
    assert told["value"] == pytest.approx(bench.adapter.limits_a()[0], abs=1)
    packbridge(bench, "lease", "ccl", "7", "--ttl", "1m", "--reason", "test")
    bench.until(lambda: bench.adapter.limits_a()[0] == 7.0)
    (told,) = json.loads(packbridge(bench, "why", "ccl", "--json"))
    assert told["constraints"][0]["rule"] == "lease"


def test_the_control_socket_goes_with_the_gateway(bench: Bench) -> None:
    bench.until(bench.adapter.permits)
    assert bench.control.is_socket()
    bench.process.send_signal(signal.SIGTERM)
    assert bench.process.wait(LONG_S) == 0
    assert not bench.control.exists()
