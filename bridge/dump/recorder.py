"""Records a bus into files that never take more room than allowed; all of it, or what is around an event.

Files are candump's logs, named by the time of their first frame, so that names sort by time. When they
are too many, the oldest goes; only files with such names, and its own prefix, are ever touched.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from bridge.dump.block import FD, Block
from bridge.dump.meaning import raw_text
from bridge.dump.triggers import Trigger
from bridge.errors import ConfigError

STAMP = "%Y%m%dT%H%M%SZ"
NAME = r"-(\d{8}T\d{6}Z)(?:-(\d+))?(?:-[a-z]+)?\.log"


class Watch(Protocol):
    """Something that makes a recorder record."""

    def look(self, block: Block, now_s: float) -> Iterator[Trigger]:
        """What happened in this block, or by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to record. total_bytes: of all files; file_bytes: of one. pre_s, post_s: around a trigger."""

    folder: Path
    prefix: str = "dump"
    file_bytes: int = 10_000_000
    total_bytes: int = 1_000_000_000
    pre_s: float = 10.0
    post_s: float = 30.0


@dataclass(slots=True)
class Recorder:
    """Writes blocks to files. watches: without any, everything is recorded.

    fd_frames: that were left out, because only their first bytes are known.
    """

    rules: Rules
    watches: Sequence[Watch] = ()
    written: int = 0  # frames
    fd_frames: int = 0
    _file: IO[bytes] | None = None
    _size: int = 0
    _first_s: float = math.inf
    _until_s: float = -math.inf
    _kind: str = ""
    _last: tuple[str, int] = ("", 0)  # file: its time and number
    _waiting: deque[Block] = field(default_factory=deque)

    def feed(self, block: Block, now_s: float) -> list[Trigger]:
        """One block more; what was triggered. now_s: as the log counts. Raises ConfigError on a full disk."""
        if not self.watches:
            self._write(block)
            return []
        found = [trigger for watch in self.watches for trigger in watch.look(block, now_s)]
        triggers = sorted(found, key=lambda trigger: trigger.time_s)
        self._waiting.append(block)
        for trigger in triggers:
            self._extend(trigger)
        self._flush()
        if now_s > self._until_s:
            self.close()
            self._forget(now_s - self.rules.pre_s)
        return triggers

    def close(self) -> None:
        """End the file that is written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _extend(self, trigger: Trigger) -> None:
        """Record around this, in the same file if one is being written at that time."""
        first_s, until_s = trigger.time_s - self.rules.pre_s, trigger.time_s + self.rules.post_s
        if first_s <= self._until_s:
            self._until_s = max(self._until_s, until_s)
            return
        self._flush()
        self.close()
        self._first_s, self._until_s, self._kind = first_s, until_s, trigger.kind

    def _flush(self) -> None:
        """Write what is wanted of what waits; what came later waits on."""
        waiting, self._waiting = self._waiting, deque()
        for block in waiting:
            self._write(block.take((block.time_s >= self._first_s) & (block.time_s <= self._until_s)))
            self._keep(block, self._until_s)

    def _forget(self, before_s: float) -> None:
        """Let go of what is too old for a trigger that would come now."""
        while self._waiting and float(self._waiting[0].time_s.max()) < before_s:
            self._waiting.popleft()

    def _keep(self, block: Block, after_s: float) -> None:
        later = block.time_s > after_s
        if later.any():
            self._waiting.append(block if later.all() else block.take(later))

    def _write(self, block: Block) -> None:
        fd = (block.flags & FD) != 0
        self.fd_frames += int(np.count_nonzero(fd))
        for row in np.flatnonzero(~fd).tolist():
            self._line(float(block.time_s[row]), _line(block, row))
        if self._file is not None:
            self._file.flush()

    def _line(self, time_s: float, line: bytes) -> None:
        try:
            if self._file is None or self._size + len(line) > self.rules.file_bytes:
                self.close()
                self._make_room()
                self._file, self._size = self._opened(time_s), 0
            self._file.write(line)
        except OSError as error:
            raise ConfigError(f"{self.rules.folder}: cannot be written: {error.strerror}") from error
        self._size += len(line)
        self.written += 1

    def _opened(self, time_s: float) -> IO[bytes]:
        """A new file; those of one second have rising numbers, whatever has been removed of them."""
        self.rules.folder.mkdir(parents=True, exist_ok=True)
        stamp = dt.datetime.fromtimestamp(0.0 if math.isnan(time_s) else time_s, dt.UTC).strftime(STAMP)
        number = self._last[1] + 1 if self._last[0] == stamp else 1
        while True:
            middle = (f"-{number}" if number > 1 else "") + (f"-{self._kind}" if self._kind else "")
            path = self.rules.folder / f"{self.rules.prefix}-{stamp}{middle}.log"
            self._last = (stamp, number)
            try:
                return path.open("xb")
            except FileExistsError:
                number += 1

    def _make_room(self) -> None:
        """Remove the oldest files until one more has room."""
        own = re.compile(re.escape(self.rules.prefix) + NAME)
        files = sorted(
            (found[1], int(found[2] or 1), path)
            for path in self.rules.folder.glob("*.log")
            if (found := own.fullmatch(path.name))
        )
        total = sum(path.stat().st_size for *_, path in files)
        for *_, path in files:
            if total + self.rules.file_bytes <= self.rules.total_bytes:
                return
            total -= path.stat().st_size
            path.unlink()


def _line(block: Block, row: int) -> bytes:
    time_s = float(block.time_s[row])
    channel = block.channels[block.channel[row]] if block.channels else ""
    stamp = "" if math.isnan(time_s) else f"({time_s:017.6f}) "
    return f"{stamp}{channel.replace(' ', '_') or 'can0'} {raw_text(block, row)}\n".encode()
