"""What a gateway remembers over a restart: one small JSON file, which nothing depends on.

The file is written beside its place and moved over the old one, so a power cut leaves the one or the
other. Whatever is wrong with it, the gateway runs: a file that cannot be read is put aside for whoever
wants to look, and everything begins as on the first day. It carries the wall clock, because the clock
that everything else runs by begins anew with each boot; whoever restores draws whole days from it.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

VERSION = 1
LARGEST_B = 1_000_000
WRITE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier run left. away_s: how long ago, never negative. problem: what was wrong, for people."""

    state: Mapping[str, object] = field(default_factory=dict)
    away_s: float = 0.0
    problem: str | None = None


def directory(asked: str | None, environment: Mapping[str, str]) -> Path:
    """Where state belongs: as asked, else as systemd says, else as the user's desktop says."""
    if asked is not None:
        return Path(asked).expanduser()
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if given := environment.get("XDG_STATE_HOME"):
        return Path(given) / "packbridge"
    return Path(environment.get("HOME", "/")) / ".local" / "state" / "packbridge"


class StateFile:
    """The file of one gateway. clock: seconds since 1970."""

    def __init__(self, folder: Path, gateway: str, clock: Callable[[], float] = time.time) -> None:
        self.path = folder / f"{gateway}.json"
        self._clock = clock

    def load(self) -> Kept:
        """What is in it. Never raises: what cannot be used is put aside, and said."""
        try:
            with self.path.open("rb") as file:
                data = file.read(LARGEST_B + 1)
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            return Kept(problem=f"{self.path}: {error.strerror}")
        try:
            return self._kept(data)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return Kept(problem=f"{self.path}: {error}; {self._put_aside()}")

    def save(self, state: Mapping[str, object]) -> None:
        """Replace what is in it, readable for its owner only. Raises OSError; then it is as before."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = {"version": VERSION, "saved_utc": self._timestamp("%Y-%m-%dT%H:%M:%SZ"), "state": state}
        with NamedTemporaryFile(  # its mode is 0600
            "w", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False, encoding="utf-8"
        ) as file:
            try:
                json.dump(record, file, indent=1, allow_nan=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self.path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        self._sync_folder()

    def _kept(self, data: bytes) -> Kept:
        if len(data) > LARGEST_B:
            raise ValueError("far too large")
        record = json.loads(data)
        if not isinstance(record, dict) or not isinstance(record.get("state"), dict):
            raise TypeError("not a state file")
        if record.get("version") != VERSION:
            raise ValueError(f"version {record.get('version')!r}, of another packbridge")
        saved = datetime.strptime(record["saved_utc"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return Kept(record["state"], max(0.0, self._clock() - saved.timestamp()))

    def _put_aside(self) -> str:
        aside = self.path.with_name(f"{self.path.name}.corrupt-{self._timestamp('%Y%m%dT%H%M%SZ')}")
        try:
            self.path.replace(aside)
        except OSError as error:
            return f"it cannot be put aside: {error.strerror}"
        return f"put aside as {aside.name}"

    def _timestamp(self, form: str) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime(form)

    def _sync_folder(self) -> None:
        """The move itself is only on the disk once its folder is; not every file system can."""
        with suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


class Keeper:
    """Writes a `StateFile` beside the event loop, one write at a time, the newest state last.

    complain: told once that the file cannot be written, and again after it could.
    """

    def __init__(self, file: StateFile, complain: Callable[[str], None]) -> None:
        self._file = file
        self._complain = complain
        self._wanted: Mapping[str, object] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def keep(self, state: Mapping[str, object]) -> None:
        """Write it soon."""
        self._wanted = state
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write(), name="state")

    async def finish(self) -> None:
        """Wait for what is to be written; a disk that hangs may not hold us."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=WRITE_TIMEOUT_S)

    async def _write(self) -> None:
        while self._wanted is not None:
            state, self._wanted = self._wanted, None
            try:
                await asyncio.to_thread(self._file.save, state)
                self._failing = False
            except (OSError, ValueError, TypeError) as error:
                if not self._failing:
                    self._complain(f"{self._file.path}: {getattr(error, 'strerror', None) or error}")
                self._failing = True
