"""Reads a configuration file into a `Config`, or says everything that is wrong with it at once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bridge.battery.chemistry import defaults
from bridge.battery.topology import normal
from bridge.config import checks, sentences
from bridge.config.curves import chosen
from bridge.config.draft import Draft, PackDraft
from bridge.config.lines import Source, key_lines
from bridge.config.redundancy_checks import redundancy
from bridge.config.sentences import Problem
from bridge.config.settings import (
    AccessoryConfig,
    CanInverter,
    Config,
    GatewayConfig,
    InverterConfig,
    LogConfig,
    PackConfig,
    Rs485Inverter,
)
from bridge.config.wiring_checks import cells_in_series, in_service
from bridge.errors import ConfigError
from bridge.model import BankSettings, ChargeSettings, Curves, PackSettings
from bridge.protocols import contract

SETTINGS = frozenset(item.name for item in fields(PackSettings)) - {"name"}


def load(path: Path) -> Config:
    """The configuration in a file. Raises ConfigError with every problem, each with file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; write the path of a TOML file") from None
    return parse(text, str(path), path.parent)


def parse(text: str, name: str, folder: Path = Path()) -> Config:
    """The configuration in a text. name: what complaints call it. folder: where relative paths begin.

    Raises ConfigError with every problem.
    """
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # of tomllib, and of int() for numbers of thousands of digits
        raise ConfigError(_syntax(name, text, str(error))) from None
    tables, unreadable = sentences.read(data)
    draft = Draft(tables, folder, frozenset(problem.key for problem in unreadable))
    if problems := [*unreadable, *checks.problems(draft)]:
        raise ConfigError(*_rendered(Source(name, key_lines(text)), problems))
    return _config(draft, Source(name, key_lines(text)))


def _syntax(name: str, text: str, message: str) -> str:
    """A complaint of tomllib, with its position in front and the usual slips behind."""
    what, _, position = message.partition(" (at ")
    numbers = re.search(r"line (\d+), column (\d+)", position)
    line = int(numbers[1]) if numbers else text.count("\n") + 1
    column = f" at column {numbers[2]}" if numbers else " at the end" if position else ""
    return (
        f"{name}:{line}: not TOML: {what[:1].lower()}{what[1:]}{column}; "
        'write texts in quotes, numbers without a unit: port = "/dev/ttyUSB0", capacity_ah = 280'
    )


def _rendered(source: Source, problems: list[Problem]) -> list[str]:
    """The complaints in the order of the file; what is wrong under [pack] is said once, not per pack."""
    unique = dict.fromkeys(problems)
    ordered = sorted(unique, key=lambda problem: source.line(problem.key))
    return [source.problem(problem.key, problem.text) for problem in ordered]


def _config(draft: Draft, source: Source) -> Config:
    gateway = draft.file.gateway.given()
    log = {key.removeprefix("log_"): gateway.pop(key) for key in [*gateway] if key.startswith("log_")}
    bank = draft.file.bank.given()
    limit_v = bank.pop("charge_voltage_limit_v", None)
    bank.pop("high_voltage", None)  # a promise to the checks; nothing works otherwise for it
    bank["topology"] = normal(in_service(draft))
    in_series = cells_in_series(draft)
    return Config(
        gateway=GatewayConfig(log=LogConfig(**log), **gateway),
        bank=BankSettings(**bank),
        charge=ChargeSettings(**draft.file.charge.given()),
        packs=tuple(
            _pack(pack, chosen(draft.file, pack), limit_v, in_series[pack.name]) for pack in draft.packs
        ),
        inverters=tuple(
            _inverter(name, {**table.given(), "profile": draft.profile(table.profile or "")})
            for name, table in draft.file.inverters.items()
        ),
        redundancy=redundancy(draft),
        warnings=tuple(_rendered(source, checks.warnings(draft))),
        source=source,
    )


def _inverter(name: str, given: dict[str, Any]) -> InverterConfig:
    return Rs485Inverter(name=name, **given) if "port" in given else CanInverter(name=name, **given)


def _pack(pack: PackDraft, curves: Curves, limit_v: float | None, in_series: float) -> PackConfig:
    spec = contract.load(pack.text("bms") or "").spec
    written = {key: value for key, value in pack.values.items() if key in SETTINGS}
    values: dict[str, Any] = {**defaults(pack.chemistry), **written}
    values |= {"chemistry": pack.chemistry, "curves": curves}
    settings = PackSettings(name=pack.name, **values)
    if limit_v is not None:
        cell_charge_v = min(settings.cell_charge_v, limit_v / in_series)
        settings = replace(settings, cell_charge_v=cell_charge_v)
    return PackConfig(
        settings=settings,
        bms=pack.text("bms") or "",
        port=pack.text("port") or "",
        baudrate=int(pack.number("baudrate") or spec.baudrate),
        options=pack.for_session(spec),
        balancer=None if pack.balancer is None else _accessory(pack.balancer),
    )


def _accessory(balancer: PackDraft) -> AccessoryConfig:
    bms, port = balancer.text("bms") or "", balancer.text("port") or ""
    return AccessoryConfig(bms=bms, port=port, options=balancer.for_session(contract.load(bms).spec))
