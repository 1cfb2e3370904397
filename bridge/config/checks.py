"""Everything that must hold between a file's values, and what only deserves a warning.

Physics first: no configuration may ask for more than the cells, the ratings and the cable allow.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge import profiles
from bridge.battery.chemistry import PRESETS
from bridge.config.bank_checks import check_bank
from bridge.config.charge_checks import check_charge
from bridge.config.control_checks import check_control
from bridge.config.curves import check_curves
from bridge.config.division_checks import division_warnings
from bridge.config.draft import RATINGS, Draft
from bridge.config.inverter_checks import check_inverters
from bridge.config.pack_checks import check_pack
from bridge.config.port_checks import unprotected
from bridge.config.redundancy_checks import check_redundancy
from bridge.config.sentences import Problem
from bridge.config.wire_checks import check_wires
from bridge.config.wiring_checks import TALL, cells_in_series, not_series_rated, one_wire_in_string, tallest

PLAUSIBLE_C_RATE = 5.0


def problems(draft: Draft) -> list[Problem]:
    """Everything that must be put right before this configuration can be used."""
    packs = [problem for pack in draft.packs for problem in check_pack(pack)]
    return [
        *packs,
        *check_curves(draft),
        *check_wires(draft),
        *check_bank(draft),
        *check_charge(draft),
        *check_inverters(draft),
        *check_control(draft),
        *check_redundancy(draft),
    ]


def warnings(draft: Draft) -> list[Problem]:
    """What can be used, but is probably not what was meant."""
    return [
        *not_series_rated(draft),
        *one_wire_in_string(draft),
        *_rating_implausible(draft),
        *_cold_charge(draft),
        *[problem for pack in draft.packs for problem in unprotected(pack)],
        *_no_inverter(draft),
        *_untested_profile(draft),
        *_low_for_inverter(draft),
        *division_warnings(draft),
        *_other_cells(draft),
    ]


def _rating_implausible(draft: Draft) -> Iterator[Problem]:
    for pack in draft.packs:
        capacity = pack.number("capacity_ah")
        for key in RATINGS:
            rating = pack.number(key)
            if capacity is not None and rating is not None and rating > PLAUSIBLE_C_RATE * capacity:
                yield Problem(
                    pack.at(key),
                    f"{rating:g} A is over {PLAUSIBLE_C_RATE:g} times capacity ({pack.said('capacity_ah')});"
                    " is one of the two wrong?",
                )


def _cold_charge(draft: Draft) -> Iterator[Problem]:
    for pack in draft.packs:
        limit, plating_c = pack.number("temperature_min_charge_c"), PRESETS[pack.chemistry].plating_c
        if limit is not None and limit < plating_c:
            yield Problem(
                pack.at("temperature_min_charge_c"),
                f"found {limit:g}; charging at or below {plating_c:g} degC plates lithium in "
                f"{pack.chemistry.upper()} cells and ruins them: no curve allows it, so this has no effect; "
                "leave it out",
            )


def _no_inverter(draft: Draft) -> Iterator[Problem]:
    if not draft.file.inverters:
        yield Problem(
            ("inverters",), "there is no inverter; `packbridge run` needs a table [inverters.NAME] to send to"
        )


def _untested_profile(draft: Draft) -> Iterator[Problem]:
    for name, table in draft.file.inverters.items():
        profile = None if table.profile is None else profiles.find(draft.profile(table.profile))
        if profile is not None and profile.evidence == "document":
            yield Problem(
                ("inverters", name, "profile"),
                f"{profile.name} was made from documents and tried by nobody that we know of; begin with "
                "small limits, and compare what the inverter shows with what it is sent",
            )


def _low_for_inverter(draft: Draft) -> Iterator[Problem]:
    for name, table in draft.file.inverters.items():
        profile = None if table.profile is None else profiles.find(draft.profile(table.profile))
        if profile is not None and profile.battery == "high-voltage" and tallest(draft) <= TALL:
            yield Problem(
                ("inverters", name, "profile"),
                f"{profile.name} is for inverters with a high-voltage battery, and only {tallest(draft):g} "
                "cells stand in series; most do not start with so few",
            )


def _other_cells(draft: Draft) -> Iterator[Problem]:
    for name, table in draft.file.inverters.items():
        profile = None if table.profile is None else profiles.find(draft.profile(table.profile))
        if profile is None or profile.cells_assumed is None:
            continue
        others = {cells for cells in cells_in_series(draft).values() if cells != profile.cells_assumed}
        if others:
            yield Problem(
                ("inverters", name, "profile"),
                f"{profile.name} takes every battery for one of {profile.cells_assumed} cells in series, "
                f"and this one has {min(others):g}; see packbridge profiles show {profile.name}",
            )
