"""The cycle on the bus: `packbridge run` at one end, candump with kernel time stamps at the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from hil.rig import End, Rig
from hil.test_run import PACK, SETTINGS

PERIOD_S, DEAD_MAN_S = 1.0, 3.0  # of the profile deye-lv
JITTER_S = 0.15  # an emulated machine on a busy host; a cycle lost would be a second
WAIT_S = 600.0  # two gateways start on an emulated processor that others use too


class Heard(NamedTuple):
    """One frame as candump -L tells it."""

    time_s: float
    can_id: int
    data: bytes


class Bus:
    """What candump writes down, until its interface goes down."""

    def __init__(self, folder: Path, end: End, name: str = "candump.log") -> None:
        self._file = folder / name
        listen = [sys.executable, "-m", "hil.listen", end.interface, end.channel, str(end.bitrate)]
        with self._file.open("wb") as file:
            command = ["candump", "-L", end.channel] if end.native else listen
            self._process = subprocess.Popen(command, stdout=file)

    def heard(self, can_id: int | None = None) -> list[Heard]:
        lines = re.findall(r"\((\d+\.\d+)\) \S+ ([0-9A-F]+)#([0-9A-F]*)\n", self._file.read_text())
        found = [Heard(float(at), int(name, 16), bytes.fromhex(data)) for at, name, data in lines]
        return [one for one in found if can_id is None or one.can_id == can_id]

    def wait(self, count: int, can_id: int = 0x351) -> list[Heard]:
        """What was heard of one identifier once there is so much of it."""
        end_s = time.monotonic() + WAIT_S
        while len(self.heard(can_id)) < count:
            assert time.monotonic() < end_s, self._file.read_text()
            time.sleep(0.2)
        return self.heard(can_id)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def bus(tmp_path: Path, rig: Rig) -> Iterator[Bus]:
    made = Bus(tmp_path, rig.peer)
    yield made
    made.close()


@pytest.fixture
def gateway(tmp_path: Path, rig: Rig) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway with a simulated JBD pack on a pseudo-terminal."""
    program, port = str(Path(sys.executable).with_name("packbridge")), tmp_path / "pack"
    pack = subprocess.Popen([program, "sim", "pack", "--bms", "jbd", "--link", f"pty:{port}"])
    config = tmp_path / "config.toml"
    config.write_text(SETTINGS + rig.inverter() + PACK.format(name="p0", bms="jbd", port=port))
    while not port.exists():
        time.sleep(0.1)
    process = subprocess.Popen([program, "run", str(config)])
    yield process
    for one in (process, pack):
        one.kill()
        one.wait()


def intervals_s(frames: Sequence[Heard]) -> list[float]:
    return [after.time_s - before.time_s for before, after in pairwise(frames)]


def silent_since_s(bus: Bus) -> float:
    """Waits until nothing comes any more; how long after now the last frame was heard."""
    begin_s, count = time.time(), -1
    while len(bus.heard()) != count:
        count = len(bus.heard())
        time.sleep(2 * PERIOD_S)
    return bus.heard()[-1].time_s - begin_s


def set_link(end: End, state: str) -> None:
    """Up or down, as root only may."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to set an interface down")
    subprocess.run(["ip", "link", "set", end.channel, state], check=True)


def test_every_frame_has_its_period_and_the_order_stays(
    bus: Bus, gateway: subprocess.Popen[bytes], rig: Rig
) -> None:
    limits = bus.wait(12)[2:]
    assert all(abs(gap - PERIOD_S) < JITTER_S for gap in intervals_s(limits))
    begun = [frame for frame in bus.heard() if frame.time_s >= limits[0].time_s]
    names = [frame.can_id for frame in begun]
    cycle = len(set(names))
    assert all(names[at] == names[at % cycle] for at in range(len(names)))
    if rig.gateway.native:  # the kernel spreads them over the period
        assert all(gap > PERIOD_S / cycle / 4 for gap in intervals_s(begun))


def test_a_stopped_gateway_falls_silent_by_itself_and_goes_on_when_it_wakes(
    bus: Bus, gateway: subprocess.Popen[bytes]
) -> None:
    bus.wait(5)
    gateway.send_signal(signal.SIGSTOP)
    assert silent_since_s(bus) < DEAD_MAN_S + JITTER_S
    before = len(bus.heard(0x351))
    gateway.send_signal(signal.SIGCONT)
    bus.wait(before + 2)


def test_a_killed_gateway_is_silent_at_once(bus: Bus, gateway: subprocess.Popen[bytes]) -> None:
    bus.wait(5)
    gateway.kill()
    assert silent_since_s(bus) < JITTER_S


def test_an_ended_gateway_says_zero_in_one_last_cycle(bus: Bus, gateway: subprocess.Popen[bytes]) -> None:
    bus.wait(5)
    gateway.terminate()
    assert gateway.wait(WAIT_S) == 0
    time.sleep(PERIOD_S)
    assert bus.heard(0x351)[-1].data[2:6] == bytes(4)
    assert bus.heard(0x35C)[-1].data[0] & 0xC0 == 0


def test_a_busy_processor_and_a_flooded_bus_cost_no_cycle(
    bus: Bus, gateway: subprocess.Popen[bytes], native: Rig
) -> None:
    bus.wait(3)
    flood = subprocess.Popen(["cangen", native.peer.channel, "-g", "1", "-I", "100"])
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        count = len(bus.heard(0x351))
        limits = bus.wait(count + 10)[count:]
    finally:
        for one in (flood, spin):
            one.kill()
            one.wait()
    assert all(gap < 1.5 * PERIOD_S for gap in intervals_s(limits))


def test_an_interface_that_goes_down_and_up_is_served_again(
    bus: Bus, gateway: subprocess.Popen[bytes], native: Rig, tmp_path: Path
) -> None:
    bus.wait(3)
    set_link(native.gateway, "down")
    time.sleep(2 * PERIOD_S)
    set_link(native.gateway, "up")
    later = Bus(tmp_path, native.peer, "later.log")
    later.wait(3)
    later.close()
