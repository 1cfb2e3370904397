"""docs/register-maps.md names every map, every key and every quantity that there is."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.registers import maps
from bridge.registers.amounts import FLAGS, LISTS, NUMBERS

PAGE = (Path(__file__).parents[2] / "docs" / "register-maps.md").read_text()


def named(start: str, end: str) -> list[str]:
    return re.findall(r"`([a-z0-9_]+)`", PAGE.split(start, 1)[1].split(end, 1)[0])


def test_every_map_is_listed_with_its_address_and_what_proves_it() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*?) \| (\d+) \| (\w+) \|$", PAGE, re.MULTILINE)
    known = [maps.load(name) for name in maps.names()]
    assert rows == [(one.name, one.family, str(one.address), one.evidence) for one in known]


def test_every_key_of_every_table_is_explained() -> None:
    words = {*re.findall(r"`([a-z0-9_]+)`", PAGE)}
    for table in maps.TABLES.values():
        assert {*table.model_fields} - {"path"} <= words, table


def test_every_quantity_is_named() -> None:
    assert named("\nNumbers: ", ".\n") == sorted(NUMBERS)
    assert named("\nBits: ", ". Lists: ") == sorted(FLAGS)
    assert named(". Lists: ", ". Alarms") == sorted(LISTS)
