from __future__ import annotations

from bridge.config import parse
from bridge.config.ceiling import Ceiling, ceiling, pack_ceiling
from bridge.model import Limit
from tests.config.samples import GOOD, spoilt


def test_currents_are_sums_within_the_banks_own_limits_and_voltages_those_of_the_most_careful_pack() -> None:
    text = spoilt("= 280", "= 280\ncell_charge_v = 3.40").replace(
        "= 100\nrated", "= 100\ncell_min_v = 3\nrated"
    )
    assert ceiling(parse(text, "c.toml")) == Ceiling(
        charge_voltage_limit_v=16 * 3.40,
        discharge_voltage_limit_v=48,
        charge_current_limit_a=180,
        discharge_current_limit_a=240,
    )


def test_a_fuse_lowers_what_its_pack_adds() -> None:
    text = spoilt("max_charge_current_a = 180", "").replace("= 280", "= 280\nfuse_a = 125")
    best = ceiling(parse(text, "c.toml"))
    assert (best.charge_current_limit_a, best.discharge_current_limit_a) == (
        0.95 * 125 + 50,
        0.95 * 125 + 100,
    )


def test_the_rule_that_rules_is_named() -> None:
    text = spoilt("= 280", "= 200\nfuse_a = 125")
    garage = parse(text, "c.toml").packs[0].settings
    assert pack_ceiling(garage, Limit.CCL).rule == "temperature"
    assert pack_ceiling(garage, Limit.DCL).rule == "fuse"


def test_a_pack_for_the_cold_is_at_its_best_in_the_cold() -> None:
    text = spoilt("= 280", "= 280\ntemperature_max_discharge_c = 10\ntemperature_min_discharge_c = 0")
    assert pack_ceiling(parse(text, "c.toml").packs[0].settings, Limit.DCL).value == 140


def test_the_sample_has_a_bank_limit_below_the_sum() -> None:
    assert ceiling(parse(GOOD, "c.toml")).charge_current_limit_a == 180
