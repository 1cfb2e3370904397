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
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

import bridge
from bridge.errors import ConfigError, did_you_mean

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
CanId = Annotated[int, Field(ge=0, le=0x1FFFFFFF)]
Text = Annotated[str, Field(min_length=1)]

NEXT_TO_NOTHING_A = 0.1  # what inverters that ignore 0 A are sent instead
PATH_KEY = "<path>"  # the loader's, beside the keys of the file


class Table(BaseModel):
    """A table of a profile: no key unknown, no value converted, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Range(Table):
    """What the inverter accepts of a quantity, in its unit. Values outside are clamped."""

    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Above(Table):
    """A value that the inverter wants above another one. of: the other's signal. by: at least so much."""

    of: Text
    by: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Answer(Table):
    """A frame that the inverter sends: for the status only, never a condition for sending to it.

    may_be_late_s: after so long without one the inverter counts as not heard.
    """

    id: CanId
    extended: bool = False
    length: Annotated[int, Field(ge=0, le=8)] = 8
    period_s: Seconds
    may_be_late_s: Seconds


class Wiring(Table):
    """What the person with the cable needs. pins: of the inverter's socket, number to meaning."""

    socket: Text
    pins: Mapping[str, str]
    termination: Text
    notes: tuple[Text, ...] = ()


class Profile(Table):
    """One inverter family. The keys of the TOML file, in its order.

    evidence: "field" (captures or two independent projects), "project" (one), "document" (nobody has
    tried). order: identifiers of a cycle's frames. optional: those of them that are left out while one
    of their values is not known. pad_to: bytes that each frame has at least. stop:
    what CVL is sent while CCL is 0, "pack-voltage" (never below the battery's present voltage) or
    "decided". hold_soc_ends: 100 % is only said while CCL is 0, 0 % only while DCL is 0. dead_man_s:
    without a fresh decision for so long we are silent. silence_after_s: with all packs lost for so
    long we are silent too. comm_fault_s: so long after our silence the inverter reports a loss of
    its battery. constants, unknown, ranges, steps, above: by signal name; unknown is what is sent for
    a value that was never known, steps are coarser than the frame's own, above keeps two values apart.
    """

    path: Path = Field(validation_alias=PATH_KEY, exclude=True)
    family: Text
    transport: Literal["can"]
    dialect: Text
    evidence: Literal["field", "project", "document"]
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    quirks: tuple[Text, ...] = ()
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)]
    period_s: Seconds
    spacing_s: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    order: Annotated[tuple[CanId, ...], Field(min_length=1)]
    optional: tuple[CanId, ...] = ()
    pad_to: Literal[0, 8] = 8
    dead_man_s: Seconds
    comm_fault_s: Seconds
    comm_fault_evidence: Literal["known", "assumed"]
    comm_fault_shown: Text | None = None
    silence_after_s: Seconds | None = None
    stop: Literal["pack-voltage", "decided"] = "decided"
    hold_soc_ends: bool = False
    constants: Mapping[str, int | str] = {}
    unknown: Mapping[str, Number] = {}
    ranges: Mapping[str, Range] = {}
    steps: Mapping[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    above: Mapping[str, Above] = {}
    answers: tuple[Answer, ...] = ()
    menu: Annotated[tuple[Text, ...], Field(min_length=1)]
    wiring: Wiring

    @property
    def name(self) -> str:
        """The profile's name in the configuration."""
        return self.path.stem

    @model_validator(mode="after")
    def _consistent(self) -> Profile:
        problems = []
        if len(set(self.order)) < len(self.order):
            problems.append("order: an identifier stands twice")
        if self.spacing_s * len(self.order) > self.period_s:
            problems.append(f"spacing_s: {len(self.order)} frames do not fit into period_s {self.period_s}")
        if self.dead_man_s < 2 * self.period_s:
            problems.append(f"dead_man_s: {self.dead_man_s} is less than two periods of {self.period_s}")
        if self.comm_fault_s <= self.period_s:
            problems.append(f"comm_fault_s: {self.comm_fault_s} would pass between two cycles")
        for name in ("charge_current_limit_a", "discharge_current_limit_a"):
            least_a = self.ranges.get(name, Range()).min
            if least_a is not None and least_a > NEXT_TO_NOTHING_A:
                problems.append(
                    f"ranges.{name}: min {least_a} would turn no current into more than {NEXT_TO_NOTHING_A} A"
                )
        problems += [
            f"optional: 0x{can_id:X} is not in order" for can_id in self.optional if can_id not in self.order
        ]
        problems += [f"above.{name}: a limit is never raised" for name in self.above if "_limit_" in name]
        problems += [f"unknown.{name}: a limit is always known" for name in self.unknown if "_limit_" in name]
        if problems:
            raise ValueError("\n".join(problems))
        return self


TABLES: Mapping[str, type[Table]] = {
    "": Profile,
    "above": Above,
    "answers": Answer,
    "ranges": Range,
    "wiring": Wiring,
}


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
