"""What must hold for BMSs with separate ports, and what their owner must be told at every start."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.config.draft import PackDraft
from bridge.config.sentences import Problem
from bridge.model import UNPROTECTED_BELOW_V


def check_ports(pack: PackDraft) -> Iterator[Problem]:
    """Everything that is wrong with `port_kind` and what goes with it."""
    kind, bus_on = pack.text("port_kind"), pack.text("bus_on")
    if kind == "separate" and pack.lacks("bus_on"):
        yield Problem(
            pack.at("bus_on"),
            'missing; a BMS with separate ports must say where the inverter hangs: "P", "C", or "tied" if '
            'both are joined; write for example bus_on = "C"',
        )
    if kind == "common" and bus_on is not None:
        yield Problem(
            pack.at("bus_on"),
            f"{pack.said('bus_on')} is for BMSs with separate ports; leave it out, or write "
            'port_kind = "separate" if this one has C- and P-',
        )
    if kind == "separate" and bus_on in {"P", "tied"}:
        yield from _room_for_earlier_stop(pack)


def _room_for_earlier_stop(pack: PackDraft) -> Iterator[Problem]:
    charge, high = pack.number("cell_charge_v"), pack.number("cell_max_v")
    if charge is not None and high is not None and charge >= high - UNPROTECTED_BELOW_V > 0:
        yield Problem(
            pack.at("cell_charge_v"),
            f"{pack.said('cell_charge_v')} is not below {high - UNPROTECTED_BELOW_V:g} V, where charging "
            f"ends for a BMS that cannot end it itself; write a lower cell_charge_v",
        )


def unprotected(pack: PackDraft) -> Iterator[Problem]:
    """Which protection of the BMS does not work the way that it is wired."""
    if pack.text("port_kind") != "separate":
        return
    if pack.text("bus_on") == "C":
        yield Problem(
            pack.at("bus_on"),
            "the BMS can end charging, but not discharging through C-: only this gateway and the inverter "
            "keep its cells from being emptied; set the inverter's own low-voltage cut-off",
        )
        return
    high = pack.number("cell_max_v") or 0.0
    yield Problem(
        pack.at("bus_on"),
        "the BMS cannot end charging through P-: only this gateway and the inverter keep its cells from "
        f"being overcharged; charging ends at {high - UNPROTECTED_BELOW_V:g} V a cell; set the inverter's "
        "own charge voltage limit, or use a BMS with one common port",
    )
