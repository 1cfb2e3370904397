"""Finds, loads and validates register maps, in the folders where inverter profiles are looked for too.

A map is one TOML file under `registers/`; its file name is its name in profiles; a name with a slash or
`.toml` is a path. A file is checked completely before it is used, and every problem is reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import ConfigError, did_you_mean
from bridge.profile_tables import PATH_KEY, Table
from bridge.profiles import folders, written_in
from bridge.registers.checks import problems
from bridge.registers.tables import (
    Amount,
    Case,
    Code,
    Companion,
    Fixed,
    Flags,
    Letters,
    RegisterMap,
    Row,
    Span,
    Writes,
)

TABLES: Mapping[str, type[Table]] = {
    "": RegisterMap,
    "companions": Companion,
    "spans": Span,
    "writes": Writes,
    "numbers": Amount,
    "lists": Row,
    "flags": Flags,
    "codes": Code,
    "cases": Case,
    "texts": Letters,
    "fixed": Fixed,
}


def load(name_or_path: str) -> RegisterMap:
    """The map of that name or path; raises ConfigError that names file and key of each problem."""
    found = _parsed(name_or_path)
    others = [_parsed(one.map) for one in found.companions]
    wrong = [*problems(found)]
    wrong += [
        f"companions: {other.name} has companions of its own, or other answers"
        for other in others
        if other.companions or other.answers != found.answers
    ]
    if wrong:
        raise ConfigError(*(f"{found.path}: {text}" for text in wrong))
    return found


def _parsed(name_or_path: str) -> RegisterMap:
    path = _path(name_or_path)
    written = written_in(path)
    try:
        return RegisterMap.model_validate({**_frozen(written), PATH_KEY: path})
    except ValidationError as error:
        raise ConfigError(*(f"{path}: {text}" for each in error.errors() for text in _texts(each))) from error


def names() -> list[str]:
    """The maps that can be loaded by name, sorted."""
    return sorted({path.stem for folder in folders() for path in (folder / "registers").glob("*.toml")})


def schema() -> dict[str, object]:
    """The JSON Schema of a map's file, for editors that check while one types."""
    found = RegisterMap.model_json_schema(by_alias=True)
    found["properties"].pop(PATH_KEY)
    found["required"].remove(PATH_KEY)
    found |= {"title": "packbridge register map", "$schema": "https://json-schema.org/draft/2020-12/schema"}
    return found


def _path(name: str) -> Path:
    if "/" in name or name.endswith(".toml"):
        return Path(name).expanduser()
    for folder in folders():
        if (path := folder / "registers" / f"{name}.toml").is_file():
            return path
    known = names()
    raise ConfigError(f"unknown register map {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")


def _frozen(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return {key: _tuple(one) for key, one in value.items()}


def _tuple(value: object) -> object:
    """TOML's arrays as tuples: strict validation takes them for nothing else."""
    if isinstance(value, list):
        return tuple(_tuple(one) for one in value)
    return _frozen(value) if isinstance(value, dict) else value


def _texts(error: ErrorDetails) -> list[str]:
    """One of pydantic's errors as sentences: key, what was found, what is allowed."""
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        inner = [part for part in error["loc"][:-1] if isinstance(part, str)]
        known = [name for name in TABLES[inner[-1] if inner else ""].model_fields if name != "path"]
        return [f"{key}: unknown key; known: {', '.join(known)}{did_you_mean(str(error['loc'][-1]), known)}"]
    if error["type"] == "missing":
        return [f"{key}: missing"]
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] == "value_error":
        return [f"{key}: {line}" if key else line for line in said.split("\n")]
    return [f"{key}: {error['input']!r} {said}"]
