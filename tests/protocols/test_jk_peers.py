"""Another program reads our simulated JK boards: mppsolar, which knows four of their formats."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from bridge.model import Reading
from bridge.protocols import jk, jk_nw
from bridge.protocols.contract import Options

PACK: Reading = {
    "voltage_v": 52.92,
    "current_a": -12.5,
    "soc_pct": 55,
    "soh_pct": 99,
    "remaining_ah": 154.0,
    "full_ah": 280.0,
    "cycles": 12,
    "cell_voltages_v": tuple((3300 + n) / 1000 for n in range(16)),
    "temperatures_c": (20.0, 13.0),
    "mosfet_temperature_c": 25.0,
    "charge_fet_on": True,
    "discharge_fet_on": True,
}
EXPECTED = {
    "Battery_Voltage": 52.92,
    "Percent_Remain": 55,
    "Cycle_Count": 12,
    "Battery_T1": 20.0,
    "Battery_T2": 13.0,
    "MOS_Temp": 25.0,
}


def peer(name: str) -> Any:
    """mppsolar's protocol of this name; skips where it is not installed."""
    pytest.importorskip("mppsolar")
    return getattr(importlib.import_module(f"mppsolar.protocols.{name}"), name)()


def values(protocol: Any, frame: object, command: str) -> dict[str, object]:
    return {
        name: entry[0] for name, entry in protocol.decode(frame, command).items() if isinstance(entry, list)
    }


def assert_cells(found: dict[str, object], separator: str) -> None:
    for number, volt in enumerate(PACK["cell_voltages_v"], 1):
        assert found[f"Voltage{separator}Cell{number:02d}"] == pytest.approx(volt, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "variant", "current"),
    [("jk02_32", "JK02_32S", "Battery_Current"), ("jk02", "JK02_24S", "Balance_Current")],  # its name for it
)
def test_mppsolar_reads_our_boards_over_bluetooth(name: str, variant: str, current: str) -> None:
    protocol = peer(name)
    board = jk.Device(Options(extra={"variant": variant}))
    _, _, frame = board.receive(bytes(protocol.get_full_command("getCellData")), PACK)
    found = values(protocol, frame, "getCellData")
    assert {key: found[key] for key in EXPECTED} == EXPECTED
    assert (found[current], found["Capacity_Remain"], found["Nominal_Capacity"]) == (-12.5, 154.0, 280.0)
    assert_cells(found, "_")


def test_mppsolar_reads_our_balancer() -> None:
    protocol = peer("jk04")
    board = jk.Device(Options(extra={"variant": "JK04"}))
    _, _, frame = board.receive(bytes(protocol.get_full_command("getCellData")), PACK)
    found = values(protocol, frame, "getCellData")
    assert_cells(found, " ")
    assert found["Average Cell Voltage"] == pytest.approx(3.3075, abs=1e-5)


def test_mppsolar_reads_our_device_information() -> None:
    protocol = peer("jk02_32")
    info, _ = jk.Device(Options()).receive(bytes(protocol.get_full_command("getInfo")), PACK)
    found = values(protocol, info, "getInfo")
    assert (found["Device Model"], found["Software Version"]) == ("JK_PB2A16S20P", "15.41")
    assert found["Serial Number"] == "40119491480"


def test_mppsolar_reads_our_wired_board() -> None:
    protocol = peer("jkserial")
    request = bytes(protocol.get_full_command("getBalancerData"))
    (answer,) = jk_nw.Device(Options()).receive(request, PACK)
    found = values(protocol, answer, "getBalancerData")
    assert {key: found[key] for key in EXPECTED} == EXPECTED
    assert (found["Battery_Current"], found["Cells_connected"]) == (-12.5, 16)
    assert (found["Charge Enabled"], found["Discharge Enabled"]) == (1, 1)
    assert_cells(found, "_")
