"""The program mpp-solar (PyPI: mppsolar) reads our simulated boards, over a pseudo-terminal where it can."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import Any

import pytest

from bridge.protocols import daly_a5, jbd, jk_nw
from bridge.protocols.contract import Options
from tests.peers.line import Line
from tests.protocols.daly_packs import PACK, pack

pytest.importorskip("mppsolar", reason='mppsolar is not installed (pip install "packbridge[peers]")')

PROGRAM = "import sys; sys.argv[0] = 'mpp-solar'; from mppsolar import main; main()"
PORT = ("--porttype", "daly", "-b", "9600", "-o", "json")  # the port that reads until the line is silent
CELLS_V = dict(enumerate(PACK["cell_voltages_v"], 1))


def asked(line: Line, protocol: str, *commands: str) -> dict[str, Any]:
    """What the program prints for these commands, put together."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, "-p", line.path, *PORT, "-P", protocol, "-c", "#".join(commands)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found: dict[str, Any] = {}
    for answer in told.stdout.splitlines():
        found |= json.loads(answer)
    return found


def test_it_reads_a_daly_board() -> None:
    with Line(daly_a5.Device(Options()), PACK) as line:
        found = asked(line, "DALY", "SOC", "mosStatus", "status")
    assert (found["battery_bank_voltage"], found["soc"], found["residual_capacity"]) == (53.1, 61.5, 61.5)
    assert (found["current"], found["charge_status"]) == (12.3, "discharged")  # as classic boards count
    assert (found["charging_mos_tube_status"], found["discharging_mos_tube_status"]) == ("01", "01")
    assert (found["number_of_cells"], found["number_of_temperature_sensors"]) == (16, 2)
    assert found["charge/discharge_cycles"] == 17


def test_it_reads_a_daly_boards_lists_by_the_other_host_address() -> None:
    """It numbers every slot of a frame: what is beyond 16 cells and 2 probes is filler."""
    with Line(daly_a5.Device(Options()), PACK) as line:
        found = asked(line, "DALY40", "cellVoltages", "cellTemperatures")
    assert {number: found[f"cell_{number:02d}_voltage"] for number in CELLS_V} == CELLS_V
    assert (found["cell_01_temperature"], found["cell_02_temperature"]) == (21, 22)


def test_it_reads_a_jk_board() -> None:
    with Line(jk_nw.Device(Options()), PACK) as line:
        found = asked(line, "JKSERIAL", "getBalancerData")
    assert (found["battery_voltage"], found["battery_current"]) == (53.1, -12.3)
    assert {number: found[f"voltage_cell{number:02d}"] for number in CELLS_V} == CELLS_V
    assert (found["mos_temp"], found["battery_t1"], found["battery_t2"]) == (25, 21, 22)
    assert (found["charge_enabled"], found["discharge_enabled"]) == (1, 1)


def test_it_understands_a_jbd_boards_answer() -> None:
    """It calls that protocol JK232, and asks with a checksum that is not negated: boards do not answer it,
    nor does ours. So it is handed the answer to a right request; currents it reads without a sign.
    """
    protocol = importlib.import_module("mppsolar.protocols.jk232").jk232()
    (answer,) = jbd.Device(Options()).receive(bytes.fromhex("DDA50300FFFD77"), pack(current_a=12.3))
    protocol.get_full_command("getBalancerData")
    found = {name: entry[0] for name, entry in protocol.decode(answer, "getBalancerData").items()}
    assert (found["Total Battery Voltage"], found["Total Current"]) == (53.1, 12.3)
    assert (found["Remaining Capacity"], found["Nominal Capacity"], found["Cycles"]) == (61.5, 100.0, 17)
    assert (found["Number of Battery Strings"], found["FET Control Status"]) == (16, "03")
    assert (found["Number of NTC"], found["NTC 1"], found["NTC 2"]) == (2, 21.0, 22.0)
