"""What the pages say is true: keys, ranges, defaults, configurations and commands in them are tried."""

from __future__ import annotations

import re
import shlex
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import typer

from bridge.battery.chemistry import PRESETS, defaults
from bridge.battery.curve_presets import CURVE_SETS
from bridge.battery.curves import at
from bridge.cli.main import app
from bridge.config import GatewayConfig, LogConfig, RedundancyConfig, parse
from bridge.config.link_checks import OWN_KEYS
from bridge.config.schema import POINTS, TABLES
from bridge.config.sentences import allowed, describe
from bridge.model import BankSettings, ChargeSettings, Chemistry, PackSettings
from bridge.protocols import contract

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()

SECTIONS = {
    "gateway": "[gateway]",
    "bank": "[bank]",
    "charge": "[charge]",
    "packs": "[packs.NAME]",
    "curves": "[curves.NAME]",
    "inverters": "[inverters.NAME]",
    "redundancy": "[redundancy]",
}
KEYS = [(table, key) for table in SECTIONS for key in TABLES[table].model_fields]
NO_DEFAULT = "required"
DEFAULT_OF_INVERTERS = {
    "baudrate": "the profile's",
    "address": "the profile's",
    "driver_enable": '`"auto"`',
}
DEFAULT_ELSEWHERE = {
    "baudrate": "the protocol's",
    "address": "the protocol's",
    "mac": "the address in `port`",
    "state_dir": "the system's",
    **dict.fromkeys(("cell_float_v", "cell_rebulk_v"), "the chemistry's"),
    "control": "see [control](control.md#where-it-is)",
    "share": "an equal part",
    "priority": "`1`",
    "high_voltage": "`false`",
    "rank": "200 for active, 100 for standby",
    **dict.fromkeys(("rated_current_a", "password", "options", "balancer", "curves"), "none"),
    **dict.fromkeys(POINTS, "the chemistry's"),
    **dict.fromkeys(("charge_by_mosfet_c", "discharge_by_mosfet_c"), "80 to 100 degC"),
    **dict.fromkeys(("charge_by_soc_pct", "discharge_by_soc_pct"), "none"),
}


