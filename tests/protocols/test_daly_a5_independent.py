"""The simulated board, read by a program that others wrote: dalybms (PyPI), over a pseudo-terminal."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bridge.model import Alarm, Reading
from bridge.protocols.contract import Options
from bridge.protocols.daly_a5 import Device
from tests.protocols.daly_packs import PACK, pack

dalybms = pytest.importorskip("dalybms", reason="dalybms is not installed (pip install dalybms)")

RS485, BLUETOOTH = 4, 8  # the first digit of the host address
END = b"\x00"


class _Line:
    """A pseudo-terminal with a board at its far end, answering from a thread until it hears `END`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._device = Device(Options())
        self._near_fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        self.path = os.ttyname(self._far_fd)
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def _answer(self) -> None:
        while (chunk := os.read(self._near_fd, 256)) != END:
            for reply in self._device.receive(chunk, self._reading):
                assert isinstance(reply, bytes)
                os.write(self._near_fd, reply)

    def __enter__(self) -> _Line:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._far_fd, END)
        self._thread.join(timeout=5.0)
        os.close(self._near_fd)
        os.close(self._far_fd)


@contextmanager
def reader(reading: Reading, host: int) -> Iterator[Any]:
    """dalybms, connected to a board in this state."""
    with _Line(reading) as line:
        bms = dalybms.DalyBMS(address=host)
        bms.connect(line.path)
        yield bms
        bms.disconnect()


def test_it_reads_what_the_pack_is_like() -> None:
    with reader(PACK, RS485) as bms:
        found = bms.get_all()
    assert found["soc"] == {"total_voltage": 53.1, "current": 12.3, "soc_percent": 61.5}
    assert found["cell_voltages"] == {n + 1: v for n, v in enumerate(PACK["cell_voltages_v"])}
    assert found["temperatures"] == {1: 21, 2: 22}
    assert found["cell_voltage_range"] == {
        "highest_voltage": 3.315, "highest_cell": 16, "lowest_voltage": 3.3, "lowest_cell": 1,
    }  # fmt: skip
    assert found["temperature_range"] == {
        "highest_temperature": 22, "highest_sensor": 2, "lowest_temperature": 21, "lowest_sensor": 1,
    }  # fmt: skip
    assert found["mosfet_status"] == {
        "mode": "discharging", "charging_mosfet": True, "discharging_mosfet": True, "capacity_ah": 61.5,
    }  # fmt: skip
    assert (found["status"]["cells"], found["status"]["temperature_sensors"]) == (16, 2)
    assert found["status"]["cycles"] == 17
    assert found["errors"] == []


def test_it_reads_a_board_by_the_other_host_address_too() -> None:
    """Except for lists: dalybms 0.5.0 looks up how many frames to wait for under a key that it lacks."""
    with reader(PACK, BLUETOOTH) as bms:
        assert bms.get_soc()["soc_percent"] == 61.5
        assert bms.get_status()["cells"] == 16


@pytest.mark.parametrize(
    ("alarm", "severity", "name"),
    [
        (Alarm.PACK_OVERVOLTAGE, "warnings", "Total voltage is too high One alarm"),
        (Alarm.PACK_OVERVOLTAGE, "protections", "Total voltage is too high Level two alarm"),
        (
            Alarm.DISCHARGE_OVERTEMPERATURE,
            "protections",
            "Discharge temperature is too high. Level two alarm",
        ),
        (Alarm.CHARGE_OVERCURRENT, "protections", "Charge over current, level two alarm"),
        (Alarm.SHORT_CIRCUIT, "protections", "Short circuit protection failure"),
        (Alarm.CELL_DISCONNECTED, "protections", "monomer collect drop off"),
    ],
)
def test_it_calls_a_fault_by_the_name_that_we_mean(alarm: Alarm, severity: str, name: str) -> None:
    with reader(pack(**{severity: frozenset({alarm})}), RS485) as bms:
        assert bms.get_errors() == [name]
