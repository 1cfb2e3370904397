"""Single keys: each message in full, because it is all that a person gets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.schema import NAMED, TABLES
from bridge.config.sentences import allowed, example
from tests.config.samples import GOOD, complaints, spoilt

BAD_VALUES = [
    (
        "= 280",
        '= "280"',
        (
            'c.toml:13: packs.garage.capacity_ah: found "280"; allowed: a number above 0 to 10000 (Ah); '
            "write it without quotes: capacity_ah = 280"
        ),
    ),
    (
        "cells = 16",
        "cells = 16.0",
        (
            "c.toml:8: pack.cells: found 16; allowed: a whole number from 1 to 32; "
            "write it without a decimal point: cells = 16"
        ),
    ),
    (
        "cells = 16",
        "cells = 0",
        "c.toml:8: pack.cells: found 0; allowed: a whole number from 1 to 32; write for example cells = 16",
    ),
    (
        "cells = 16",
        "cells = true",
        (
            "c.toml:8: pack.cells: found true; allowed: a whole number from 1 to 32; write for example "
            "cells = 16"
        ),
    ),
    (
        "= 280",
        "= 0",
        (
            "c.toml:13: packs.garage.capacity_ah: found 0; allowed: a number above 0 to 10000 (Ah); "
            "write for example capacity_ah = 280"
        ),
    ),
    (
        "= 280",
        "= nan",
        (
            "c.toml:13: packs.garage.capacity_ah: found nan; allowed: a number above 0 to 10000 (Ah); "
            "write for example capacity_ah = 280"
        ),
    ),
    (
        "= 280",
        "= 280\ncell_charge_v = 3450",
        (
            "c.toml:14: packs.garage.cell_charge_v: found 3450; allowed: a number from 1.5 to 4.25 (V); "
            "it is in V, not mV: write cell_charge_v = 3.45"
        ),
    ),
    (
        "= 280",
        "= 280\ncell_max_v = 4.2",
        (
            "c.toml:14: packs.garage.cell_max_v: found 4.2; allowed for LFP cells: from 2 to 3.65 V; write "
            'for example cell_max_v = 3.55; cells of another kind need chemistry = "nmc" or "lto"'
        ),
    ),
    (
        "= 280",
        "= 280\nfuse_a = -125",
        (
            "c.toml:14: packs.garage.fuse_a: found -125; allowed: a number above 0 to 2000 (A); "
            "write for example fuse_a = 125"
        ),
    ),
    (
        '"/dev/ttyUSB0"',
        "0",
        (
            "c.toml:12: packs.garage.port: found 0; allowed: a text in quotes; "
            'write it in quotes, for example port = "/dev/ttyUSB0"'
        ),
    ),
    (
        "max_charge_current_a = 180",
        'on_pack_lost = "ignore"',
        (
            'c.toml:5: bank.on_pack_lost: found "ignore"; allowed: one of "hold", "stop", "exclude"; '
            'write for example on_pack_lost = "hold"'
        ),
    ),
    (
        "max_charge_current_a = 180",
        "max_charge_current_a = inf",
        (
            "c.toml:5: bank.max_charge_current_a: found inf; allowed: a number above 0 to 2000 (A); "
            "write for example max_charge_current_a = 140"
        ),
    ),
    (
        'name = "cellar"',
        'name = "my cellar"',
        (
            'c.toml:2: gateway.name: found "my cellar"; allowed: a text of 1 to 32 letters, digits, - or _; '
            'write for example name = "packbridge"'
        ),
    ),
    (
        "= 280",
        '= """2\n8"0"""',
        (
            'c.toml:13: packs.garage.capacity_ah: found "2\\n8\\"0"; '
            "allowed: a number above 0 to 10000 (Ah); write for example capacity_ah = 280"
        ),
    ),
    (
        "= 280",
        "= [280]",
        (
            "c.toml:13: packs.garage.capacity_ah: found a list; allowed: a number above 0 to 10000 (Ah); "
            "write for example capacity_ah = 280"
        ),
    ),
    (
        "= 280",
        "= 1979-05-27",
        (
            "c.toml:13: packs.garage.capacity_ah: found 1979-05-27; allowed: a number above 0 to 10000 (Ah); "
            "write for example capacity_ah = 280"
        ),
    ),
    (
        "= 280",
        "= 1" + "0" * 400,
        (
            "c.toml:13: packs.garage.capacity_ah: found a huge number; allowed: a number above 0 to 10000 "
            "(Ah); write for example capacity_ah = 280"
        ),
    ),
    (
        '"can0"',
        '""',
        (
            'c.toml:25: inverters.house.channel: found ""; allowed: a text in quotes; write for example '
            'channel = "can0"'
        ),
    ),
    (
        "[packs.garage]",
        '[packs."the garage"]',
        (
            'c.toml:11: packs.the garage: found the name "the garage"; allowed: 1 to 32 letters, '
            "digits, - or _; "
            "rename it"
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD_VALUES, ids=[row[1] for row in BAD_VALUES])
def test_a_bad_value_is_said_with_its_place_the_allowed_and_the_cure(
    old: str, new: str, message: str
) -> None:
    assert complaints(spoilt(old, new)) == [message]


PACK_KEYS = ", ".join(sorted(TABLES["packs"].model_fields))

UNKNOWN_KEYS = [
    (
        "capacity_ah = 280",
        "capacity_ah = 280\ncels = 16",
        f'c.toml:14: packs.garage.cels: unknown key; known here: {PACK_KEYS}. Did you mean "cells"?',
    ),
    (
        "capacity_ah = 280",
        "capacity_ah = 280\ncolour = 16",
        f"c.toml:14: packs.garage.colour: unknown key; known here: {PACK_KEYS}",
    ),
    (
        "[gateway]",
        "[gateway]\ncells = 16",
        "c.toml:2: gateway.cells: unknown key here; it belongs under [packs.NAME]",
    ),
    (
        "[inverters.house]",
        "[inverter]",
        (
            "c.toml:22: inverter: unknown key; known here: bank, charge, curves, gateway, inverters, pack, "
            'packs, redundancy. Did you mean "inverters"?'
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), UNKNOWN_KEYS, ids=[row[1] for row in UNKNOWN_KEYS])
def test_an_unknown_key_is_refused_with_the_known_ones(old: str, new: str, message: str) -> None:
    assert complaints(spoilt(old, new)) == [message]


def test_a_table_for_one_pack_under_pack_is_put_right() -> None:
    assert complaints(spoilt("[packs.garage]", "[pack.garage]")) == [
        (
            "c.toml:11: pack.garage: a table for one pack is called [packs.garage]; [pack] holds what all "
            "packs share"
        )
    ]


def test_a_value_where_a_pack_is_expected_is_put_right() -> None:
    assert complaints(spoilt("[packs.garage]", "[packs]\ncells = 16\n[packs.garage]")) == [
        "c.toml:12: packs.cells: found 16; allowed: a table; write its keys below [packs.NAME]"
    ]


@pytest.mark.parametrize("table", ["gateway", "bank", "pack", "packs", "inverters"])
def test_a_value_where_a_table_is_expected_is_put_right(table: str) -> None:
    problems = complaints(f"{table} = 3")
    header = f"[{table}.NAME]" if table in NAMED else f"[{table}]"
    assert f"c.toml:1: {table}: found 3; allowed: a table; write its keys below {header}" in problems


@pytest.mark.parametrize("line", ["port", "capacity_ah", "cells", "bms"])
def test_a_pack_without_a_necessary_key_is_refused(line: str) -> None:
    text = "\n".join(row for row in GOOD.splitlines() if not row.startswith(line))
    assert [problem.split(";")[0] for problem in complaints(text)] == [
        f"c.toml:{text.splitlines().index(f'[packs.{name}]') + 1}: packs.{name}.{line}: missing"
        for name in ("garage", "attic")
    ]


def test_a_pack_without_a_rating_is_told_what_to_write() -> None:
    assert complaints(spoilt("rated_current_a = 140", "")) == [
        (
            "c.toml:11: packs.garage.rated_current_a: missing; a pack without a rating has no limit to go "
            "by; write "
            "what its BMS may carry all day, for example rated_current_a = 140 for both directions"
        )
    ]


def test_a_pack_with_a_rating_for_one_direction_lacks_the_other() -> None:
    problem = complaints(spoilt("rated_current_a = 140", "rated_charge_current_a = 140"))[0]
    assert problem.startswith("c.toml:11: packs.garage.rated_discharge_current_a: missing; ")


def test_an_unreadable_value_is_not_called_missing_too() -> None:
    assert len(complaints(spoilt("rated_current_a = 140", 'rated_current_a = "all"'))) == 1


ALL_KEYS = [(table, key) for table, model in TABLES.items() for key in model.model_fields]


@pytest.mark.parametrize(("table", "key"), ALL_KEYS)
def test_every_keys_example_is_allowed_and_every_key_can_say_what_is(table: str, key: str) -> None:
    assert len(ALL_KEYS) > 40
    model = TABLES[table]
    name, _, value = example(model, key).partition(" = ")
    assert name == key
    assert allowed(model, key)
    header = f"[{table}.x]" if table in NAMED else f"[{table}]"
    problems = complaints(f"{header}\n{key} = {value}")
    assert not [text for text in problems if f"{key}: found" in text]


SCALARS = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())


@given(
    table=st.sampled_from([*TABLES]), key=st.sampled_from(sorted({key for _, key in ALL_KEYS})), value=SCALARS
)
def test_any_value_of_any_key_gives_complaints_and_nothing_else(table: str, key: str, value: object) -> None:
    header = f"[{table}.x]" if table in NAMED else f"[{table}]"
    assert complaints(f"{header}\n{key} = {toml(value)}")


def toml(value: object) -> str:
    """A scalar as TOML; None as a table."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
        case float() if math.isnan(value):
            return "nan"
        case None:
            return "{ x = 1 }"
        case _:
            return repr(value)
