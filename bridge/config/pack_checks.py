"""What must hold within one pack: complete, and in an order that physics allows.

Each check is one function; all of them run and none raises. The ranges of single values are the
schema's; here stands what two values must be to each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge.battery.chemistry import PRESETS
from bridge.battery.timing import FRESH_MIN_S, FRESH_PERIODS
from bridge.config.draft import RATINGS, PackDraft
from bridge.config.lines import Key
from bridge.config.link_checks import check_is_accessory, check_is_pack, check_link, spec_of
from bridge.config.port_checks import check_ports
from bridge.config.sentences import Problem, missing

NOT_TOLD = frozenset({"Daly"})
"""Makers whose BMSs tell their rating over no protocol."""


def check_pack(pack: PackDraft) -> Iterator[Problem]:
    """Everything that is wrong with a pack by itself."""
    yield from _complete(pack)
    yield from check_link(pack)
    yield from check_is_pack(pack)
    if pack.balancer is not None:
        yield from check_link(pack.balancer)
        yield from check_is_accessory(pack.balancer)
    yield from [*_voltages_of_chemistry(pack)] or _cell_voltages_in_order(pack)
    yield from check_ports(pack)
    yield from _temperatures_in_order(pack)
    yield from _lost_after_fresh(pack)
    yield from _trips_in_order(pack)


def _complete(pack: PackDraft) -> Iterator[Problem]:
    for key in ("cells", "capacity_ah"):
        if pack.lacks(key):
            yield Problem(pack.at(key), missing(pack.table, key))
    unrated = [key for key in RATINGS if pack.lacks(key)]
    if unrated:
        spec = spec_of(pack)
        told = "" if spec is None or spec.maker not in NOT_TOLD else f", and a {spec.maker} BMS tells none"
        yield Problem(
            pack.at("rated_current_a" if len(unrated) == 2 else unrated[0]),
            f"missing; a pack without a rating has no limit to go by{told}; write what its BMS may carry all "
            "day, for example rated_current_a = 140 for both directions",
        )


def _voltages_of_chemistry(pack: PackDraft) -> Iterator[Problem]:
    if "chemistry" in pack.unreadable:
        return
    low, high = PRESETS[pack.chemistry].range_v
    remark = "" if "chemistry" in pack.origin else '; cells of another kind need chemistry = "nmc" or "lto"'
    for key in ("cell_charge_v", "cell_max_v", "cell_min_v"):
        value = pack.number(key)
        if value is not None and not low <= value <= high:
            yield Problem(
                pack.at(key),
                f"found {value:g}; allowed for {pack.chemistry.upper()} cells: from {low:g} to {high:g} V; "
                f"write for example {key} = {pack.defaults[key]:g}{remark}",
            )


def _cell_voltages_in_order(pack: PackDraft) -> Iterator[Problem]:
    low, charge, high = (pack.number(key) for key in ("cell_min_v", "cell_charge_v", "cell_max_v"))
    if charge is not None and high is not None and charge > high:
        cells = pack.number("cells")
        whole = "" if cells is None else f" (CVL {cells * charge:.1f} V, allowed {cells * high:.1f} V)"
        yield Problem(
            _written(pack, "cell_charge_v", "cell_max_v"),
            f"{pack.said('cell_charge_v')} is above {pack.said('cell_max_v')}{whole}; "
            f"write at most cell_charge_v = {high:g}",
        )
    if low is not None and charge is not None and low >= charge:
        yield Problem(
            _written(pack, "cell_min_v", "cell_charge_v"),
            f"{pack.said('cell_min_v')} is not below {pack.said('cell_charge_v')}; "
            "write a lower cell_min_v or a higher cell_charge_v",
        )


def _temperatures_in_order(pack: PackDraft) -> Iterator[Problem]:
    for way in ("charge", "discharge"):
        low_key, high_key = f"temperature_min_{way}_c", f"temperature_max_{way}_c"
        low, high = pack.number(low_key), pack.number(high_key)
        if low is not None and high is not None and low >= high:
            yield Problem(
                _written(pack, low_key, high_key),
                f"{pack.said(low_key)} is not below {pack.said(high_key)}; write a window with room in it",
            )


def _lost_after_fresh(pack: PackDraft) -> Iterator[Problem]:
    period, lost = pack.number("period_s"), pack.number("lost_after_s")
    if period is None or lost is None:
        return
    fresh = max(FRESH_PERIODS * period, FRESH_MIN_S)
    if lost <= fresh:
        yield Problem(
            _written(pack, "lost_after_s", "period_s"),
            f"{pack.said('lost_after_s')} is too short for {pack.said('period_s')}: "
            f"a pack is fresh for {fresh:g} s; write a longer lost_after_s or a shorter period_s",
        )


def _trips_in_order(pack: PackDraft) -> Iterator[Problem]:
    late, fast = pack.number("ocp_a"), pack.number("ocp_fast_a")
    if late is not None and fast is not None and fast < late:
        yield Problem(
            pack.at("ocp_fast_a"),
            f"{pack.said('ocp_fast_a')} is below {pack.said('ocp_a')}, but a BMS opens at once at the higher "
            "of the two; exchange them",
        )


def _written(pack: PackDraft, *keys: str) -> Key:
    """The first of the keys that the user wrote: a default is nobody's fault."""
    return pack.at(next((key for key in keys if key in pack.origin), keys[0]))
