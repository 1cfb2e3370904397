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
from pathlib import Path

from pydantic import ValidationError
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
)

__all__ = [
    "NEXT_TO_NOTHING_A", "Above", "Answer", "Poll", "Profile", "Range", "Slow",
    "dialect_path", "folders", "load", "names", "schema",
]  # fmt: skip


def load(name_or_path: str) -> Profile:
    """The profile of that name or path; raises ConfigError that names file and key of each problem."""
    path = _profile_path(name_or_path)
    try:
        with path.open("rb") as file:
            written = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return Profile.model_validate({**_frozen(written), PATH_KEY: path})
    except ValidationError as error:
        raise ConfigError(*(f"{path}: {text}" for each in error.errors() for text in _texts(each))) from error


def schema() -> dict[str, object]:
    """The JSON Schema of a profile's file, for editors that check while one types."""
    found = Profile.model_json_schema(by_alias=True)
    found["properties"].pop(PATH_KEY)
    found["required"].remove(PATH_KEY)
    found |= {"title": "packbridge profile", "$schema": "https://json-schema.org/draft/2020-12/schema"}
    return found


def names() -> list[str]:
    """The profiles that can be loaded by name, sorted."""
    return sorted({path.stem for folder in folders() for path in (folder / "inverters").glob("*.toml")})


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


def _texts(error: ErrorDetails) -> list[str]:
    """One of pydantic's errors as sentences: key, what was found, what is allowed."""
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        table = TABLES[next((part for part in error["loc"][:-1] if isinstance(part, str)), "")]
        known = [name for name in table.model_fields if name != "path"]
        return [f"{key}: unknown key; known: {', '.join(known)}{did_you_mean(str(error['loc'][-1]), known)}"]
    if error["type"] == "missing":
        return [f"{key}: missing"]
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] == "value_error":
        return [f"{key}: {line}" if key else line for line in said.split("\n")]
    return [f"{key}: {error['input']!r} {said}"]
