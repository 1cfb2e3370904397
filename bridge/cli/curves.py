"""`packbridge curves`: over what the limits of each pack fall, and where they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from bridge.battery.curve_book import Shown
    from bridge.config.settings import Config, PackConfig

EPILOG = """[b]Examples[/b]

packbridge curves config.toml

packbridge curves config.toml --pack garage --png curves.png

packbridge curves examples/lto-20s-48v.toml --json

Under each title stands where its curve comes from: lfp, nmc or lto for the chemistry's own, else the preset
or the table [curves.NAME] that the pack names. Dotted lines are hard stops, which no curve moves.
Exit codes: 0 ok, 2 something must be put right."""


def curves(
    config: Path = typer.Argument(..., metavar="CONFIG", help="A configuration file."),
    pack: str | None = typer.Option(None, metavar="NAME", help="Only this pack."),
    png: Path | None = typer.Option(None, help="Draw them into this file (extra: plot)."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object with the points, in A."),
) -> None:
    """Show the curves that each pack's current follows: temperature, cell voltage, charge."""
    from bridge import config as configuration
    from bridge.battery.curve_book import curves_of

    chosen = _chosen(configuration.load(config), pack)
    found = {one.name: curves_of(one.settings) for one in chosen}
    if png is not None:
        from bridge.cli.curve_png import draw

        draw([curve for shown in found.values() for curve in shown], png)
    if as_json:
        packs = [_record(one, found[one.name]) for one in chosen]
        typer.echo(json.dumps({"packs": packs}))
    elif png is None:
        _show(found)


def _chosen(config: Config, name: str | None) -> list[PackConfig]:
    if name is None:
        return list(config.packs)
    chosen = [pack for pack in config.packs if pack.name == name]
    if not chosen:
        known = [pack.name for pack in config.packs]
        raise ConfigError(
            f'--pack: there is no pack "{name}"; there are: {", ".join(known)}{did_you_mean(name, known)}'
        )
    return chosen


def _record(pack: PackConfig, shown: list[Shown]) -> dict[str, object]:
    own = pack.settings
    return {
        "name": pack.name,
        "chemistry": own.chemistry,
        "charge_carry_a": own.charge_carry_a,
        "discharge_carry_a": own.discharge_carry_a,
        "curves": [
            {
                "curve": curve.key,
                "from": curve.name,
                "x_unit": curve.unit,
                "points": [[round(x, 6), round(y, 6)] for x, y in curve.points],
                "stops": list(curve.stops),
            }
            for curve in shown
        ],
    }


def _show(found: dict[str, list[Shown]]) -> None:
    from rich.console import Console

    from bridge.battery.curve_presets import CURVE_SETS
    from bridge.cli.curve_view import picture

    console = Console(highlight=False)
    for shown in found.values():
        console.print(picture(shown))
    used = {curve.name for shown in found.values() for curve in shown}
    for name in sorted(used & {*CURVE_SETS}):
        console.print(f"{name}: {CURVE_SETS[name].source}", style="dim", markup=False)
