"""RS485 pairs on which an inverter asks: what a running gateway hears there, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bridge.config.settings import Rs485Inverter
from bridge.doctor.contract import Case, Finding, advice, ok, problem, unknown
from bridge.doctor.host import Host

GRAVE = frozenset({"baud-rate", "address", "second-master", "second-battery", "unknown-requests"})
"""Troubles with which the inverter does not know its battery; the others it may live with."""


def look(case: Case, host: Host) -> Iterable[Finding]:
    """The line of each inverter that asks, as the gateway of the configuration tells it."""
    asking = [one for one in case.config.inverters if isinstance(one, Rs485Inverter)] if case.config else []
    if not asking or case.config is None:
        return
    name = case.config.gateway.name
    said = host.packbridge("status", "--json", "--gateway", name)
    lines = said.get("inverters") if isinstance(said, dict) else None
    for one in asking:
        line = lines.get(one.name) if isinstance(lines, dict) else None
        if isinstance(line, dict):
            yield from _line(f"{one.name} ({one.port})", line)
        else:
            saw = f"no gateway called {name} tells what it hears"
            yield unknown(f"{one.name} ({one.port})", saw, "run packbridge run, then look again")


def _line(where: str, line: Mapping[str, object]) -> Iterator[Finding]:
    troubles = line.get("troubles")
    listed = [one for one in troubles if isinstance(one, dict)] if isinstance(troubles, list) else []
    for trouble in listed:
        kind = str(trouble.get("trouble"))
        finding = problem if kind in GRAVE else advice
        yield finding(where, f"{kind}: {_evidence(kind, line)}", str(trouble.get("help")))
    if listed:
        return
    if line.get("asked"):
        saw = f"{line.get('answers')} of {line.get('asked')} questions answered, the slowest of late in "
        yield ok(where, saw + f"{line.get('reply_max_ms')} ms")
    else:
        yield unknown(where, "nothing was heard yet", "wait a minute, then look again")


def _evidence(kind: str, line: Mapping[str, object]) -> str:
    """The counts that speak for it."""
    match kind:
        case "address":
            asked = line.get("addresses")
            others = ", ".join(map(str, asked)) if isinstance(asked, list) else ""
            return f"{line.get('foreign')} questions, to {others or 'nobody'}"
        case "baud-rate" | "noise":
            return (
                f"{line.get('garbage')} bytes that make no sense, {line.get('framing_errors')} framing errors"
            )
        case "second-master":
            return f"{line.get('collisions')} questions into our answers, {line.get('busy')} times no silence"
        case "second-battery":
            return f"{line.get('twins')} answers from our address"
        case "late":
            return f"{line.get('late')} answers dropped"
        case "unknown-requests":
            return f"{line.get('refused')} questions that the dialect does not know"
    return "nothing was heard for a minute"
