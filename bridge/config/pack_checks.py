"""What must hold within one pack: complete, reachable, and in an order that physics allows.

Each check is one function; all of them run and none raises. The ranges of single values are the
schema's; here stands what two values must be to each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge.battery.timing import FRESH_MIN_S, FRESH_PERIODS
from bridge.config import ports
from bridge.config.draft import RATINGS, PackDraft
from bridge.config.lines import Key
from bridge.config.schema import PackTable
from bridge.config.sentences import Problem, describe, missing
from bridge.errors import ConfigError
from bridge.protocols import contract


def check_pack(pack: PackDraft) -> Iterator[Problem]:
    """Everything that is wrong with a pack by itself."""
    yield from _complete(pack)
    yield from _protocol_known(pack)
    yield from _port_usable(pack)
    yield from _address_possible(pack)
    yield from _cell_voltages_in_order(pack)
    yield from _temperatures_in_order(pack)
    yield from _lost_after_fresh(pack)


def spec_of(pack: PackDraft) -> contract.Spec | None:
    """The wire of the pack's protocol; None if there is no such protocol (its own complaint)."""
    try:
        return contract.load(pack.text("bms") or "").spec
    except ConfigError:
        return None


def _complete(pack: PackDraft) -> Iterator[Problem]:
    for key in ("bms", "port", "cells", "capacity_ah"):
        if pack.lacks(key):
            yield Problem(pack.at(key), missing(PackTable, key))
    unrated = [key for key in RATINGS if pack.lacks(key)]
    if unrated:
        yield Problem(
            pack.at("rated_current_a" if len(unrated) == 2 else unrated[0]),
            "missing; a pack without a rating has no limit to go by; write what its BMS may carry all day, "
            "for example rated_current_a = 140 for both directions",
        )


def _protocol_known(pack: PackDraft) -> Iterator[Problem]:
    if (name := pack.text("bms")) is None:
        return
    try:
        contract.load(name)
    except ConfigError as error:
        yield from (Problem(pack.at("bms"), text) for text in error.problems)


def _port_usable(pack: PackDraft) -> Iterator[Problem]:
    if (port := pack.text("port")) is None:
        return
    if (advice := ports.fault(port)) is not None:
        yield Problem(pack.at("port"), f"found {describe(port)}; allowed: {ports.FORMS}; {advice}")
    elif (spec := spec_of(pack)) is not None and "serial" not in spec.links:
        links = ", ".join(spec.links)
        yield Problem(pack.at("port"), f"found a serial port; {pack.text('bms')} is spoken over: {links}")


def _address_possible(pack: PackDraft) -> Iterator[Problem]:
    address, spec = pack.number("address"), spec_of(pack)
    if address is None or spec is None:
        return
    if spec.addresses is None:
        yield Problem(pack.at("address"), f"found {address}; {pack.text('bms')} has no addresses; remove it")
    elif address not in spec.addresses:
        low, high = spec.addresses[0], spec.addresses[-1]
        yield Problem(pack.at("address"), f"found {address}; allowed for {pack.text('bms')}: {low} to {high}")


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


def _written(pack: PackDraft, *keys: str) -> Key:
    """The first of the keys that the user wrote: a default is nobody's fault."""
    return pack.at(next((key for key in keys if key in pack.origin), keys[0]))
