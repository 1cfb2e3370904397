"""What must hold between packs: on one wire, and on one bus bar."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from bridge.config import ports
from bridge.config.draft import Draft, PackDraft
from bridge.config.pack_checks import spec_of
from bridge.config.sentences import Problem, describe
from bridge.protocols.contract import Spec

ROUNDING_V = 1e-9


def check_bank(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong between the packs."""
    yield from _packs_exist(draft)
    yield from _cells_alike(draft)
    yield from _wires_shared_rightly(draft)
    yield from _currents_within_ratings(draft)
    yield from _voltage_possible(draft)


def _packs_exist(draft: Draft) -> Iterator[Problem]:
    if not draft.file.packs and draft.packs_complete:
        yield Problem(("packs",), "there is no pack; write a table [packs.NAME] for each pack of the bank")


def _cells_alike(draft: Draft) -> Iterator[Problem]:
    known = [(pack, cells) for pack in draft.packs if (cells := pack.number("cells")) is not None]
    for pack, cells in known[1:]:
        first, expected = known[0]
        if cells != expected:
            yield Problem(
                pack.at("cells"),
                f"{pack.name} has {cells} cells in series, {first.name} has {expected}; packs in parallel "
                "must have the same number; correct the number, or take the pack off this bus bar",
            )


def _wires_shared_rightly(draft: Draft) -> Iterator[Problem]:
    wired = [(ports.wire(port), pack) for pack in draft.packs if (port := pack.text("port")) is not None]
    wired.sort(key=lambda pair: pair[0])
    for _, group in groupby(wired, key=lambda pair: pair[0]):
        first, *others = (pack for _, pack in group)
        heard = [first]
        for pack in others:
            yield from _beside(pack, heard)
            heard.append(pack)


def _beside(pack: PackDraft, heard: list[PackDraft]) -> Iterator[Problem]:
    """A further pack on a wire where others hang already."""
    first, spec = heard[0], spec_of(pack)
    if spec is None or spec_of(first) is None:
        return
    if pack.text("bms") != first.text("bms"):
        yield Problem(
            pack.at("bms"),
            f"{pack.text('bms')} on the port of {first.name}, which speaks {first.text('bms')}; "
            "one port, one protocol; give each its own port",
        )
    elif not spec.shared:
        yield Problem(
            pack.at("port"),
            f"found {describe(pack.text('port'))}, the port of {first.name} too; {pack.text('bms')} is "
            "point to point; give each pack its own port",
        )
    elif (same := next((it for it in heard if _address(it, spec) == _address(pack, spec)), None)) is not None:
        yield Problem(
            pack.at("address"),
            f"{pack.name} and {same.name} share a port and have the same address {_address(pack, spec)}; "
            "give each pack its own address, in its BMS and here",
        )
    elif pack.text("port") != first.text("port"):
        yield Problem(
            pack.at("port"),
            f"found {describe(pack.text('port'))}, another name for the port of {first.name}; "
            f"write the same in both: port = {describe(first.text('port'))}",
        )
    elif _baudrate(pack, spec) != _baudrate(first, spec):
        yield Problem(
            pack.at("baudrate"),
            f"found {_baudrate(pack, spec):g}, but {first.name} on the same port has "
            f"{_baudrate(first, spec):g}; a port has one baud rate",
        )


def _address(pack: PackDraft, spec: Spec) -> float | None:
    return pack.number("address") if pack.number("address") is not None else spec.address


def _baudrate(pack: PackDraft, spec: Spec) -> float:
    return pack.number("baudrate") or spec.baudrate


def _currents_within_ratings(draft: Draft) -> Iterator[Problem]:
    for way in ("charge", "discharge"):
        asked = getattr(draft.file.bank, f"max_{way}_current_a")
        ratings = [pack.number(f"rated_{way}_current_a") for pack in draft.packs]
        known = [rating for rating in ratings if rating is not None]
        all_known = draft.packs_complete and 0 < len(known) == len(ratings)
        if asked is not None and all_known and asked > sum(known):
            limit = "CCL" if way == "charge" else "DCL"
            yield Problem(
                ("bank", f"max_{way}_current_a"),
                f"found {asked:g}; allowed: at most {sum(known):g}, the sum of the packs' "
                f"rated_{way}_current_a ({limit} over rating); write that or less, or leave it out",
            )


def _voltage_possible(draft: Draft) -> Iterator[Problem]:
    if (asked := draft.file.bank.charge_voltage_limit_v) is None:
        return
    for pack in draft.packs:
        cells, high, low = (pack.number(key) for key in ("cells", "cell_max_v", "cell_min_v"))
        if cells is None or high is None or low is None or cells * low < asked <= cells * high + ROUNDING_V:
            continue
        yield Problem(
            ("bank", "charge_voltage_limit_v"),
            f"found {asked:g}; allowed: above {cells * low:.1f} and at most {cells * high:.1f} V "
            f"({cells:g} cells, {pack.said('cell_min_v')}, {pack.said('cell_max_v')}); write a value between",
        )
