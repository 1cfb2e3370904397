from __future__ import annotations

import pytest

from bridge.config import parse
from bridge.model import ChargeSettings
from tests.config.samples import GOOD, complaints


def charge(lines: str) -> str:
    return GOOD + f"\n[charge]\n{lines}\n"


def test_a_charge_that_nothing_is_said_of_goes_by_the_chemistry() -> None:
    assert parse(GOOD, "c.toml").charge == ChargeSettings()


def test_what_is_said_of_a_charge_is_taken() -> None:
    lines = "cell_float_v = 3.35\ncell_rebulk_v = 3.28\nrebulk_soc_pct = 80\ncontroller = false"
    assert parse(charge(lines), "c.toml").charge == ChargeSettings(
        cell_float_v=3.35, cell_rebulk_v=3.28, rebulk_soc_pct=80, controller=False
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "cell_float_v = 3.46",
            (
                "c.toml:28: charge.cell_float_v: found 3.46; allowed: at most 3.45, what charging aims at "
                "(garage: cell_charge_v = 3.45 (the default)); write that or less"
            ),
        ),
        (
            "cell_float_v = 3.25\ncell_rebulk_v = 3.2",
            (
                "c.toml:28: charge.cell_float_v: found 3.25; allowed: at least 3.3, below which a cell of "
                "this chemistry does not stay charged; write that or more"
            ),
        ),
        (
            "cell_rebulk_v = 3.36",
            (
                "c.toml:28: charge.cell_rebulk_v: a charge would begin again at 3.36 V a cell and end at "
                "3.375; allowed: cell_rebulk_v at least 0.02 V below cell_float_v; correct one of the two"
            ),
        ),
        (
            "cell_float_v = 3.31",
            (
                "c.toml:28: charge.cell_float_v: a charge would begin again at 3.3 V a cell and end at 3.31; "
                "allowed: cell_rebulk_v at least 0.02 V below cell_float_v; correct one of the two"
            ),
        ),
        (
            "full_every_days = 400",
            (
                "c.toml:28: charge.full_every_days: found 400; allowed: a number from 0 to 365 (days); "
                "write for example full_every_days = 14"
            ),
        ),
        (
            "trim_v = 100",
            (
                "c.toml:28: charge.trim_v: found 100; allowed: a number from 0 to 0.3 (V); "
                "it is in V, not mV: write trim_v = 0.1"
            ),
        ),
    ],
)
def test_a_charge_that_cannot_be_is_refused(lines: str, message: str) -> None:
    assert message in complaints(charge(lines))
