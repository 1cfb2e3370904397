"""Carries out all rules on a dump, block by block, and gathers what they find: each thing once, counted."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain

import numpy as np

from bridge.dump import rules as folder
from bridge.dump.block import Block, block_of, id_text, joined
from bridge.dump.guess import Guess, guess
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.survey import Survey
from bridge.dump.tongues import of_dialect, of_profile
from bridge.dump.view import Carried, Case, View

GUESSED_FROM = 200_000  # frames
BATCH = 100_000  # frames that rules are given at once: of a live bus each block is a frame or two
ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, however often. first_s, last_s: None where the log has no times.

    line, frame: of the worst of them; None for what is missing. frame: as candump writes it.
    """

    rule: str
    about: str
    severity: Severity
    text: str
    why: str
    do: str
    weight: float
    count: int = 0
    first_s: float | None = None
    last_s: float | None = None
    time_s: float | None = None
    source: str = ""
    line: int | None = None
    frame: str | None = None

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "about": self.about,
            "text": self.text,
            "time_s": self.time_s,
            "first_s": self.first_s,
            "last_s": self.last_s,
            "count": self.count,
            "source": self.source,
            "line": self.line,
            "frame": self.frame,
            "why": self.why,
            "do": self.do,
        }


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    return {
        name.replace("_", "-"): importlib.import_module(f"{folder.__name__}.{name}").RULE for name in names
    }


class Linter:
    """All rules at work on one dump. chosen: only these rules."""

    def __init__(self, case: Case, chosen: Mapping[str, Rule] | None = None) -> None:
        self.case = case
        self._rules = rules() if chosen is None else chosen
        self._memories: dict[str, Memory] = {name: {} for name in self._rules}
        self._carried = Carried()
        self._found: dict[tuple[str, str], Finding] = {}
        self._waiting: list[Block] = []

    @property
    def begin_s(self) -> float | None:
        """The time of the first frame; None where the log has none."""
        return _time(self._carried.first_s)

    def add(self, block: Block) -> None:
        """The next frames. They wait until there are enough, or the next file begins."""
        if self._waiting and self._waiting[0].source != block.source:
            self._batch()
        self._waiting.append(block)
        if sum(map(len, self._waiting)) >= BATCH:
            self._batch()

    def findings(self) -> list[Finding]:
        """All findings, the worst first; to be asked when the last frame was added."""
        self._batch()
        self._look(View(block_of(()), self.case, self._carried, last=True))
        return sorted(
            self._found.values(),
            key=lambda one: (ORDER[one.severity], one.first_s or 0.0, one.rule, one.about),
        )

    def _batch(self) -> None:
        block = joined(self._waiting)
        self._waiting = []
        if len(block):
            self._look(View(block, self.case, self._carried))

    def _look(self, view: View) -> None:
        for name, rule in self._rules.items():
            for hits in rule.look(view, self._memories[name]):
                self._take(name, rule, hits, view)
        view.carry()

    def _take(self, name: str, rule: Rule, hits: Hits, view: View) -> None:
        if hits.rows is not None and not len(hits.rows):
            return
        severity = hits.severity or rule.severity
        key = (name, hits.about)
        if key not in self._found:
            profile = self.case.profile
            self._found[key] = Finding(
                rule=name,
                about=hits.about,
                severity=severity,
                text="",
                why=rule.reason(profile.name if profile else None, self.case.tongue.name),
                do=rule.do,
                weight=-np.inf,
            )
        finding = self._found[key]
        if ORDER[severity] < ORDER[finding.severity]:
            finding.severity = severity
        if hits.rows is None:
            finding.count += 1
        else:
            _count(finding, hits, view)
        if hits.weight > finding.weight:
            finding.text, finding.weight = hits.text, hits.weight
            if hits.rows is not None:
                _show(finding, hits, view)


def _count(finding: Finding, hits: Hits, view: View) -> None:
    assert hits.rows is not None
    block = view.whole if hits.of_whole else view.block
    times_s = block.time_s[hits.rows]
    finding.count += len(hits.rows)
    if finding.first_s is None:
        finding.first_s = _time(times_s[0])
    finding.last_s = _time(times_s[-1])


def _show(finding: Finding, hits: Hits, view: View) -> None:
    assert hits.rows is not None
    block = view.whole if hits.of_whole else view.block
    row = int(hits.rows[hits.worst])
    data = block.data[row, : min(8, int(block.length[row]))].tobytes().hex().upper()
    finding.time_s = _time(block.time_s[row])
    finding.source = block.source
    finding.line = int(block.line[row]) or None
    finding.frame = f"{id_text(int(block.key[row : row + 1][0]))}#{data}"


def _time(time_s: float | np.floating) -> float | None:
    return None if np.isnan(time_s) else float(time_s)


def case_of(profile: str | None, dialect: str | None) -> Case | None:
    """What a person chose; None if nothing. Raises ConfigError for a name that is not known."""
    from bridge import profiles

    if profile is not None:
        loaded = profiles.load(profile)
        return Case(tongue=of_profile(loaded), profile=loaded, chosen=True)
    if dialect is not None:
        tongue = of_dialect(dialect)
        return Case(tongue=tongue, profile=next(iter(tongue.profiles), None), chosen=True)
    return None


@dataclass(slots=True)
class Opened:
    """A dump with what it is. blocks: all of it. guessed: None if a person said what it is."""

    case: Case | None
    guessed: Guess | None
    blocks: Iterator[Block] = field(default_factory=lambda: iter(()))


def opened(blocks: Iterable[Block], chosen: Case | None) -> Opened:
    """A dump and what it is, guessed from its begin if nobody chose; case None: nothing in it is known."""
    if chosen is not None:
        return Opened(chosen, None, iter(blocks))
    stream, begin, found = iter(blocks), [], Survey()
    for block in stream:
        begin.append(block)
        found.add(block)
        if found.frames >= GUESSED_FROM:
            break
    guessed = guess(found)
    best = guessed.best
    case = None
    if best is not None:
        profile = best.families[0].profile if best.families else None
        case = Case(tongue=best.tongue, profile=profile, chosen=False)
    return Opened(case, guessed, chain(begin, stream))


def lint(blocks: Iterable[Block], case: Case, chosen: Mapping[str, Rule] | None = None) -> list[Finding]:
    """All findings in a dump, the worst first. chosen: only these rules."""
    linter = Linter(case, chosen)
    for block in blocks:
        linter.add(block)
    return linter.findings()


@dataclass(frozen=True, slots=True)
class Counted:
    """How many findings of each severity there are."""

    errors: int
    warnings: int
    notes: int

    @property
    def clean(self) -> bool:
        """Whether nothing has to be done."""
        return not (self.errors or self.warnings)


def counted(findings: Iterable[Finding]) -> Counted:
    """The findings by severity."""
    kinds = [one.severity for one in findings]
    return Counted(*(kinds.count(severity) for severity in Severity))
