from __future__ import annotations

from itertools import pairwise

import pytest

from bridge.battery.curves import CHARGE_C_RATE, DISCHARGE_C_RATE, at
from bridge.sim.chemistries import KINDS, Kind
from bridge.sim.judge import between

kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@kinds
def test_a_rest_curve_rises_with_charge(kind: Kind) -> None:
    volts = [kind.chemistry.rest_v.at(soc / 200) for soc in range(-2, 205)]
    assert all(low < high for low, high in pairwise(volts))


@kinds
def test_a_board_opens_beyond_where_a_gateway_stops(kind: Kind) -> None:
    assert kind.uvp_v[0] < kind.uvp_v[1] < kind.empty_v + 0.25
    assert kind.uvp_v[0] < kind.empty_v < kind.charge_v < kind.full_v < kind.ovp_v[0]
    assert kind.ovp_v[1] < kind.ovp_v[0]


@kinds
def test_the_curve_reaches_both_cut_offs(kind: Kind) -> None:
    assert kind.chemistry.rest_v.at(-0.01) < kind.uvp_v[0]
    assert kind.chemistry.rest_v.at(1.05) > kind.ovp_v[0]


@kinds
def test_a_piece_of_a_curve_is_the_curve(kind: Kind) -> None:
    curve = kind.chemistry.rest_v
    for soc in (-0.02, 0.0, 0.004, 0.3, 0.55, 0.999, 1.0, 1.2):
        low, high, base_v, slope_v = curve.piece(soc)
        assert low <= soc < high
        assert base_v + slope_v * soc == pytest.approx(curve.at(soc))


def test_the_judge_and_the_gateway_read_the_same_sources() -> None:
    lfp = KINDS["lfp"]
    for tenth_c in range(-150, 560):
        assert between(lfp.charge_c_rate, tenth_c / 10) == pytest.approx(at(CHARGE_C_RATE, tenth_c / 10))
        assert between(lfp.discharge_c_rate, tenth_c / 10) == pytest.approx(
            at(DISCHARGE_C_RATE, tenth_c / 10)
        )