def blocks(language: str) -> list[tuple[str, str]]:
    """(where, text) of all code blocks of one language in all pages."""
    return [
        (f"{page.name}:{page.read_text()[: found.start()].count(chr(10)) + 1}", found[1])
        for page in PAGES
        for found in re.finditer(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    ]


def row(table: str, key: str) -> list[str]:
    """The cells of a key's row in its section of docs/configuration.md."""
    section = CONFIGURATION.split(f"\n## `{SECTIONS[table]}`")[1].split("\n## ")[0]
    (line,) = [line for line in section.splitlines() if line.startswith(f"| `{key}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def default(table: str, key: str) -> str:
    """What a key is if it is not written, as the page should say it."""
    if table == "inverters" and key in DEFAULT_OF_INVERTERS:
        return DEFAULT_OF_INVERTERS[key]
    if key in DEFAULT_ELSEWHERE:
        return DEFAULT_ELSEWHERE[key]
    key = key.removeprefix("log_")
    owners = (PackSettings, BankSettings, ChargeSettings, LogConfig, GatewayConfig, RedundancyConfig)
    found = [item.default for owner in owners for item in fields(owner) if item.name == key]
    values = [value for value in found if value is not MISSING]
    if not values:
        return "none" if key == "charge_voltage_limit_v" else NO_DEFAULT
    return "none" if values[0] is None else f"`{describe(values[0])}`"


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_documented_with_its_range_and_its_default(table: str, key: str) -> None:
    _, range_, default_, meaning = row(table, key)
    assert range_ == allowed(TABLES[table], key)
    assert default_ == default(table, key)
    assert len(meaning) > 10


def test_no_key_is_documented_that_there_is_not() -> None:
    tables = re.findall(r"^\| key \|.*?\n\n", CONFIGURATION, re.MULTILINE | re.DOTALL)
    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", "".join(tables), re.MULTILINE)
    assert sorted(documented) == sorted(key for _, key in KEYS)


def table(heading: str) -> list[list[str]]:
    """The rows of the only table below a heading of docs/configuration.md, without its head."""
    section = CONFIGURATION.split(f"\n### {heading}\n")[1].split("\n##")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_protocol_is_documented_with_what_it_runs_over_and_its_addresses() -> None:
    expected = []
    for name in contract.names():
        spec = contract.load(name).spec
        rate = f" ({spec.bitrate // 1000} kbit/s)" if "can" in spec.links else ""
        addresses = f"{spec.addresses[0]} to {spec.addresses[-1]}" if spec.addresses else ""
        expected.append([f"`{name}`", ", ".join(spec.links) + rate, addresses])
    assert [[name, links, addresses] for name, _, links, addresses in table("Protocols")] == expected


def test_every_option_of_every_protocol_is_documented() -> None:
    documented = {
        (protocol.strip("` "), option.strip("`"), meaning)
        for protocols, option, meaning in table("`[packs.NAME.options]`")
        for protocol in protocols.split(",")
    }
    assert documented == {
        (name, option, meaning)
        for name in contract.names()
        for option, meaning in contract.load(name).spec.options.items()
        if option not in OWN_KEYS
    }


def test_every_preset_of_curves_is_documented_with_its_source() -> None:
    assert table("Presets") == [
        [
            f"`{name}`",
            ", ".join(sorted(one.upper() for one in found.chemistries)),
            ", ".join(f"`{key}`" for key in found.curves),
            found.source,
        ]
        for name, found in sorted(CURVE_SETS.items())
    ]


def test_what_follows_from_a_chemistry_is_documented() -> None:
    rows = {row[0].strip("`"): row[1:] for row in table("Chemistries")}
    for number, chemistry in enumerate(("lfp", "nmc", "lto")):
        own, known = PRESETS[Chemistry(chemistry)], defaults(Chemistry(chemistry))
        for key in ("cell_charge_v", "cell_max_v", "cell_min_v", "temperature_min_charge_c"):
            assert float(rows[f"default `{key}"][number]) == known[key]
        assert rows["the three may be"][number] == f"{own.range_v[0]:g} to {own.range_v[1]:g}"
        fault = rows["a fault that ends all current"][number]
        assert fault == f"{own.far_v[1]:.2f}, {own.far_v[0]:.2f}"
        rates = rows["charging C-rate at 5, 10, 25 degC"][number].split(", ")
        assert [float(rate) for rate in rates] == [at(own.charge_c_rate, c) for c in (5.0, 10.0, 25.0)]


@pytest.mark.parametrize(("where", "text"), blocks("toml"))
def test_every_configuration_in_the_pages_is_right(where: str, text: str) -> None:
    assert parse(text, where).warnings == ()


def test_there_are_configurations_in_the_pages() -> None:
    assert len(blocks("toml")) >= 3


def commands() -> list[tuple[str, str]]:
    """(where, command) for every packbridge command in the pages."""
    return [
        (where, command.strip())
        for where, text in blocks("sh")
        for line in text.splitlines()
        for command in re.split(r"&&|\|", line.split("#")[0])
        if command.strip().startswith("packbridge ")
    ]


@pytest.mark.parametrize(("where", "line"), commands())
def test_every_command_in_the_pages_exists_with_its_options(where: str, line: str) -> None:
    words = shlex.split(re.split(r"[<>]", line)[0])[1:]
    command = typer.main.get_command(app)
    while words and (sub := getattr(command, "commands", {}).get(words[0])) is not None:
        command = sub
        words = words[1:]
    assert not hasattr(command, "commands") or words == ["--help"], where
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


def test_there_are_commands_in_the_pages() -> None:
    assert len(commands()) > 8


def test_every_link_inside_the_project_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    ]
    assert links
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []
