from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from bridge.config.lines import Source, key_lines

TEXT = '''\
# a comment
top = 1

[packs."the garage"]  # quoted
port = "/dev/ttyUSB0"
cells.count = 16
note = """
[not.a.table]
nor = "a key"
"""
probes = [
  1,
  2,
]
[[list.of.tables]]
x = { a = 1, b = { c = 2 } }
'''


def test_tables_keys_dotted_keys_and_inline_tables_are_found_where_they_begin() -> None:
    assert key_lines(TEXT) == {
        ("top",): 2,
        ("packs",): 4,
        ("packs", "the garage"): 4,
        ("packs", "the garage", "port"): 5,
        ("packs", "the garage", "cells"): 6,
        ("packs", "the garage", "cells", "count"): 6,
        ("packs", "the garage", "note"): 7,
        ("packs", "the garage", "probes"): 11,
        ("list",): 15,
        ("list", "of"): 15,
        ("list", "of", "tables"): 15,
        ("list", "of", "tables", "x"): 16,
        ("list", "of", "tables", "x", "a"): 16,
        ("list", "of", "tables", "x", "b"): 16,
        ("list", "of", "tables", "x", "b", "c"): 16,
    }


def test_windows_line_ends_count_as_one_line() -> None:
    assert key_lines("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}


def test_a_separator_that_only_python_takes_for_a_line_end_is_not_one() -> None:
    assert key_lines('a = "x\u2028y"\nb = 2') == {("a",): 1, ("b",): 2}


def test_a_missing_key_is_blamed_on_the_table_around_it() -> None:
    source = Source("c.toml", key_lines(TEXT))
    assert source.problem(("packs", "the garage", "capacity_ah"), "missing").startswith("c.toml:4: ")


def test_a_key_of_no_table_in_the_text_is_said_without_a_line() -> None:
    assert Source("c.toml", {}).problem(("packs",), "there is no pack") == "c.toml: packs: there is no pack"


KEYS = st.lists(st.sampled_from(["a", "b", "c", '"d e"']), min_size=1, max_size=3).map(".".join)
VALUES = st.sampled_from(["1", '"x"', "'''\ny\n'''", "[\n1,\n]", "{ k = 1 }", '"# no"', "1 # yes"])
STATEMENTS = st.one_of(
    st.tuples(KEYS, VALUES).map(" = ".join), KEYS.map("[{}]".format), st.just(""), st.just("# [x]")
)


@given(st.lists(STATEMENTS, max_size=12))
def test_every_key_of_a_valid_text_has_a_line_on_which_it_is_named(statements: list[str]) -> None:
    text = "\n".join(statements)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    rows = text.split("\n")
    lines = key_lines(text)
    for name in parsed:
        assert name in rows[lines[(name,)] - 1]
