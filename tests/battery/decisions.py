"""Every decision of some scenarios, as one checksum each: `python -m tests.battery.decisions [FILE...]`.

Two installations that print the same decide the same, to the last bit of every number and in every
reason: compiled code and plain Python, or a tree before a change that should change nothing and after it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from bridge.sim import policies, scenario, world
from tests.battery.plain import COMPILED

FOLDER = Path(__file__).parents[2] / "examples" / "scenarios"
USUAL = (
    "bluetooth-dropouts", "cold-morning", "groups-in-series", "lto-cold", "obeys-nothing", "runner-cell",
    "s5-trip-at-full-load", "soc-drift", "strings-one-trips",
)  # fmt: skip


def checksum(file: Path) -> str:
    """Of all decisions of a scenario."""
    found = hashlib.sha256()
    decide = policies.Ours.decide

    def noted(ours: policies.Ours, now: float) -> policies.Said:
        said = decide(ours, now)
        found.update(repr(ours._gateway.decision).encode())
        return said

    setattr(policies.Ours, "decide", noted)  # noqa: B010  # mypy objects to it as an assignment
    try:
        world.run(scenario.load(file), "ours")
    finally:
        setattr(policies.Ours, "decide", decide)  # noqa: B010
    return found.hexdigest()


def main() -> None:
    """Print them."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of a set in its text
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})
    sys.stderr.write("compiled\n" if COMPILED else "plain Python\n")
    for file in [Path(one) for one in sys.argv[1:]] or [FOLDER / f"{name}.toml" for name in USUAL]:
        sys.stdout.write(f"{file.stem} {checksum(file)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
