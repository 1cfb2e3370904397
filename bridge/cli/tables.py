"""The live picture of a gateway in a terminal: packs, bank, limits with their reasons, inverter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Picture = Mapping[str, object]

STATE_STYLES = {"active": "green", "joining": "cyan", "stale": "yellow", "unknown": "dim"}
LIMITS = (
    ("CVL", "charge_voltage_limit_v", "V"),
    ("CCL", "charge_current_limit_a", "A"),
    ("DCL", "discharge_current_limit_a", "A"),
    ("DVL", "discharge_voltage_limit_v", "V"),
)


def overview(picture: Picture) -> RenderableType:
    """Everything of one `snapshot` with the inverter's view beside it."""
    parts: list[RenderableType] = [_packs(_list(picture, "packs")), _bank(_map(picture, "bank"))]
    parts.append(_limits(_map(picture, "limits")))
    if inverter := _map(picture, "inverter"):
        parts.append(_inverter(inverter))
    return Panel(Group(*parts), title=f"packbridge  t = {_shown(picture.get('t'), '.1f')} s", expand=False)


def _packs(packs: Sequence[Picture]) -> Table:
    table = Table(title="Packs", title_justify="left", expand=True)
    table.add_column("pack")
    table.add_column("state")
    for column in ("age s", "V", "A", "SoC %", "cell min V", "cell max V", "temperatures"):
        table.add_column(column, justify="right")
    for pack in packs:
        state = str(pack["state"])
        table.add_row(
            str(pack["name"]),
            Text(state, style=STATE_STYLES.get(state, "red")),
            _shown(pack.get("age_s"), ".1f"),
            _shown(pack.get("voltage_v"), ".2f"),
            _shown(pack.get("current_a"), "+.2f"),
            _shown(pack.get("soc_pct"), ".0f"),
            _shown(pack.get("cell_min_v"), ".3f"),
            _shown(pack.get("cell_max_v"), ".3f"),
            " ".join(_shown(one, ".1f") for one in cast(Sequence[object], pack.get("temperatures_c", ()))),
        )
    return table


def _bank(bank: Picture) -> Text:
    return Text(
        f"Bank   {_shown(bank.get('voltage_v'), '.2f')} V   {_shown(bank.get('current_a'), '+.1f')} A   "
        f"SoC {_shown(bank.get('soc_pct'), '.1f')} %   "
        f"{bank.get('packs_online', 0)} of {bank.get('pack_count', 0)} packs online",
        style="bold",
    )


def _limits(limits: Picture) -> Table:
    table = Table(title="Limits, and why they are not higher", title_justify="left", expand=True)
    table.add_column("limit")
    table.add_column("value", justify="right")
    table.add_column("because")
    why = _map(limits, "why")
    for short, key, unit in LIMITS:
        reasons = _list(why, key)
        because = f"{reasons[0]['rule']}: {reasons[0].get('text', '')}" if reasons else ""
        table.add_row(short, f"{_shown(limits.get(key), '.1f')} {unit}", because)
    return table


def _inverter(view: Picture) -> Text:
    fault = bool(view.get("fault"))
    alarms = cast(Sequence[str], view.get("alarms", ()))
    return Text.assemble(
        ("Inverter sees   ", "bold"),
        (
            f"CVL {_shown(view.get('charge_voltage_limit_v'), '.1f')} V   "
            f"CCL {_shown(view.get('charge_current_limit_a'), '.1f')} A   "
            f"DCL {_shown(view.get('discharge_current_limit_a'), '.1f')} A   "
            f"SoC {_shown(view.get('soc_pct'), '.0f')} %   "
            f"battery {_shown(view.get('current_a'), '+.1f')} A   "
        ),
        ("COMM FAULT  " if fault else "no fault  ", "bold red" if fault else "green"),
        (", ".join(alarms), "yellow"),
    )


def _shown(value: object, form: str) -> str:
    return "-" if not isinstance(value, int | float) else format(value, form)


def _map(picture: Picture, key: str) -> Picture:
    return cast(Picture, picture.get(key) or {})


def _list(picture: Picture, key: str) -> Sequence[Picture]:
    return cast(Sequence[Picture], picture.get(key) or ())
