"""The package python-pylontech reads a Pylontech battery over a pseudo-terminal: ours, as we pose as one
to inverters, and a simulated one. It waits for a line feed that no battery sends, so each call ends with
the time-out of its port; the calls are made side by side.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bridge.model import Reading
from bridge.protocols.contract import Device, Options, Payload
from bridge.protocols.pylontech_rs485 import Device as Battery
from bridge.responders.contract import Ask, Port
from bridge.responders.pylontech_rs485 import Options as Posed
from bridge.responders.pylontech_rs485 import Responder
from tests.peers.line import Line
from tests.protocols.test_pylontech_rs485 import PACK
from tests.responders.test_pylontech_rs485 import PACK as MODULE
from tests.responders.test_pylontech_rs485 import picture

SILENCE_S = 0.4

Call = Callable[[Any], Any]


class Posing:
    """What an inverter has on its line when it polls us."""

    def __init__(self, **options: Any) -> None:
        self._responder = Responder(Port(2, Posed(**options)))

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        assert isinstance(payload, bytes)
        asked = [item for item in self._responder.feed(payload) if isinstance(item, Ask) and item.for_us]
        answers = [self._responder.answer(one, picture(MODULE, MODULE)) for one in asked]
        return [answer for answer in answers if answer is not None]


def read(make: Callable[[], Device], *calls: Call) -> list[Any]:
    """What its client makes of each call, each over a line of its own."""
    pytest.importorskip("pylontech", reason="python-pylontech is not installed (pip install '.[peers]')")
    client = importlib.import_module("pylontech.pylontech")

    def one(call: Call) -> Any:
        with Line(make(), PACK) as line:
            pylontech = client.Pylontech(line.path, 115200)
            pylontech.s.timeout = SILENCE_S
            try:
                return call(pylontech)
            finally:
                pylontech.s.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_it_reads_the_bank_that_we_pose_as() -> None:
    version, maker, settings, limits, serial, values = read(
        Posing,
        lambda client: client.get_protocol_version(),
        lambda client: client.get_manufacturer_info(),
        lambda client: client.get_system_parameters(),
        lambda client: client.get_management_info(2),
        lambda client: client.get_module_serial_number(2),
        lambda client: client.get_values_single(2),
    )
    assert version.ver == b"\x20"
    assert maker.DeviceName.rstrip(b"\0") == b"US3000C"
    assert (settings.ModuleHighVoltageLimit, settings.ChargeCurrentLimit) == (55.2, 87.6)
    assert (limits.ChargeVoltageLimit, limits.DischargeVoltageLimit) == (55.2, 44.8)
    assert (limits.ChargeCurrentLimit, limits.DischargeCurrentLimit) == (87.6, -120.0)
    assert (limits.status.ChargeEnable, limits.status.DischargeEnable) == (True, True)
    assert serial.ModuleSerialNumber == b"PACKBRIDGE000002"
    assert (values.Voltage, values.Current) == (52.83, -12.3)
    assert (values.RemainingCapacity, values.TotalCapacity) == (171.92, 280.0)
    assert values.StateOfCharge == pytest.approx(0.614)
    assert list(values.CellVoltages) == [*[3.3] * 14, 3.31, 3.29]
    assert list(values.GroupedCellsTemperatures) == [-4.6, 23.0]


def test_it_reads_each_pack_that_we_pose_as() -> None:
    values, limits = read(
        lambda: Posing(pose="each"),
        lambda client: client.get_values(),
        lambda client: client.get_management_info(3),
    )
    assert values.NumberOfModules == 2
    assert [module.Voltage for module in values.Module] == [52.8, 52.8]
    assert values.StateOfCharge == pytest.approx(0.6)
    assert limits.ChargeCurrentLimit == 43.8


def test_it_reads_a_simulated_battery() -> None:
    (values,) = read(lambda: Battery(Options(address=5)), lambda client: client.get_values_single(5))
    assert (values.Voltage, values.Current, values.CycleNumber) == (52.917, -12.3, 12)
    assert list(values.CellVoltages) == list(PACK["cell_voltages_v"])
    assert (values.AverageBMSTemperature, *values.GroupedCellsTemperatures) == (25.0, 20.9, -5.4, 21.2)
