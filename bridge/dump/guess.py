"""Which dialect a dump is in, and which battery and inverter family: candidates, ranked and explained.

Every dialect that explains at least one identifier is a candidate; its score is the sum of its evidence.
Dialects within TIE points of the best can't be told apart by what is on the wire, and are said to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.dump import evidence
from bridge.dump.block import id_text
from bridge.dump.evidence import Evidence
from bridge.dump.families import Family, batteries, families, inverters
from bridge.dump.survey import Survey
from bridge.dump.tongues import Tongue, tongues

TIE = 0.3
SHOWN = 6
ALTERNATIVES = -20.0  # so far below 0 nobody wants to read of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One dialect. tied: it can't be told from the best one. families: profiles, the likeliest first."""

    tongue: Tongue
    score: float
    tied: bool
    evidence: tuple[Evidence, ...]
    families: tuple[Family, ...]

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {
            "dialect": self.tongue.name,
            "offset": self.tongue.offset,
            "score": round(self.score, 2),
            "tied": self.tied,
            "profiles": [one.report() for one in self.families],
            "evidence": [{"points": round(one.points, 2), "text": one.text} for one in self.evidence],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a dump is, the likeliest first; none if nothing in it is known.

    battery, inverter: what names and answers say of either. unknown: keys that no dialect has.
    """

    candidates: tuple[Candidate, ...]
    battery: tuple[str, ...]
    inverter: tuple[str, ...]
    unknown: tuple[int, ...]
    frames: int

    @property
    def best(self) -> Candidate | None:
        """The likeliest; of those that can't be told apart, the one that claims least."""
        return self.candidates[0] if self.candidates else None

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {
            "candidates": [one.report() for one in self.candidates],
            "battery": list(self.battery),
            "inverter": list(self.inverter),
            "unknown_ids": [id_text(key) for key in self.unknown],
            "frames": self.frames,
        }


def guess(found: Survey) -> Guess:
    """What all frames of a survey make likely."""
    claimed = _claimed(lambda tongue: tongue.battery), _claimed(lambda tongue: tongue.inverter)
    scored = [
        (sum(one.points for one in seen), tongue, seen)
        for tongue in tongues()
        if (seen := tuple(_evidence(tongue, found, claimed))) and any(one.points > 0 for one in seen)
    ]
    best = max((score for score, _, _ in scored), default=0.0)
    tied = [tongue for score, tongue, _ in scored if score > best - TIE]
    scored.sort(
        key=lambda one: (
            one[1] not in tied,
            0.0 if one[1] in tied else -one[0],
            -len(one[1].profiles),
            one[1].shown,
        )
    )
    candidates = tuple(
        Candidate(
            tongue=tongue,
            score=score,
            tied=len(tied) > 1 and tongue in tied,
            evidence=tuple(sorted(seen, key=lambda one: -abs(one.points))),
            families=tuple(families(tongue, found)),
        )
        for score, tongue, seen in scored[:SHOWN]
        if score > ALTERNATIVES
    )
    known = {key for tongue in tongues() for key in (*tongue.battery, *tongue.inverter)}
    return Guess(
        candidates=candidates,
        battery=tuple(batteries(candidates[0].tongue, found)) if candidates else (),
        inverter=tuple(inverters(found)),
        unknown=tuple(sorted(found.seen.keys() - known)),
        frames=found.frames,
    )


def _evidence(
    tongue: Tongue, found: Survey, claimed: tuple[Mapping[int, int], Mapping[int, int]]
) -> Iterator[Evidence]:
    if tongue.offset and not tongue.vital & found.seen.keys():
        return
    first = tuple(evidence.ids(tongue, found, claimed[0]))
    talk = tuple(evidence.conversation(tongue, found, claimed[1]))
    if not first and not talk:
        return
    yield from (*first, *talk)
    for look in (evidence.lengths, evidence.bits, evidence.plausible, evidence.marks, evidence.byte_order):
        yield from look(tongue, found)


def _claimed(keys: Callable[[Tongue], Iterable[int]]) -> Mapping[int, int]:
    """How many dialects have a key; addresses of one dialect count once."""
    names: dict[int, set[str]] = {}
    for tongue in tongues():
        for key in keys(tongue):
            names.setdefault(key, set()).add(tongue.name)
    return {key: len(found) for key, found in names.items()}
