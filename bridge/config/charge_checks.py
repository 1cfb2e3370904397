"""What must hold between the voltages of a charge: again below rest, rest below the target."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.battery.chemistry import PRESETS, Preset
from bridge.config.draft import Draft, PackDraft
from bridge.config.sentences import Problem
from bridge.model import Chemistry

LEAST_V = 0.02  # between the two: a charge that begins where it ended never rests


def check_charge(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong in [charge]."""
    table = draft.file.charge
    for pack in draft.packs:
        target_v, kind = pack.number("cell_charge_v"), _preset(pack)
        if target_v is None or kind is None:
            continue
        rest_v = kind.float_v if table.cell_float_v is None else table.cell_float_v
        again_v = kind.rebulk_v if table.cell_rebulk_v is None else table.cell_rebulk_v
        if table.cell_float_v is not None and rest_v > target_v:
            yield Problem(
                ("charge", "cell_float_v"),
                f"found {rest_v:g}; allowed: at most {target_v:g}, what charging aims at "
                f"({pack.name}: {pack.said('cell_charge_v')}); write that or less",
            )
        if table.cell_float_v is not None and rest_v < kind.floor_v:
            yield Problem(
                ("charge", "cell_float_v"),
                f"found {rest_v:g}; allowed: at least {kind.floor_v:g}, below which a cell of this "
                "chemistry does not stay charged; write that or more",
            )
        highest_v = min(rest_v, target_v) - LEAST_V
        if (table.cell_rebulk_v is not None or table.cell_float_v is not None) and again_v > highest_v + 1e-9:
            key = "cell_rebulk_v" if table.cell_rebulk_v is not None else "cell_float_v"
            yield Problem(
                ("charge", key),
                f"a charge would begin again at {again_v:g} V a cell and end at {min(rest_v, target_v):g}; "
                f"allowed: cell_rebulk_v at least {LEAST_V:g} V below cell_float_v; correct one of the two",
            )


def _preset(pack: PackDraft) -> Preset | None:
    name = pack.text("chemistry")
    return PRESETS[Chemistry(name)] if name in set(Chemistry) else None
