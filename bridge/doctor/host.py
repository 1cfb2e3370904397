"""The machine as the checks may see it: files below a root, commands that only show, and no more.

Everything is given from outside, so that a test's machine is a folder and a few recorded outputs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

COMMAND_TIMEOUT_S = 5.0

Run = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that runs. name: as the kernel cuts it off, 15 letters at the most."""

    pid: int
    name: str
    command: tuple[str, ...]

    @property
    def is_gateway(self) -> bool:
        """Whether it is `packbridge run`, started in whatever way."""
        ours = any(
            Path(word).name == "packbridge" or word in {"bridge", "bridge.cli.main"} for word in self.command
        )
        return ours and "run" in self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """root: where / is. run: a command's output, None if there is no such command or it failed.

    may: whether this user may do with a path what os.R_OK and the like stand for. has_module: whether
    a Python module can be imported.
    """

    root: Path
    run: Run
    may: Callable[[Path, int], bool]
    has_module: Callable[[str], bool]
    environment: Mapping[str, str] = field(default_factory=dict)

    def path(self, absolute: str) -> Path:
        """Where a path of the machine is."""
        return self.root / absolute.lstrip("/")

    def shown(self, path: Path) -> str:
        """The path as the machine calls it."""
        return "/" + str(path.relative_to(self.root))

    def text(self, absolute: str) -> str | None:
        """What stands in a small file; None if it can't be read."""
        try:
            return self.path(absolute).read_text(errors="replace").strip("\n\0")
        except OSError:
            return None

    def under(self, absolute: str, pattern: str = "*") -> list[Path]:
        """What there is in a folder, sorted; nothing if there is no such folder."""
        return sorted(self.path(absolute).glob(pattern))

    def device(self, absolute: str) -> Path:
        """The device behind a name that may be a link, as the machine calls it."""
        path = self.path(absolute)
        for _ in range(8):
            if not path.is_symlink():
                break
            target = path.readlink()
            path = (
                self.path(str(target))
                if target.is_absolute()
                else Path(os.path.normpath(path.parent / target))
            )
        return Path(self.shown(path))

    def device_path(self, absolute: str) -> Path:
        """Where that device is."""
        return self.path(str(self.device(absolute)))

    def serial_names(self) -> list[str]:
        """The serial ports that are here, those with a lasting name first."""
        lasting = [self.shown(path) for path in self.under("/dev/serial/by-id")]
        numbered = [self.shown(path) for kind in ("ttyUSB*", "ttyACM*") for path in self.under("/dev", kind)]
        return lasting + numbered

    def processes(self) -> list[Process]:
        """Everything that runs."""
        found = []
        for folder in self.under("/proc", "[0-9]*"):
            here = self.shown(folder)
            name, command = self.text(f"{here}/comm"), self.text(f"{here}/cmdline")
            if name is not None:
                found.append(Process(int(folder.name), name, tuple((command or "").split("\0"))))
        return sorted(found, key=lambda process: process.pid)

    def json(self, *command: str) -> object:
        """A command's output as JSON; None if there is none."""
        output = self.run(command)
        try:
            return None if output is None else json.loads(output)
        except ValueError:
            return None

    def packbridge(self, *arguments: str) -> object:
        """The same of one of our own commands."""
        return self.json(sys.executable, "-m", "bridge", *arguments)


def this_host() -> Host:
    """The machine that we run on."""
    return Host(root=Path("/"), run=_run, may=os.access, has_module=_has_module, environment=dict(os.environ))


def _run(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # each is a literal in a check, with names from a checked file
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
