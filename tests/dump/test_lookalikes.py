"""Dialects of batteries that no inverter profile sends: read as their captures are known to be."""

from __future__ import annotations

import pytest

from bridge import profiles
from bridge.dump.tongues import of_dialect, tongues
from bridge.sinks.layout import Value
from tests.dump.captures import captures

KNOWN: dict[str, dict[str, Value]] = {
    "lg-resu-10-candump": {
        "charge_voltage_limit_v": 57.7, "charge_current_limit_a": 91.3, "discharge_current_limit_a": 91.3,
        "soc_pct": 78, "soh_pct": 99, "voltage_v": 54.72, "current_a": 2.8, "temperature_c": 18.9,
    },
    "discover-lynk-two-cycles": {
        "charge_voltage_limit_v": 55.9, "charge_current_limit_a": 282.0, "discharge_voltage_limit_v": 43.2,
        "soc_pct": 72, "voltage_v": 53.5, "current_a": 0.5, "temperature_c": 28.0, "installed_ah": 300,
        "remaining_ah": 216, "manufacturer_name": "DISCOVER",
    },
    "pytes-native-15s": {
        "charge_voltage_limit_v": 53.2, "charge_current_limit_a": 25.0, "discharge_current_limit_a": 12.5,
        "discharge_voltage_limit_v": 44.5, "cell_max_v": 3.269, "cell_min_v": 3.259, "cell_max_number": 7,
        "cell_min_number": 4, "temperature_max_c": 23.0, "temperature_min_c": 22.0, "soc_pct": 18,
        "soh_pct": 100, "cycles": 28, "voltage_v": 48.95, "current_a": 0.0, "temperature_c": 22.6,
        "charge_enabled": True, "discharge_enabled": True, "force_charge_2": False, "full_ah": 49.95,
        "remaining_ah": 8.766, "charged_energy_kwh": 67.8, "discharged_energy_kwh": 69.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_look_alike_decodes_to_what_is_known_of_its_capture(name: str) -> None:
    dialect, block = captures()[name]
    layout = of_dialect(dialect).dialect
    found: dict[str, Value] = {}
    for row in range(len(block)):
        found |= layout.decode(block.frame(row))
    assert {key: found[key] for key in KNOWN[name]} == KNOWN[name]


def test_every_look_alike_has_a_capture_and_no_profile() -> None:
    files = {path.stem for path in (profiles.folders()[-1] / "lookalikes").glob("*.dbc")}
    assert files == {captures()[name][0] for name in KNOWN}
    assert all(not one.profiles for one in tongues() if one.name in files)
