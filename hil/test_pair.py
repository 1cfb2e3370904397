"""Two batteries' worth of gateways on a bus: a standby that takes over, and one that only listens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from hil.rig import Rig
from hil.stalls import Stalls
from hil.test_cycle import JITTER_S, PERIOD_S, WAIT_S, Bus, Heard, set_link
from hil.test_run import PACK, SETTINGS

PROGRAM = str(Path(sys.executable).with_name("packbridge"))
PRESENCE = 0x7F0
START_LATE_S = 0.5  # between two frames of cycles that two processes keep, emulated
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def bus(tmp_path: Path, native: Rig) -> Iterator[Bus]:
    made = Bus(tmp_path, native.peer)
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, native: Rig) -> Iterator[Start]:
    """Starts a gateway with a simulated pack of its own: name, what its file has more, options."""
    running: list[subprocess.Popen[str]] = []

    def begin(name: str, more: str = "", *options: str, stdout: int | None = None) -> subprocess.Popen[str]:
        port = tmp_path / name
        running.append(
            subprocess.Popen([PROGRAM, "sim", "pack", "--bms", "jbd", "--link", f"pty:{port}"], text=True)
        )
        config = tmp_path / f"{name}.toml"
        config.write_text(SETTINGS + native.inverter() + PACK.format(name=name, bms="jbd", port=port) + more)
        while not port.exists():
            time.sleep(0.1)
        running.append(subprocess.Popen([PROGRAM, "run", *options, str(config)], text=True, stdout=stdout))
        return running[-1]

    yield begin
    for one in running:
        one.send_signal(signal.SIGCONT)
        one.kill()
        one.communicate()


def role(name: str) -> str:
    return f'\n[redundancy]\nrole = "{name}"\n'


def parts(bus: Bus, last: int = 12) -> set[tuple[int, int]]:
    """(priority, part) of those who said lately who they are."""
    return {(frame.data[2], frame.data[1]) for frame in bus.heard(PRESENCE)[-last:]}


def until(wanted: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not wanted():
        assert time.monotonic() < end_s
        time.sleep(0.2)


def pair(bus: Bus, start: Start) -> subprocess.Popen[str]:
    first = start("one", role("active"))
    bus.wait(3)
    start("two", role("standby"))
    until(lambda: parts(bus) == {(200, 1), (100, 0)})
    return first


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    watched = Stalls()
    yield watched
    watched.close()


def even(limits: Sequence[Heard], stalls: Stalls) -> bool:
    """Whether a period lies between any two, but for what the machine stood still."""
    return all(
        abs(after.time_s - before.time_s - PERIOD_S)
        < JITTER_S + stalls.within_s(before.time_s - PERIOD_S, after.time_s)
        for before, after in pairwise(limits)
    )


def gap_s(bus: Bus, since_s: float, stalls: Stalls) -> float:
    """The longest between two cycles, without what the machine stood still in it."""
    times = [frame.time_s for frame in bus.heard(0x351) if frame.time_s > since_s - 2 * PERIOD_S]
    return max(after - before - stalls.within_s(before, after) for before, after in pairwise(times))


def test_a_standby_takes_over_within_two_periods_of_a_kill(bus: Bus, start: Start, stalls: Stalls) -> None:
    first = pair(bus, start)
    count = len(bus.heard(0x351))
    assert even(bus.wait(count + 5)[count:], stalls)
    killed_s = time.time()
    first.kill()
    count = len(bus.heard(0x351))
    bus.wait(count + 4)
    assert parts(bus, 4) == {(100, 1)}
    assert gap_s(bus, killed_s, stalls) < 2 * PERIOD_S + START_LATE_S


def test_a_stopped_gateway_that_wakes_up_leaves_the_cycle_to_the_standby(
    bus: Bus, start: Start, stalls: Stalls
) -> None:
    first = pair(bus, start)
    first.send_signal(signal.SIGSTOP)
    until(lambda: parts(bus, 4) == {(100, 1)})
    first.send_signal(signal.SIGCONT)
    until(lambda: (200, 0) in parts(bus, 4))
    count = len(bus.heard(0x351))
    assert even(bus.wait(count + 8)[count + 2 :], stalls)


def test_in_shadow_mode_a_played_log_is_compared_and_no_frame_is_added(
    bus: Bus, start: Start, native: Rig, tmp_path: Path
) -> None:
    """The log is made by hand: a Pylontech pack with 26 % charge, where ours has 50 %."""
    frames = {0x351: "14 02 74 0E 74 0E CC 01", 0x355: "1A 00 64 00", 0x356: "4E 13 02 03 04 05"}
    log = tmp_path / "battery.log"
    lines = [
        f"({1000 + number / 10:.6f}) {native.peer.channel} {can_id:03X}#{data.replace(' ', '')}"
        for number, (can_id, data) in enumerate(frames.items())
    ]
    log.write_text("\n".join(lines) + "\n")
    player = subprocess.Popen(["canplayer", "-l", "i", "-I", str(log)])
    try:
        gateway = start("one", "", "--shadow", "--json", stdout=subprocess.PIPE)
        assert gateway.stdout is not None
        said = [json.loads(gateway.stdout.readline())]
        while said[-1].get("signal") != "soc_pct":
            said.append(json.loads(gateway.stdout.readline()))
        time.sleep(4 * PERIOD_S)
        gateway.terminate()
        output, _ = gateway.communicate(timeout=WAIT_S)
    finally:
        player.kill()
        player.wait()
    assert gateway.returncode == 0
    assert {(frame.can_id, frame.data) for frame in bus.heard()} == {
        (can_id, bytes.fromhex(data)) for can_id, data in frames.items()
    }
    row = next(
        one for one in json.loads(output.splitlines()[-1])["inverters"]["house"] if one["signal"] == "soc_pct"
    )
    assert (row["theirs"], row["differs"]) == (26, True)


def test_the_doctor_sees_the_interface_and_what_is_wrong_with_it(native: Rig, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    port = tmp_path / "none"
    config.write_text(SETTINGS + native.inverter() + PACK.format(name="p0", bms="jbd", port=port))
    told = subprocess.run(
        [PROGRAM, "doctor", "--json", str(config)], capture_output=True, text=True, check=False
    )
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 1
    (can,) = [one for one in found if one["check"] == "can_interface"]
    assert (can["verdict"], can["saw"].split()[0].rstrip(";")) == ("ok", "up")
    set_link(native.gateway, "down")
    try:
        told = subprocess.run([PROGRAM, "doctor", str(config)], capture_output=True, text=True, check=False)
    finally:
        set_link(native.gateway, "up")
    assert f"{native.gateway.channel}: the interface is down" in told.stdout
