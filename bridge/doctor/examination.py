"""Carries out all checks, each found by its place in `checks/`."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bridge.doctor import checks as folder
from bridge.doctor.contract import Case, Check, Finding
from bridge.doctor.host import Host
from bridge.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding and the name of the check that made it."""

    check: str
    finding: Finding

    def report(self) -> dict[str, str]:
        """The same as JSON can carry it."""
        one = self.finding
        return {
            "check": self.check,
            "verdict": one.verdict.value,
            "looked_at": one.looked_at,
            "saw": one.saw,
            "do": one.do,
        }


def case(path: Path | None) -> Case:
    """The case for a configuration file, or for the machine alone. A file that is wrong is a finding."""
    if path is None:
        return Case()
    from bridge import config as configuration

    try:
        return Case(path=str(path), config=configuration.load(path))
    except ConfigError as error:
        return Case(path=str(path), problems=error.problems)


def checks() -> dict[str, Check]:
    """All checks by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    return {name: cast(Check, importlib.import_module(f"{folder.__name__}.{name}")) for name in names}


def examine(case: Case, host: Host) -> list[Examined]:
    """Everything that all checks find."""
    return [Examined(name, finding) for name, check in checks().items() for finding in check.look(case, host)]
