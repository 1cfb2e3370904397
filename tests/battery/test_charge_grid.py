from __future__ import annotations

import pytest

from tests.battery.charge_grid import GRID, TARGET_V, Case, outcome

CORNERS = [
    Case(tau_s=5.0, poll_s=5.0, deaf=True, cells=16, offset_v=0.3),
    Case(tau_s=5.0, poll_s=5.0, deaf=True, cells=4, offset_v=0.3),
    Case(tau_s=1.0, poll_s=5.0, deaf=True, cells=8, offset_v=0.0),
    Case(tau_s=5.0, poll_s=1.0, deaf=False, cells=4, offset_v=-0.3),
    Case(tau_s=1.0, poll_s=1.0, deaf=False, cells=16, offset_v=0.0),
]
"""The worst of the grid, and its calm middle. All of it takes a quarter of an hour."""


@pytest.mark.parametrize("case", CORNERS, ids=str)
def test_a_runner_cell_is_led_to_its_target_whatever_the_inverter(case: Case) -> None:
    found = outcome(case, hours=0.6)

    assert case in GRID
    assert found.trips == 0
    assert found.peak_v <= TARGET_V + 0.06
    assert found.turns <= 5
    assert "absorption" in found.stages
