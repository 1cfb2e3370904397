"""What must hold between the packs of one bank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.config.draft import Draft
from bridge.config.sentences import Problem
from bridge.config.wiring_checks import cells_in_series, check_wiring, together, topology

ROUNDING_V = 1e-9


def check_bank(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong between the packs."""
    yield from _packs_exist(draft)
    yield from _cells_alike(draft)
    yield from _chemistries_alike(draft)
    yield from check_wiring(draft)
    yield from _currents_within_ratings(draft)
    yield from _voltage_possible(draft)


def _packs_exist(draft: Draft) -> Iterator[Problem]:
    if not draft.file.packs and draft.packs_complete:
        yield Problem(("packs",), "there is no pack; write a table [packs.NAME] for each pack of the bank")
    if draft.packs and all(pack.get("excluded") is True for pack in draft.packs):
        yield Problem(
            draft.packs[0].at("excluded"),
            "every pack is excluded, so there is no bank; take the key away from one that is in service",
        )


def _cells_alike(draft: Draft) -> Iterator[Problem]:
    if not _is_flat(draft):
        return
    known = [(pack, cells) for pack in draft.packs if (cells := pack.number("cells")) is not None]
    for pack, cells in known[1:]:
        first, expected = known[0]
        if cells != expected:
            yield Problem(
                pack.at("cells"),
                f"{pack.name} has {cells} cells in series, {first.name} has {expected}; packs in parallel "
                "must have the same number; correct the number, or take the pack off this bus bar",
            )


def _chemistries_alike(draft: Draft) -> Iterator[Problem]:
    known = [pack for pack in draft.packs if "chemistry" not in pack.unreadable]
    for pack in known[1:]:
        first = known[0]
        if pack.chemistry is not first.chemistry:
            yield Problem(
                pack.at("chemistry"),
                f"{pack.name} has {pack.chemistry.upper()} cells, {first.name} {first.chemistry.upper()}; "
                "no charge voltage is right for both; take one of them off this bus bar, or correct the "
                "word",
            )


def _currents_within_ratings(draft: Draft) -> Iterator[Problem]:
    for way in ("charge", "discharge"):
        asked = getattr(draft.file.bank, f"max_{way}_current_a")
        ratings = {pack.name: pack.number(f"rated_{way}_current_a") for pack in draft.packs}
        known = {name: rating for name, rating in ratings.items() if rating is not None}
        all_known = draft.packs_complete and 0 < len(known) == len(ratings)
        if asked is None or not all_known or not _is_wired(draft, known):
            continue
        if asked > (most := together(topology(draft), known)):
            limit = "CCL" if way == "charge" else "DCL"
            yield Problem(
                ("bank", f"max_{way}_current_a"),
                f"found {asked:g}; allowed: at most {most:g}, {_how(draft)} "
                f"rated_{way}_current_a ({limit} over rating); write that or less, or leave it out",
            )


def _is_wired(draft: Draft, known: Mapping[str, float]) -> bool:
    """Whether the wiring is known, and of these packs."""
    wired = topology(draft)
    if wired is None:
        return _is_flat(draft)
    return set(wired.packs) == known.keys()


def _is_flat(draft: Draft) -> bool:
    """Whether the file says nothing of the wiring, not even something that cannot be read."""
    return draft.file.bank.topology is None and ("bank", "topology") not in draft.unreadable


def _how(draft: Draft) -> str:
    return "the sum of the packs'" if topology(draft) is None else "what the wiring makes of the packs'"


def _voltage_possible(draft: Draft) -> Iterator[Problem]:
    if (asked := draft.file.bank.charge_voltage_limit_v) is None:
        return
    in_series = cells_in_series(draft)
    for pack in draft.packs:
        cells, (high, low) = in_series.get(pack.name), (pack.number(k) for k in ("cell_max_v", "cell_min_v"))
        if cells is None or high is None or low is None or cells * low < asked <= cells * high + ROUNDING_V:
            continue
        yield Problem(
            ("bank", "charge_voltage_limit_v"),
            f"found {asked:g}; allowed: above {cells * low:.1f} and at most {cells * high:.1f} V "
            f"({cells:g} cells, {pack.said('cell_min_v')}, {pack.said('cell_max_v')}); write a value between",
        )
