"""docs/simulation.md names every key and every scenario that there is, and its example can be run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from bridge.sim import shelf
from bridge.sim.scenario import build, load
from bridge.sim.scenario_tables import DemandTable, EventTable, FileTable, InverterTable, PackTable, Table
from bridge.sim.world import run

PAGE = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text()
TABLES = (FileTable, PackTable, InverterTable, DemandTable, EventTable)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_of_a_table_is_on_the_page(table: type[Table]) -> None:
    named = set(re.findall(r"`([a-z_]+)(?: = [a-z]+)?`", PAGE)) | {
        "pack",
        "packs",
        "inverter",
        "demand",
        "events",
    }
    assert set(table.model_fields) - named == set()


@pytest.mark.parametrize("table", [DemandTable, EventTable], ids=["demand", "events"])
def test_every_kind_is_on_the_page(table: type[Table]) -> None:
    kinds = get_args(table.model_fields["kind"].annotation)
    assert len(kinds) > 4
    assert [kind for kind in kinds if f"| `{kind}` |" not in PAGE] == []


def test_the_example_can_be_run() -> None:
    (text,) = re.findall(r"^```scenario\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert run(build(tomllib.loads(text), "page"), "ours").energy_wh > 1000.0


def test_every_scenario_is_on_the_page_by_its_title() -> None:
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|$", PAGE, re.MULTILINE))
    files = {path.stem: load(path).title for path in shelf.paths()}
    assert {name: rows.get(name) for name in files} == files
