"""docs/inverters.md says what the profiles say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge import profiles
from bridge.profiles import AnyProfile, Profile, Rs485Profile

PAGE = (Path(__file__).parents[2] / "docs" / "inverters.md").read_text("utf-8")
BEGIN, END = "<!-- generated: inverters -->\n", "<!-- end -->"
HEAD = "| profile | inverter | dialect | line | proven by | stops after |\n|---|---|---|---|---|---|\n"


def row(profile: AnyProfile) -> str:
    known = profile.comm_fault_evidence == "known"
    stops = f"{profile.comm_fault_s:g} s" if known else f"({profile.comm_fault_s:g} s)"
    line = f"CAN {profile.bitrate // 1000}k" if isinstance(profile, Profile) else f"RS485 {profile.baudrate}"
    cells = (f"`{profile.name}`", profile.family, profile.dialect, line, profile.evidence, stops)
    return f"| {' | '.join(cells)} |\n"


def table() -> str:
    """The table as it should stand between the marks."""
    shipped = sorted((profiles.folders()[-1] / "inverters").glob("*.toml"))
    return HEAD + "".join(row(profiles.find(str(path))) for path in shipped)


def test_the_table_of_inverters_is_that_of_the_profiles() -> None:
    assert PAGE.split(BEGIN)[1].split(END)[0] == table()


@pytest.mark.parametrize("key", sorted({*Profile.model_fields, *Rs485Profile.model_fields} - {"path"}))
def test_every_key_of_a_profile_is_explained(key: str) -> None:
    explained = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert any(f"`{key}`" in line.split("|")[1] for line in explained)
