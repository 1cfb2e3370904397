"""Finds scenarios: by path, by name among those that come with packbridge, or drawn by their number."""

from __future__ import annotations

from pathlib import Path

import bridge
from bridge.errors import ConfigError, did_you_mean
from bridge.sim import draw
from bridge.sim.scenario import Scenario, load


def folder() -> Path:
    """Where the scenarios are that come with packbridge."""
    package = Path(bridge.__file__).parent
    shipped, checkout = package / "_scenarios", package.parent / "examples" / "scenarios"
    return shipped if shipped.is_dir() else checkout


def paths(where: Path | None = None) -> list[Path]:
    """The scenario files of a folder, sorted; raises ConfigError if there is none."""
    found = sorted((where or folder()).glob("*.toml"))
    if not found:
        raise ConfigError(f"{where or folder()}: no scenario there; name a folder with *.toml files")
    return found


def get(name: str) -> Scenario:
    """The scenario of a path, a name, or `random-SEED-NUMBER`."""
    if "/" in name or name.endswith(".toml"):
        return load(Path(name))
    known = {path.stem: path for path in folder().glob("*.toml")}
    if name in known:
        return load(known[name])
    if name.startswith(draw.PREFIX):
        return draw.named(name)
    raise ConfigError(
        f"unknown scenario {name!r}; known: {', '.join(sorted(known))}{did_you_mean(name, known)}; "
        "a path to a file, or random-SEED-NUMBER, works too"
    )
