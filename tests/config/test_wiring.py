"""`[bank] topology`: each message in full, and what follows from a right one."""

from __future__ import annotations

import pytest

from bridge.config import Config, parse
from bridge.config.ceiling import bank_units, ceiling, highest_v
from bridge.config.summary import summary
from bridge.model import Topology
from tests.battery.wiring import parallel, series
from tests.config.samples import complaints

PACKS = "".join(
    f'[packs.{name}]\nport = "ble:A4:C1:38:04:2D:0{number}"\n'
    for number, name in enumerate(("a", "b", "c", "d"))
)
SHARED = """\
[pack]
bms = "jbd"
cells = 4
capacity_ah = 100
rated_current_a = 80
series_rated = true
"""
INVERTER = """
[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "test"
"""


def wired(topology: str, more: str = "", shared: str = SHARED, packs: str = PACKS) -> str:
    """A file of four packs of four cells, wired so."""
    return f"[bank]\ntopology = {topology}\n{more}\n{shared}{packs}{INVERTER}"


def right(topology: str, more: str = "", shared: str = SHARED, packs: str = PACKS) -> Config:
    return parse(wired(topology, more, shared, packs), "c.toml")


STRINGS = '{ parallel = [ { series = ["a", "b"] }, { series = ["c", "d"] } ] }'


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('{ series = ["a", "b", "c", "d"] }', series("a", "b", "c", "d")),
        (STRINGS, parallel(series("a", "b"), series("c", "d"))),
        (
            '{ series = [ { parallel = ["a", "b"], name = "low" }, { parallel = ["c", "d"] } ] }',
            series(parallel("a", "b", name="low"), parallel("c", "d")),
        ),
        ('{ parallel = ["a", "b", "c", "d"] }', None),
        ('{ parallel = [ { parallel = ["a", "b"] }, { series = ["c"] }, "d" ] }', None),
    ],
)
def test_a_wiring_is_read_as_it_is_meant(written: str, meant: Topology | None) -> None:
    assert right(written).bank.topology == meant
    assert right(written).warnings == ()


