"""An inverter that reads its battery by Modbus needs pymodbus; others on RS485 do not."""

from __future__ import annotations

from tests.doctor.machine import SERIAL, Machine, case

ASKING = '\n[inverters.house]\nprofile = "{}"\nport = "/dev/ttyUSB7"\n'


def test_a_missing_pymodbus_is_told_with_what_to_install(machine: Machine) -> None:
    machine.missing = {"pymodbus"}
    (found,) = machine.problems("python_extras", case(SERIAL + ASKING.format("growatt-spf-rs485")))
    assert (found.looked_at, found.do) == ("Modbus", 'pip install "packbridge[modbus]"')
    assert machine.problems("python_extras", case(SERIAL + ASKING.format("axpert-pyl"))) == []
    machine.missing = set()
    assert machine.problems("python_extras", case(SERIAL + ASKING.format("growatt-spf-rs485"))) == []
