"""What is wrong with a table, in sentences: what was found, what is allowed, what to do.

pydantic finds the faults, and names their type and place; the words are ours, made from the same
schema that found them, so that a range in a complaint is the range that was checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from pydantic import ValidationError

from bridge.config.lines import Key
from bridge.config.schema import NAMED, POINTS, TABLES, BalancerTable, FileTable, Table
from bridge.errors import did_you_mean

UNITS = {
    "_pct_per_s": "% per s",
    "_pct_per_min": "% per min",
    "_v_per_cell": "V per cell",
    "_mohm": "mohm",
    "_pct": "%",
    "_days": "days",
    "_ah": "Ah",
    "_a": "A",
    "_v": "V",
    "_c": "degC",
    "_s": "s",
}
LONGEST = 120
NAME_RULE = "1 to 32 letters, digits, - or _"
SECRET = frozenset({"password"})
"""Keys whose values are never shown, not even wrong ones."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that cannot stand, and the key to blame for it."""

    key: Key
    text: str


PLAIN = {"boolean": "true or false", "object": "a table"}
"""Types that need no more words."""


class Rule(TypedDict, total=False):
    """What a JSON schema says of one value, as far as these tables use it."""

    type: str
    enum: list[str]
    minimum: float
    exclusiveMinimum: float
    maximum: float
    pattern: str


def read(data: Mapping[str, object]) -> tuple[FileTable, list[Problem]]:
    """The tables of a parsed file, and what in them cannot be read; that part is left out."""
    try:
        return FileTable.model_validate(data), []
    except ValidationError as error:
        faults = [(tuple(map(str, fault["loc"])), fault["type"], fault["input"]) for fault in error.errors()]
    problems = [_problem(*fault) for fault in faults]
    return FileTable.model_validate(_without(data, {problem.key for problem in problems})), problems


def allowed(table: type[Table], key: str) -> str:
    """What a key may be: `a number from 2 to 3.65 (V)`."""
    rule = _rule(table, key)
    if "enum" in rule:
        return "one of " + ", ".join(f'"{word}"' for word in rule["enum"])
    if rule["type"] == "string":
        return f"a text of {NAME_RULE}" if "pattern" in rule else "a text in quotes"
    if rule["type"] in PLAIN:
        return PLAIN[rule["type"]]
    if key in POINTS:
        low_x, high_x, high_y = POINTS[key]
        return f"points [x, y], x rising from {low_x:g} to {high_x:g}, y from 0 to {high_y:g}"
    if rule["type"] == "array":
        return "a list of names"
    kind = "a whole number" if rule["type"] == "integer" else "a number"
    low = f"from {rule['minimum']:g}" if "minimum" in rule else f"above {rule['exclusiveMinimum']:g}"
    unit = next((f" ({word})" for suffix, word in UNITS.items() if key.endswith(suffix)), "")
    return f"{kind} {low} to {rule['maximum']:.10g}{unit}"


def example(table: type[Table], key: str) -> str:
    """A line that would be right: `capacity_ah = 280`."""
    value = (table.model_fields[key].examples or [None])[0]
    if isinstance(value, list):
        return f"{key} = {json.dumps(value)}"
    if not isinstance(value, dict):
        return f"{key} = {describe(value)}"
    return f"{key} = {{ {', '.join(f'{name} = {_written(inner)}' for name, inner in value.items())} }}"


def _written(value: object) -> str:
    return f"[{', '.join(map(describe, value))}]" if isinstance(value, list) else describe(value)


def missing(table: type[Table], key: str) -> str:
    """What to say of a key that must be there and is not."""
    return f"missing; allowed: {allowed(table, key)}; write for example {example(table, key)}"


def describe(value: object) -> str:
    """A value as TOML writes it, short enough for a sentence."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value if len(value) <= LONGEST else f"{value[:LONGEST]}...", ensure_ascii=False)
        case int() if abs(value) >= 10**15:
            return "a huge number"
        case int() | float():
            return f"{value:.10g}"
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(value)


def _problem(loc: Key, kind: str, value: object) -> Problem:
    if loc[-1] == "[key]":
        return Problem(loc[:-1], f"found the name {describe(loc[-2])}; allowed: {NAME_RULE}; rename it")
    if kind == "extra_forbidden":
        return Problem(loc, _unknown(loc, value))
    table, keys = _inner(loc)
    if not keys:
        return Problem(
            loc, f"found {describe(value)}; allowed: a table; write its keys below {_header(loc[0])}"
        )
    if keys[0] == "options" and len(keys) > 1:
        return Problem(
            loc,
            f"found {describe(value)}; allowed: a text, a number, true or false; "
            "what it means is listed under the options of its protocol",
        )
    found = "something that is not shown here" if keys[0] in SECRET else describe(value)
    advice = _advice(table, keys[0], value)
    return Problem(loc, f"found {found}; allowed: {allowed(table, keys[0])}; {advice}")


def _inner(loc: Key) -> tuple[type[Table], Key]:
    """The innermost table around a place, and the rest of the place within it."""
    table, keys = TABLES[loc[0]], loc[2:] if loc[0] in NAMED else loc[1:]
    return (BalancerTable, keys[1:]) if keys[:1] == ("balancer",) and len(keys) > 1 else (table, keys)


def _unknown(loc: Key, value: object) -> str:
    here = list(FileTable.model_fields if len(loc) == 1 else _inner(loc)[0].model_fields)
    elsewhere = [
        name for name, table in TABLES.items() if loc[-1] in table.model_fields and loc[-1] != "name"
    ]
    if elsewhere:
        return f"unknown key here; it belongs under {_header(elsewhere[-1])}"
    if loc[0] == "pack" and isinstance(value, dict):
        return f"a table for one pack is called [packs.{loc[-1]}]; [pack] holds what all packs share"
    return f"unknown key; known here: {', '.join(sorted(here))}{did_you_mean(loc[-1], here)}"


def _header(table: str) -> str:
    return f"[{table}.NAME]" if table in NAMED else f"[{table}]"


def _advice(table: type[Table], key: str, value: object) -> str:
    """What to do about a value of the wrong type or size; the likely slip first, else an example."""
    wanted = _rule(table, key)["type"]
    if wanted != "string" and isinstance(value, str) and _fits(table, key, number := _number(value)):
        return f"write it without quotes: {key} = {describe(number)}"
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return f"write it without a decimal point: {key} = {value:.0f}"
    if wanted == "string" and isinstance(value, int | float):
        return f"write it in quotes, for example {example(table, key)}"
    if isinstance(value, int | float) and key.endswith("_v") and _fits(table, key, value / 1000):
        return f"it is in V, not mV: write {key} = {value / 1000:g}"
    return f"write for example {example(table, key)}"


def _number(text: str) -> int | float | None:
    try:
        return int(text) if text.strip().isdigit() else float(text)
    except ValueError:
        return None


def _fits(table: type[Table], key: str, number: float | None) -> bool:
    try:
        table.model_validate({key: number})
    except ValidationError:
        return False
    return number is not None


def _rule(table: type[Table], key: str) -> Rule:
    rule = table.model_json_schema()["properties"][key]["anyOf"][0]
    return {"type": "object"} if "$ref" in rule else cast(Rule, rule)


def _without(data: Mapping[str, object], bad: set[Key], here: Key = ()) -> dict[str, object]:
    """The data less the values at the keys that are named bad."""
    return {
        name: _without(value, bad, (*here, name)) if isinstance(value, dict) else value
        for name, value in data.items()
        if (*here, name) not in bad
    }
