"""Finds, loads and validates inverter profiles: what one family of inverters wants beyond its dialect.

A profile is one TOML file; its file name is its name in the configuration. They are looked for in
the user's own folder, `$XDG_CONFIG_HOME/packbridge/profiles` (usually `~/.config/...`), then among
those that come with packbridge; a name with a slash or `.toml` is a path. Each such folder holds
`inverters/*.toml` and `dialects/*.dbc`. A file is checked completely before it is used, and every
problem is reported at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

import bridge
from bridge.errors import ConfigError, did_you_mean
from bridge.profile_tables import (
    NEXT_TO_NOTHING_A,
    PATH_KEY,
    TABLES,
    Above,
    Answer,
    Poll,
    Profile,
    Range,
    Slow,
    Table,
)
from bridge.rs485_profile import TABLES as RS485_TABLES
from bridge.rs485_profile import Rs485Profile

__all__ = [
    "NEXT_TO_NOTHING_A", "Above", "Answer", "AnyProfile", "Poll", "Profile", "Range", "Rs485Profile", "Slow",
    "asking", "can", "dialect_path", "find", "folders", "load", "names", "schema",
]  # fmt: skip

AnyProfile = Profile | Rs485Profile

_KINDS: Mapping[object, tuple[type[AnyProfile], Mapping[str, type[Table]]]] = {
    "can": (Profile, TABLES),
    "rs485": (Rs485Profile, RS485_TABLES),
}
"""By transport: the schema of a file, and that of the tables in it."""


def load(name_or_path: str) -> Profile:
    """The profile of that name or path, of an inverter on CAN; raises ConfigError as `find` does, and for
    an inverter that is not on CAN.
    """
    found = find(name_or_path)
    if not isinstance(found, Profile):
        raise ConfigError(f"{found.name} is on RS485, where the inverter asks; this is for CAN")
    return found


def asking(name_or_path: str) -> Rs485Profile:
    """The same, of an inverter that asks over RS485."""
    found = find(name_or_path)
    if not isinstance(found, Rs485Profile):
        raise ConfigError(f"{found.name} is on CAN; this is for inverters that ask over RS485")
    return found


def find(name_or_path: str) -> AnyProfile:
    """The profile of that name or path; raises ConfigError that names file and key of each problem."""
    path = _profile_path(name_or_path)
    written = written_in(path)
    transport = written.get("transport")
    if not isinstance(transport, str) or transport not in _KINDS:
        raise ConfigError(f"{path}: transport: {_transport_fault(transport)}")
    kind, tables = _KINDS[transport]
    try:
        return kind.model_validate({**_frozen(written), PATH_KEY: path})
    except ValidationError as error:
        texts = [text for each in error.errors() for text in _texts(each, tables)]
        raise ConfigError(*(f"{path}: {text}" for text in texts)) from error


def _transport_fault(found: object) -> str:
    allowed = " or ".join(repr(name) for name in _KINDS)
    return f"missing; write {allowed}" if found is None else f"{found!r} should be {allowed}"


def schema() -> dict[str, object]:
    """The JSON Schema of a profile's file, for editors that check while one types."""
    either: TypeAdapter[AnyProfile] = TypeAdapter(Annotated[AnyProfile, Field(discriminator="transport")])
    found = either.json_schema(by_alias=True)
    for kind, _ in _KINDS.values():
        table = found["$defs"][kind.__name__]
        table["properties"].pop(PATH_KEY)
        table["required"].remove(PATH_KEY)
    found |= {"title": "packbridge profile", "$schema": "https://json-schema.org/draft/2020-12/schema"}
    return found


def names() -> list[str]:
    """The profiles that can be loaded by name, sorted."""
    return sorted({path.stem for folder in folders() for path in (folder / "inverters").glob("*.toml")})


def written_in(path: Path) -> dict[str, object]:
    """What a TOML file says; raises ConfigError that names the file."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def can() -> list[str]:
    """Those of them that are for inverters on CAN."""
    return [name for name in names() if isinstance(find(name), Profile)]


def folders() -> list[Path]:
    """Where profiles and dialects are looked for, the user's own folder first."""
    shipped = Path(bridge.__file__).parent / "_profiles"
    checkout = Path(bridge.__file__).parent.parent / "profiles"
    return [*_own_folders(), shipped if shipped.is_dir() else checkout]


def dialect_path(profile: Profile) -> Path:
    """Where the profile's dialect is: beside a profile loaded by path, else in one of `folders()`."""
    file = f"{profile.dialect}.dbc"
    beside = [profile.path.parent / file, profile.path.parent.parent / "dialects" / file]
    for path in [*beside, *(folder / "dialects" / file for folder in folders())]:
        if path.is_file():
            return path
    known = sorted({path.stem for folder in folders() for path in (folder / "dialects").glob("*.dbc")})
    raise ConfigError(
        f"{profile.path}: dialect: unknown dialect {profile.dialect!r}; known: {', '.join(known)}"
        f"{did_you_mean(profile.dialect, known)}"
    )


def _own_folders() -> list[Path]:
    """The user's own folder; none where there is no home, as for some service users."""
    if configured := os.environ.get("XDG_CONFIG_HOME"):
        return [Path(configured) / "packbridge" / "profiles"]
    if home := os.environ.get("HOME"):
        return [Path(home) / ".config" / "packbridge" / "profiles"]
    return []


def _profile_path(name: str) -> Path:
    if "/" in name or name.endswith(".toml"):
        return Path(name).expanduser()
    for folder in folders():
        if (path := folder / "inverters" / f"{name}.toml").is_file():
            return path
    known = names()
    raise ConfigError(
        f"unknown profile {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}; "
        "a path to a file of your own works too"
    )


def _frozen(written: dict[str, object]) -> dict[str, object]:
    """TOML's arrays as tuples: strict validation takes them for nothing else."""
    return {key: _tuple(value) for key, value in written.items()}


def _tuple(value: object) -> object:
    if isinstance(value, list):
        return tuple(_tuple(one) for one in value)
    return _frozen(value) if isinstance(value, dict) else value


def _texts(error: ErrorDetails, tables: Mapping[str, type[Table]]) -> list[str]:
    """One of pydantic's errors as sentences: key, what was found, what is allowed."""
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        table = tables[next((part for part in error["loc"][:-1] if isinstance(part, str)), "")]
        known = [name for name in table.model_fields if name != "path"]
        return [f"{key}: unknown key; known: {', '.join(known)}{did_you_mean(str(error['loc'][-1]), known)}"]
    if error["type"] == "missing":
        return [f"{key}: missing"]
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] == "value_error":
        return [f"{key}: {line}" if key else line for line in said.split("\n")]
    return [f"{key}: {error['input']!r} {said}"]
