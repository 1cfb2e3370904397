"""`packbridge encode`: decisions on stdin, what a profile makes of them as candump lines on stdout."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import typer

EXIT_MISUSE = 2


def encode(
    profile: str = typer.Argument(..., help="A profile's name, or the path of one."),
    file: Path | None = typer.Argument(None, help="JSON lines, one decision each. Default: stdin."),
    channel: str = typer.Option("can0", help="The interface's name in the output."),
) -> None:
    """Show the frames that an inverter would be sent for each decision.

    A decision is one JSON object a line. Needed are voltage_v, soc_pct,
    charge_voltage_limit_v, charge_current_limit_a and
    discharge_current_limit_a. It may have current_a, soh_pct, temperature_c,
    discharge_voltage_limit_v, charge_enabled and discharge_enabled (if not
    given they follow their limits), force_charge, full_charge_request,
    module_count, alarms (those that act) and warnings. What an inverter has
    no room for (remaining_ah, cycles, cell_max_v, ...) may stand there too.

    The next line follows one period later. A line that can't be used is
    reported on stderr and takes its period as silence; the rest goes on, and
    the exit code is 2.
    """
    from bridge import profiles
    from bridge.errors import ConfigError
    from bridge.sinks.offline import OfflineEncoder, candump

    encoder = OfflineEncoder(profiles.load(profile))
    try:
        raw = sys.stdin.buffer if file is None else file.open("rb")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    failed = False
    with io.TextIOWrapper(raw, encoding="utf-8", errors="replace") as lines:
        for cycle in encoder.cycles(lines):
            for time_s, frame in cycle.frames:
                typer.echo(candump(time_s, channel, frame))
            for problem in cycle.problems:
                typer.echo(f"line {cycle.line}: {problem}", err=True)
                failed = True
    if failed:
        raise typer.Exit(EXIT_MISUSE)


EPILOG = """[b]Examples[/b]

echo '{"voltage_v": 52.1, "soc_pct": 61, "charge_voltage_limit_v": 56.0,
"charge_current_limit_a": 100, "discharge_current_limit_a": 120}' | packbridge encode deye-lv

packbridge encode deye-lv decisions.jsonl --channel vcan0 | canplayer vcan0=vcan0

packbridge encode ./my-inverter.toml decisions.jsonl > cycle.log"""