def test_a_table_of_its_own_does_as_well() -> None:
    text = f'{SHARED}{PACKS}{INVERTER}[bank.topology]\nseries = [\n  "a", "b",\n  "c", "d",\n]\n'
    assert parse(text, "c.toml").bank.topology == series("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            '["a", "b"]',
            'found a list; allowed: a table; write for example topology = { series = ["left", "right"] }',
        ),
        ("{}", 'found neither series nor parallel in one table; write one of them, '),
        (
            '{ series = ["a", "b"], parallel = ["c", "d"] }',
            'found both series and parallel in one table; write one of them, ',
        ),
        ("{ series = [] }", 'found series = an empty list; allowed: a list of names of packs, or of tables:'),
        ('{ series = "a" }', 'found series = "a"; allowed: a list of names of packs, or of tables:'),
        ("{ series = [1, 2] }", "found 1 in series; allowed: names of packs in quotes, or tables"),
        (
            '{ series = ["a", "b", "c", "d"], nam = "x" }',
            'unknown key nam; known here: series, parallel, name. Did you mean "name"?',
        ),
        (
            '{ series = ["a", "b", "c", "d"], name = "my string" }',
            'found name = "my string"; allowed: a text of 1 to 32 letters, digits, - or _',
        ),
        (
            '{ series = ["a", "b", "c", "dd"] }',
            'there is no pack "dd"; there are: a, b, c, d',
        ),
        ('{ series = ["a", "b", "c"] }', "d not wired; write every pack of this file once"),
        ('{ series = ["a", "b", "c", "d", "a"] }', "a is wired 2 times; write each pack once"),
        (
            '{ parallel = [ { series = ["a", "b"], name = "c" }, { series = ["c", "d"] } ] }',
            "the name c is given twice; write another name",
        ),
        (
            '{ parallel = [ { series = ["a", "b", "c"] }, "d" ] }',
            "d has 4 cells in series, a+b+c has 12; what is in parallel must have the same number; correct",
        ),
        (
            '{ series = [{ parallel = [{ series = [{ parallel = [{ series = ["a"] }] }] }] }] }',
            "nested more than 4 deep; write what is connected alike in one list",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_wiring_is_said(written: str, said: str) -> None:
    first = complaints(wired(written))[0]
    assert first.startswith("c.toml:2: bank.topology: ")
    assert said in first


def test_a_slip_in_a_name_is_recognised() -> None:
    packs = PACKS.replace("packs.d]", "packs.attic]")
    said = complaints(wired('{ series = ["a", "b", "c", "atic"] }', packs=packs))
    assert 'Did you mean "attic"?' in said[0]
    assert said[1].endswith("attic not wired; write every pack of this file once, or take it out of the file")


TALL = SHARED.replace("= 4", "= 16")
SERIES = '{ series = ["a", "b", "c", "d"] }'


def tall(more: str = "", profile: str = "solax-hv", shared: str = TALL) -> str:
    """64 cells in series, for an inverter that takes so many."""
    return wired(SERIES, more, shared).replace("deye-lv", profile)


def test_a_high_voltage_must_be_promised() -> None:
    (said,) = complaints(tall())
    assert "64 cells in series are about 205 V, which kills" in said
    assert "write high_voltage = true in [bank]" in said
    config = parse(tall("high_voltage = true"), "c.toml")
    assert ceiling(config).charge_voltage_limit_v == pytest.approx(64 * 3.45)
    assert highest_v(config) == pytest.approx(64 * 3.55)


def test_no_promise_is_good_for_more_than_the_parts_that_there_are() -> None:
    packs = "".join(f'[packs.x{n}]\nport = "/dev/x{n}"\n' for n in range(10))
    names = ", ".join(f'"x{n}"' for n in range(10))
    text = wired(f"{{ series = [{names}] }}", "high_voltage = true", SHARED.replace("= 4", "= 32"), packs)
    (said,) = complaints(text.replace("deye-lv", "solax-hv"))
    assert "320 cells in series; allowed: at most 288" in said


def test_a_low_voltage_inverter_gets_no_high_voltage_whatever_is_promised() -> None:
    (said,) = complaints(tall("high_voltage = true", profile="deye-lv"))
    assert "inverters.house.profile: deye-lv is for inverters with a low-voltage battery" in said
    assert complaints(tall("high_voltage = true", profile="goodwe-45x")) == []


def test_a_high_voltage_inverter_with_few_cells_is_warned_of() -> None:
    config = parse(wired(SERIES).replace("deye-lv", "solax-hv"), "c.toml")
    (warning,) = [one for one in config.warnings if "house.profile" in one]
    assert "only 16 cells stand in series" in warning


def test_the_voltage_of_a_high_string_may_be_limited() -> None:
    config = parse(tall("high_voltage = true\ncharge_voltage_limit_v = 216"), "c.toml")
    assert ceiling(config).charge_voltage_limit_v == pytest.approx(216)


def test_packs_of_a_wiring_that_cannot_be_read_are_not_taken_to_be_in_parallel() -> None:
    packs = PACKS.replace("[packs.d]", "[packs.d]\ncells = 8")
    assert len(complaints(wired("3", packs=packs))) == 1
    assert len(complaints(wired('{ series = ["a", "b", "c", "d"] }', packs=packs))) == 0


def test_a_bms_that_may_not_stand_the_string_is_warned_of_loudly_and_not_discharged() -> None:
    config = right(STRINGS, packs=PACKS.replace("[packs.c]", "[packs.c]\nseries_rated = false"))
    (warning,) = config.warnings
    assert warning.startswith("c.toml:15: packs.c.series_rated: NO DISCHARGE CURRENT IS ALLOWED: ")
    assert ceiling(config).discharge_current_limit_a == 0
    assert ceiling(config).charge_current_limit_a == 100


def test_beside_a_string_a_single_pack_need_not_be_rated_for_it() -> None:
    packs = PACKS.replace("[packs.d]", "[packs.d]\nseries_rated = false\ncells = 12")
    assert right('{ parallel = [ { series = ["a", "b", "c"] }, "d" ] }', packs=packs).warnings == ()


def test_packs_of_one_string_on_one_wire_are_warned_of() -> None:
    shared = SHARED.replace('"jbd"', '"jk-modbus"')
    packs = "".join(f'[packs.{n}]\nport = "/dev/one"\naddress = {i}\n' for i, n in enumerate("abcd", start=1))
    assert right('{ parallel = ["a", "b", "c", "d"] }', shared=shared, packs=packs).warnings == ()
    warnings = right('{ series = ["a", "b", "c", "d"] }', shared=shared, packs=packs).warnings
    assert len(warnings) == 3
    assert "on one wire with a, but in series their minus poles are at different voltages" in warnings[0]


def test_the_limits_at_best_follow_the_tree() -> None:
    best = ceiling(right(STRINGS))
    assert best.charge_voltage_limit_v == pytest.approx(8 * 3.45)
    assert best.discharge_voltage_limit_v == pytest.approx(8 * 2.8)
    assert (best.charge_current_limit_a, best.discharge_current_limit_a) == (100, 160)
    assert highest_v(right(STRINGS)) == pytest.approx(8 * 3.55)
    assert [unit.capacity_ah for unit in bank_units(right(STRINGS))] == [100, 100]


@pytest.mark.parametrize(("amps", "fits"), [(160, True), (161, False)])
def test_the_banks_current_is_checked_against_what_the_wiring_carries(amps: float, fits: bool) -> None:
    said = complaints(wired(STRINGS, f"max_discharge_current_a = {amps}"))
    assert said == [] if fits else "allowed: at most 160, what the wiring makes of the packs'" in said[0]


def test_the_banks_voltage_is_that_of_the_whole_string() -> None:
    config = right('{ series = ["a", "b", "c", "d"] }', "charge_voltage_limit_v = 54.4")
    assert [pack.settings.cell_charge_v for pack in config.packs] == pytest.approx([3.40] * 4)
    (said,) = set(complaints(wired('{ series = ["a", "b", "c", "d"] }', "charge_voltage_limit_v = 13.6")))
    assert "allowed: above 44.8 and at most 56.8 V (16 cells" in said


def test_the_summary_shows_the_tree() -> None:
    lines = summary(
        right('{ parallel = [ { name = "left", series = ["a", "b"] }, { series = ["c", "d"] } ] }')
    )
    start = lines.index("bank: 4 packs, 200 Ah")
    assert lines[start + 1 : start + 8] == [
        "  in parallel: 8 cells, 200 Ah",
        "    left, in series: 8 cells, 100 Ah",
        "      a",
        "      b",
        "    in series: 8 cells, 100 Ah",
        "      c",
        "      d",
    ]
    assert not [
        line for line in summary(right('{ parallel = ["a", "b", "c", "d"] }')) if line.startswith("  in ")
    ]


def test_a_string_is_taken_out_of_service_as_a_whole() -> None:
    packs = PACKS.replace("[packs.a]\n", "[packs.a]\nexcluded = true\n")
    (said,) = complaints(wired(STRINGS, packs=packs))
    assert "a of a+b is excluded; exclude every pack of a string, or none" in said
    config = right(STRINGS, packs=packs.replace("[packs.b]\n", "[packs.b]\nexcluded = true\n"))
    assert config.bank.topology == series("c", "d")
    assert ceiling(config).discharge_current_limit_a == 80.0
