"""`packbridge run` between Bluetooth packs and an inverter's CAN bus, all of it real but the hardware."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import can
import pytest

from hil.conftest import Air, Pack
from hil.rig import GUEST

PATIENCE_S = 600.0
LIMITS, CHARGE, MEASURED, ALLOWED = 0x351, 0x355, 0x356, 0x35C
RATED_A = 50

SETTINGS = f"""
[gateway]
log_format = "json"

[bank]
rise_after_s = 1
rise_pct_per_s = 100
join_s = 1

[pack]
cells = 16
capacity_ah = 100
rated_current_a = {RATED_A}
lost_after_s = 8
"""
PACK = """
[packs.{name}]
bms = "{bms}"
port = "{port}"
"""


@dataclass
class Gateway:
    """A running gateway, what it logs, and what the inverter hears of it."""

    process: subprocess.Popen[bytes]
    bus: can.BusABC
    log: Path
    last: dict[int, bytes]

    def until(self, wanted: Callable[[], bool]) -> None:
        """Hear frames until something holds."""
        end_s = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < end_s, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            self.hear()

    def hear(self) -> None:
        frame = self.bus.recv(0.2)
        while frame is not None:
            self.last[frame.arbitration_id] = bytes(frame.data)
            frame = self.bus.recv(0)

    def limit_a(self) -> float:
        """The smaller of the two current limits on the bus."""
        data = self.last.get(LIMITS, bytes(8))
        return min(int.from_bytes(data[at : at + 2], "little") / 10 for at in (2, 4))

    def events(self, name: str) -> list[dict[str, object]]:
        """What the log has under a name; a line that is being written is not there yet."""
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [event for line in lines if (event := json.loads(line))["event"] == name]


class Start:
    """Starts gateways, and ends them with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Gateway] = []

    def __call__(self, *packs: tuple[str, str]) -> Gateway:
        """A gateway for packs of (bms, port)."""
        config, log = self._folder / "config.toml", self._folder / "log"
        tables = [PACK.format(name=f"p{at}", bms=bms, port=port) for at, (bms, port) in enumerate(packs)]
        config.write_text(SETTINGS + GUEST.inverter() + "".join(tables))
        bus = can.Bus(interface="socketcan", channel="vcan0")
        command = [str(Path(sys.executable).with_name("packbridge")), "run", str(config)]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file)
        self._running.append(Gateway(process, bus, log, {}))
        return self._running[-1]

    def end(self) -> None:
        for gateway in self._running:
            gateway.process.terminate()
            gateway.process.wait()
            gateway.bus.shutdown()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made = Start(tmp_path)
    yield made
    made.end()


def connected(pack: Pack) -> bool:
    """Whether BlueZ holds a connection to the pack."""
    return "Connected: yes" in subprocess.getoutput(f"bluetoothctl info {pack.address}")


def test_two_packs_feed_the_inverter_and_lost_connections_heal(air: Air, start: Start) -> None:
    jbd, jk = air.pack("jbd"), air.pack("jk", mtu=247, chunk=128)
    gateway = start(("jbd", f"ble:{jbd.address}"), ("jk", f"ble:{jk.name}?adapter=hci0"))

    gateway.until(lambda: gateway.limit_a() > RATED_A)  # more than one pack may carry
    assert int.from_bytes(gateway.last[CHARGE][:2], "little") == 50
    assert int.from_bytes(gateway.last[MEASURED][:2], "little") / 100 == pytest.approx(16 * 3.3, abs=0.05)
    assert int.from_bytes(gateway.last[MEASURED][2:4], "little", signed=True) / 10 == pytest.approx(
        -20.1, abs=0.2
    )

    gateway.until(lambda: {event["pack"] for event in gateway.events("pack_info")} == {"p0", "p1"})
    assert all(event["model"] for event in gateway.events("pack_info"))

    jbd.cut()
    gateway.until(lambda: "connection lost" in str(gateway.events("link_down")))
    gateway.until(lambda: len(gateway.events("link_up")) == 1)
    jk.silence()
    gateway.until(lambda: "silent for 3 periods" in str(gateway.events("link_restart")))
    jk.silence(silent=False)
    gateway.until(lambda: len(gateway.events("link_up")) == 2)
    gateway.until(lambda: gateway.limit_a() > RATED_A)

    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(PATIENCE_S) == 0
    gateway.hear()
    assert gateway.limit_a() == 0
    assert gateway.last[ALLOWED][0] & 0xC0 == 0
    assert not connected(jbd)
    assert not connected(jk)


def test_a_pack_that_goes_out_of_range_stops_the_inverter_until_it_is_back(air: Air, start: Start) -> None:
    pack = air.pack("daly-d2")
    gateway = start(("daly-d2", f"ble:{pack.address}"))

    gateway.until(lambda: gateway.limit_a() > RATED_A / 2)
    pack.vanish()
    gateway.until(lambda: gateway.limit_a() == 0 and gateway.last[ALLOWED][0] & 0xC0 == 0)
    pack.come_back()
    gateway.until(lambda: gateway.limit_a() > RATED_A / 2)
