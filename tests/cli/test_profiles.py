from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge import profiles
from bridge.cli.profiles import app
from bridge.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    folder = tmp_path / "packbridge" / "profiles" / "inverters"
    folder.mkdir(parents=True)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_list_names_every_profile() -> None:
    result = run("list")
    assert result.exit_code == 0
    for word in ("deye-lv", "Deye and Sunsynk", "pylontech-lv", "proven in the field"):
        assert word in result.stdout


def test_the_list_is_there_for_machines() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert next(one for one in listed if one["name"] == "deye-lv") == {
        "name": "deye-lv",
        "family": "Deye and Sunsynk low-voltage hybrids",
        "transport": "can",
        "dialect": "pylontech-lv",
        "evidence": "field",
    }
    assert [one["name"] for one in listed] == profiles.names()


def test_the_users_own_profiles_are_listed(home: Path) -> None:
    text = profiles.load("deye-lv").path.read_text("utf-8")
    (home / "acme.toml").write_text(text, "utf-8")
    assert json.loads(run("list", "--json").stdout)[0]["name"] == "acme"


def test_a_broken_profile_of_the_user_is_a_configuration_error(home: Path) -> None:
    (home / "acme.toml").write_text("family = 1", "utf-8")
    assert isinstance(run("list").exception, ConfigError)


def test_the_sheet_says_how_to_wire_and_set_the_inverter() -> None:
    result = run("show", "deye-lv")
    assert result.exit_code == 0
    sheet = " ".join(result.stdout.split())
    for text in (
        "4 CAN-H",
        "5 CAN-L",
        "500 kbit/s",
        "Lithium protocol: 00",
        "F58 or W31",
        "assumed",
        "0x305",
    ):
        assert text in sheet


def test_the_sheet_is_there_for_machines_and_complete() -> None:
    shown = json.loads(run("show", "deye-lv", "--json").stdout)
    assert (shown["name"], shown["comm_fault_s"]) == ("deye-lv", 5.0)
    assert shown["wiring"]["pins"]["4"] == "CAN-H"
    assert Path(shown["path"]).name == "deye-lv.toml"


def test_an_unknown_profile_is_a_configuration_error() -> None:
    assert isinstance(run("show", "deye").exception, ConfigError)


def sheet(name: str) -> str:
    return " ".join(run("show", name).stdout.split())


@pytest.mark.parametrize("name", profiles.names())
def test_every_inverter_has_a_sheet(name: str) -> None:
    assert profiles.find(name).dialect in sheet(name)


def test_a_menu_that_no_source_names_is_marked() -> None:
    assert "no source has these names" in sheet("solax-hv")
    assert "no source has these names" not in sheet("victron-gx")


def test_the_sheet_says_what_is_answered_and_what_follows() -> None:
    shown = sheet("solax-hv")
    assert "to 0x1871 01 in state closing" in shown
    assert "0x1801, then closed" in shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sofar-lv", "CCL and DCL 0.1 A, because 0 is ignored"),
        ("imeon", "15 cells in series"),
        ("ferroamp", "0x1 is added to these identifiers"),
        ("growatt-lv", "every 1 s, while it does not ask: 0x311"),
        ("fronius-byd-hv", "every 10 s: 0x150 0x1D0 0x210"),
        ("fronius-byd-hv", "nothing before the inverter was heard"),
        ("sma-sunny-island", "discharge_voltage_limit_v is kept to 41..48"),
        ("sma-sunny-island", "a raised alarm of 0x35A stops it"),
        ("goodwe-45x", "frames of their genuine lengths"),
    ],
)
def test_the_sheet_says_what_sets_an_inverter_apart(name: str, text: str) -> None:
    assert text in sheet(name)


def test_the_schema_names_every_key_and_refuses_others() -> None:
    schema = json.loads(run("schema").stdout)
    kinds = {"can": ("Profile", "order"), "rs485": ("Rs485Profile", "poll_s")}
    assert schema["discriminator"]["mapping"].keys() == kinds.keys()
    for name, own in kinds.values():
        table = schema["$defs"][name]
        keys = set(getattr(profiles, name).model_fields) - {"path"}
        assert table["properties"].keys() == keys
        assert table["additionalProperties"] is False
        assert {"dialect", "menu", "wiring", own} <= set(table["required"]) <= keys


def test_there_is_a_schema_of_register_maps_too() -> None:
    schema = json.loads(run("schema", "--registers").stdout)
    assert {"spans", "numbers", "flags"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("command", ["list", "show", "schema"])
def test_help_ends_with_examples(command: str) -> None:
    assert f"packbridge profiles {command}" in run(command, "--help").stdout.split("Examples")[1]


@pytest.mark.parametrize("name", profiles.names())
def test_the_sheet_of_what_nobody_has_tried_says_so(name: str) -> None:
    untested = profiles.find(name).evidence == "document"
    assert ("from a document, untested" in run("show", name).stdout) is untested


def test_the_schema_says_what_untested_means() -> None:
    tables = json.loads(run("schema").stdout)["$defs"]
    assert all(
        "untested" in tables[kind]["properties"]["evidence"]["description"]
        for kind in ("Profile", "Rs485Profile")
    )
