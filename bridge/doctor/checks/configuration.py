"""The configuration file: whether it can be used, and what in it is probably not meant."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, advice, ok, problem, unknown
from bridge.doctor.host import Host


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Its problems and warnings, as `packbridge check` says them."""
    if case.path is None:
        yield unknown(
            "configuration",
            "no file was given: only the machine is looked at",
            "packbridge doctor config.toml looks at what that file uses",
        )
        return
    for text in case.problems:
        yield problem(case.path, text, "put it right in the file, then packbridge check")
    if case.config is None:
        return
    if case.config.gateway.example:
        yield problem(
            case.path, "the file is an example", "write your own ports and ratings, then remove example"
        )
    for text in case.config.warnings:
        yield advice(case.path, text, "read it, and change what was not meant")
    if not case.config.warnings:
        packs, inverters = len(case.config.packs), len(case.config.inverters)
        yield ok(case.path, f"no problem; {packs} packs, {inverters} inverters")
