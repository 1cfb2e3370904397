"""`packbridge dump record`: a bus into files of bounded size. The work is in `bridge.dump.recorder`."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.dumps import (
    Bitrate,
    Channel,
    Dialects,
    Files,
    Form,
    Frames,
    Ids,
    Interface,
    Profiles,
    Since,
    Until,
    need_numpy,
    told,
)
from bridge.cli.durations import seconds
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.block import Block
    from bridge.dump.recorder import Watch

EPILOG = """[b]Examples[/b]

packbridge dump record --interface socketcan --channel can0 --to /var/log/can --keep 2G

packbridge dump record --interface socketcan --channel can0 --to events --on-gap 3s --pre 10s --post 30s

packbridge dump record month.log.gz --to events --on-alarm --profile deye-lv

Exit codes: 0 frames were recorded, 1 none were, 2 used wrongly."""

EXIT_NOTHING = 1
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
FILE_BYTES_MIN = 1000


def record(
    files: Files = None,
    to: Annotated[Path, typer.Option(help="The folder that the files are written to.")] = Path(),
    prefix: Annotated[str, typer.Option(help="What the files' names begin with.")] = "dump",
    file_size: Annotated[str, typer.Option(help="Of one file at most: 500k, 10M.")] = "10M",
    keep: Annotated[str, typer.Option(help="Of all files together; the oldest goes: 500M, 2G.")] = "1G",
    on_gap: Annotated[
        str | None,
        typer.Option(help="Only around an identifier's silence of so long: 3s.", show_default=False),
    ] = None,
    on_alarm: Annotated[
        bool, typer.Option("--on-alarm", help="Only around an alarm of the profile or dialect.")
    ] = False,
    pre: Annotated[str, typer.Option(help="How long before an event.")] = "10s",
    post: Annotated[str, typer.Option(help="How long behind it.")] = "30s",
    profile: Profiles = None,
    dialect: Dialects = None,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    interface: Interface = None,
    channel: Channel = "can0",
    bitrate: Bitrate = 500_000,
) -> None:
    """Record a bus into candump logs that never take more room than allowed.

    With --on-gap and --on-alarm only what is around such an event is kept.
    Logs are read too, to cut the events out of a long one. Nothing is ever
    sent. CAN FD frames are left out.
    """
    need_numpy()
    from bridge.dump.recorder import Recorder, Rules

    rules = Rules(
        folder=to,
        prefix=prefix,
        file_bytes=_bytes(file_size, "--file-size"),
        total_bytes=_bytes(keep, "--keep"),
        pre_s=seconds(pre, "--pre"),
        post_s=seconds(post, "--post"),
    )
    _check(rules.file_bytes, rules.total_bytes, prefix)
    recorder = Recorder(rules, _watches(on_gap, profile, dialect, on_alarm=on_alarm))
    asked = Frames(
        files=files or [], form=form, since=since, until=until, ids=ids,
        interface=interface, channel=channel, bitrate=bitrate,
    )  # fmt: skip
    clock = _LogClock()
    try:
        with told() as reading:
            for block in asked.blocks(reading):
                for trigger in recorder.feed(block, clock.now_s(block, time.monotonic())):
                    typer.echo(f"({trigger.time_s:.6f}) {trigger.kind}: {trigger.text}", err=True)
    finally:
        recorder.close()
    typer.echo(f"{recorder.written} frames recorded", err=True)
    if recorder.fd_frames:
        typer.echo(f"{recorder.fd_frames} CAN FD frames left out", err=True)
    raise typer.Exit(0 if recorder.written else EXIT_NOTHING)


class _LogClock:
    """What time it is as the log counts: that of its last frame, and what has passed since it was read."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now_s(self, block: Block, monotonic_s: float) -> float:
        """The log's time when this block has come."""
        if len(block):
            self._ahead_s = float(block.time_s.max()) - monotonic_s
        return monotonic_s + self._ahead_s


def _watches(
    on_gap: str | None, profile: list[str] | None, dialect: list[str] | None, *, on_alarm: bool
) -> list[Watch]:
    from bridge.dump import decoding
    from bridge.dump.triggers import AlarmTrigger, GapTrigger

    watches: list[Watch] = []
    if on_gap is not None:
        if (gap_s := seconds(on_gap, "--on-gap")) <= 0:
            raise ConfigError("--on-gap: found 0 s; allowed: more than that")
        watches.append(GapTrigger(gap_s))
    if on_alarm:
        if not profile and not dialect:
            raise ConfigError(
                "--on-alarm: name a --profile or --dialect: where alarms stand is different in each; "
                "`packbridge dump guess` finds it"
            )
        watches.append(AlarmTrigger(decoding.chosen(profile or (), dialect or ())))
    return watches


def _bytes(text: str, option: str) -> int:
    if (found := re.fullmatch(r"(\d{1,12})([kMG]?)B?", text.strip())) is None:
        raise ConfigError(f"{option}: found {text}; write a size with its unit: 500k, 10M or 2G")
    return int(found[1]) * UNITS[found[2]]


def _check(file_bytes: int, total_bytes: int, prefix: str) -> None:
    if not FILE_BYTES_MIN <= file_bytes <= total_bytes:
        raise ConfigError(
            f"--file-size: found {file_bytes} bytes; allowed: {FILE_BYTES_MIN} to {total_bytes}, "
            "which is all that --keep allows"
        )
    if not re.fullmatch(r"[\w.-]+", prefix) or prefix.startswith("."):
        raise ConfigError(f"--prefix: found {prefix!r}; allowed: letters, digits, '_', '-' and '.'")
