"""Error states of a controller, as the kernel tells them: a serial adapter under slcand, and a gateway on it.

vcan knows no errors. Here the adapter says that its controller is error-passive, or off the bus, the
kernel's driver makes error frames and a link state of that, and the running gateway has to tell a person.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.control import client
from bridge.control.requests import Status
from bridge.errors import LinkError
from hil.rig import End, Rig
from hil.serial_can import NAME, Adapter, restart, set_up
from hil.test_run import PACK, SETTINGS

PROGRAM = str(Path(sys.executable).with_name("packbridge"))
WAIT_S = 240.0
LIMITS, ANSWER = 0x351, 0x305
SERIAL = End("socketcan", NAME)


@dataclass
class Scene:
    """A gateway on the interface of an adapter; what it logs, and what it answers."""

    adapter: Adapter
    config: Path
    log: Path
    socket: Path

    def until(self, wanted: Callable[[], object]) -> None:
        end_s = time.monotonic() + WAIT_S
        while not wanted():
            assert time.monotonic() < end_s, self.log.read_text()
            time.sleep(0.2)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [event for line in lines if (event := json.loads(line))["event"] == name]

    def health(self) -> list[object]:
        return [event["health"] for event in self.events("can_health")]

    def bus(self) -> dict[str, Any]:
        """The bus as `packbridge status` has it."""
        try:
            told = client.ask(self.socket, Status())
        except LinkError:
            return {}
        assert isinstance(told, dict)
        (bus,) = told["buses"].values()
        return dict(bus)

    def hears_more(self) -> None:
        """Wait for two more cycles to reach the adapter."""
        count = len(self.adapter.frames(LIMITS))
        self.until(lambda: len(self.adapter.frames(LIMITS)) >= count + 2)

    def doctor(self) -> str:
        command = [PROGRAM, "doctor", str(self.config)]
        return " ".join(subprocess.run(command, capture_output=True, text=True, check=False).stdout.split())


@pytest.fixture
def scene(tmp_path: Path, in_guest: None) -> Iterator[Scene]:
    adapter = Adapter()
    set_up()
    port = tmp_path / "pack"
    pack = subprocess.Popen([PROGRAM, "sim", "pack", "--bms", "jbd", "--link", f"pty:{port}"])
    made = Scene(adapter, tmp_path / "config.toml", tmp_path / "log", tmp_path / "socket")
    settings = SETTINGS.replace("[gateway]", f'[gateway]\ncontrol = "{made.socket}"')
    inverter = Rig(SERIAL, SERIAL).inverter()
    made.config.write_text(settings + inverter + PACK.format(name="p0", bms="jbd", port=port))
    made.until(port.exists)
    with made.log.open("wb") as log:
        gateway = subprocess.Popen([PROGRAM, "run", str(made.config)], stderr=log)
    made.until(lambda: len(adapter.frames(LIMITS)) >= 2)
    yield made
    for process in (gateway, pack):
        process.kill()
        process.wait()
    adapter.close()


def test_frames_go_both_ways_through_a_serial_adapter(scene: Scene) -> None:
    scene.adapter.receive(ANSWER, bytes(8))
    scene.until(lambda: any(event["heard"] for event in scene.events("inverter")))
    assert scene.bus()["health"] == "ok"
    assert scene.health() == []


def test_error_passive_is_told_with_what_to_do_and_told_again_when_it_is_over(scene: Scene) -> None:
    scene.adapter.say("sw000096")
    scene.adapter.say("sp000128")
    scene.until(lambda: scene.health() == ["warning", "passive"])
    assert "check that somebody else is on the bus" in scene.events("can_health")[-1]["help"]
    scene.until(lambda: scene.bus().get("health") == "passive")
    assert (scene.bus()["tx_errors"], scene.bus()["rx_errors"]) == (128, 0)
    scene.adapter.say("e1a")
    scene.until(lambda: [event["trouble"] for event in scene.events("bus_trouble")] == ["not-acknowledged"])
    assert "nobody acknowledges" in scene.bus()["troubles"][0]["help"]
    assert "error-passive; its driver does not tell the error counters" in scene.doctor()
    scene.adapter.say("sa000000")
    scene.until(lambda: scene.health() == ["warning", "passive", "ok"])
    scene.hears_more()  # nothing of it has cost the cycle


def test_a_wrong_bit_rate_is_told_from_errors_without_a_frame(scene: Scene) -> None:
    scene.adapter.say("sp130000")
    scene.until(lambda: scene.bus().get("deaf") is True)
    scene.adapter.say("e2sf")
    scene.until(lambda: [event["trouble"] for event in scene.events("bus_trouble")] == ["bit-rate"])
    assert "another bit rate" in scene.events("bus_trouble")[0]["help"]


def test_bus_off_is_told_and_the_cycle_goes_on_when_the_interface_was_down_and_up(scene: Scene) -> None:
    scene.adapter.say("sb000255")
    scene.until(lambda: scene.health() == ["bus-off"])
    assert "one that slcand made must be set down and up" in scene.events("can_health")[0]["help"]
    scene.until(lambda: scene.bus().get("health") == "bus-off")
    assert scene.bus()["bus_offs"] == 1
    told = scene.doctor()
    assert "bus-off: the controller has left the bus" in told
    assert f"sudo ip link set {NAME} down; sudo ip link set {NAME} up" in told
    count = len(scene.adapter.frames())
    time.sleep(3.0)
    assert len(scene.adapter.frames()) == count  # the kernel lets nothing out
    assert scene.bus()["health"] == "bus-off"  # and nobody takes it for healed
    restart()
    scene.hears_more()
    scene.until(lambda: scene.bus().get("health") == "ok")
    assert scene.health() == ["bus-off", "ok"]
