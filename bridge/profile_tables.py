"""What an inverter profile says, key by key: the schema of the TOML files under profiles/inverters.

The idea: everything that a DBC file can't say of an inverter is a value here, so that a new inverter
is one new file and no code. That includes how it talks: which of its frames are answered with what,
and in which state of a handshake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
CanId = Annotated[int, Field(ge=0, le=0x1FFFFFFF)]
Text = Annotated[str, Field(min_length=1)]
Pattern = Annotated[str, Field(pattern=r"^(([0-9A-F]{2}|\.\.)( ([0-9A-F]{2}|\.\.)){0,7})?$")]

NEXT_TO_NOTHING_A = 0.1  # what inverters that ignore 0 A are sent instead
EVIDENCE = (
    "how it was proven: field, by captures or two independent projects; project, by one; document: untested, "
    "made from a description, tried by nobody that we know of, and announced so when it is used"
)
PATH_KEY = "<path>"  # the loader's, beside the keys of the file


class Table(BaseModel):
    """A table of a profile: no key unknown, no value converted, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Range(Table):
    """What the inverter accepts of a quantity, in its unit. Values outside are clamped."""

    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Above(Table):
    """A value that the inverter wants above another one. of: the other's signal. by: at least so much."""

    of: Text
    by: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Answer(Table):
    """A frame that the inverter sends: for the status, and where a battery waits for its inverter.

    may_be_late_s: after so long without one the inverter counts as not heard.
    """

    id: CanId
    extended: bool = False
    length: Annotated[int, Field(ge=0, le=8)] = 8
    period_s: Seconds
    may_be_late_s: Seconds


class Poll(Answer):
    """A frame of the inverter that is answered at once, or that begins another part of a handshake.

    data: its first bytes as hexadecimal digits, `..` for any; the first poll that fits a frame counts.
    send: identifiers of the frames that answer it. when: only in these states; empty: in all. then:
    the state that follows, after the answer. seldom: not sent in every period_s, but now and then.
    """

    data: Pattern = ""
    send: tuple[CanId, ...] = ()
    when: tuple[Text, ...] = ()
    then: Text | None = None
    seldom: bool = False


class Slow(Table):
    """Frames that are sent more seldom than the cycle. order: their identifiers."""

    period_s: Seconds
    order: Annotated[tuple[CanId, ...], Field(min_length=1)]


class Wiring(Table):
    """What the person with the cable needs. pins: of the inverter's socket, number to meaning."""

    socket: Text
    pins: Mapping[str, str]
    termination: Text
    notes: tuple[Text, ...] = ()


class Family(Table):
    """What every profile says, whatever it runs over.

    battery: "low-voltage" or "high-voltage", or "both": whether it may be connected to more cells in series
    than are safe to touch. evidence: "field" (captures or two independent projects), "project" (one),
    "document" (nobody has tried). stop: what CVL is sent while CCL is 0, "pack-voltage" (never below the
    battery's present voltage) or "decided". hold_soc_ends: 100 % is only said while CCL is 0, 0 % only
    while DCL is 0. soc_says_stop: 100 % is said while only CCL is 0, and 0 % while only DCL is, to
    inverters that heed SoC and no limits. dead_man_s: without a fresh decision for so long we are
    silent. silence_after_s: with all packs lost for so long we are silent too. comm_fault_s: so long
    after our silence the inverter reports a loss of its battery. unknown: what is sent for a value that
    was never known. cells_assumed: cells in series that the inverter takes for granted. alarm_effect:
    what it makes of alarm bits. reaction_s: so long after a limit fell its current may still be beyond it.
    menu_evidence: whether a source has the names in menu.
    """

    path: Path = Field(validation_alias=PATH_KEY, exclude=True)
    family: Text
    dialect: Text
    battery: Literal["low-voltage", "high-voltage", "both"] = "low-voltage"
    evidence: Annotated[Literal["field", "project", "document"], Field(description=EVIDENCE)]
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    quirks: tuple[Text, ...] = ()
    dead_man_s: Seconds
    comm_fault_s: Seconds
    comm_fault_evidence: Literal["known", "assumed"]
    comm_fault_shown: Text | None = None
    silence_after_s: Seconds | None = None
    reaction_s: Seconds = 5.0
    stop: Literal["pack-voltage", "decided"] = "decided"
    hold_soc_ends: bool = False
    soc_says_stop: bool = False
    unknown: Mapping[str, Number] = {}
    ranges: Mapping[str, Range] = {}
    cells_assumed: Annotated[int, Field(ge=1, le=512)] | None = None
    alarm_effect: Text | None = None
    menu_evidence: Literal["known", "assumed"] = "assumed"
    menu: Annotated[tuple[Text, ...], Field(min_length=1)]
    wiring: Wiring

    @property
    def name(self) -> str:
        """The profile's name in the configuration."""
        return self.path.stem


class Profile(Family):
    """One family of inverters on CAN. The keys of the TOML file, those of `Family` aside.

    order: identifiers of a cycle's frames; empty where all is said in answers. spacing_s: between any two
    frames, at least. repeat_gap_s: between two of one identifier, where the inverter takes them no faster;
    at most half of period_s, because a cycle may be late. id_offset: what
    is added to every identifier that we send, for a battery's address. slow: frames with periods of
    their own. optional: those that are left out while one of their values is not known. pad_to: bytes
    that each frame has at least. constants, steps, above: by signal name; steps are coarser
    than the frame's own, above keeps two values apart. answers: what the inverter sends unasked; polls:
    what it wants an answer to. states: of a handshake, each with the constants that hold in it; the
    first one is where it begins. waits_for_inverter: nothing is sent before it was heard.
    cycle_only_unasked: the cycle is not sent while polls are answered. forget_after_s: without a frame
    of the inverter for so long it is to be waited for again, and a handshake begins anew.
    presence_id: of the frame by which two gateways on the bus agree; false where none may be sent.
    """

    transport: Literal["can"]
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)]
    period_s: Seconds
    spacing_s: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    repeat_gap_s: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    order: tuple[CanId, ...]
    id_offset: CanId = 0
    slow: tuple[Slow, ...] = ()
    optional: tuple[CanId, ...] = ()
    pad_to: Literal[0, 8] = 8
    constants: Mapping[str, int | str] = {}
    steps: Mapping[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    above: Mapping[str, Above] = {}
    answers: tuple[Answer, ...] = ()
    polls: tuple[Poll, ...] = ()
    states: Mapping[str, Mapping[str, int | str]] = {}
    waits_for_inverter: bool = False
    cycle_only_unasked: bool = False
    forget_after_s: Seconds | None = None
    presence_id: Literal[False] | Annotated[int, Field(ge=1, le=0x7FF)] = 0x7F0

    @property
    def sent_ids(self) -> tuple[int, ...]:
        """Identifiers of all frames that we may send, as the dialect has them: the cycle's first."""
        slow = (can_id for group in self.slow for can_id in group.order)
        polled = (can_id for poll in self.polls for can_id in poll.send)
        return tuple(dict.fromkeys((*self.order, *slow, *polled)))

    @model_validator(mode="after")
    def _consistent(self) -> Profile:
        if problems := [*_time_problems(self), *_value_problems(self), *_talk_problems(self)]:
            raise ValueError("\n".join(problems))
        return self


def _time_problems(profile: Profile) -> Iterator[str]:
    """What can't be kept of a profile's times."""
    if len(set(profile.order)) < len(profile.order):
        yield "order: an identifier stands twice"
    if profile.spacing_s * len(profile.order) > profile.period_s:
        yield f"spacing_s: {len(profile.order)} frames do not fit into period_s {profile.period_s}"
    if profile.repeat_gap_s > profile.period_s / 2:
        yield f"repeat_gap_s: {profile.repeat_gap_s} is more than half of period_s {profile.period_s}"
    if profile.dead_man_s < 2 * profile.period_s:
        yield f"dead_man_s: {profile.dead_man_s} is less than two periods of {profile.period_s}"
    if profile.comm_fault_s <= profile.period_s:
        yield f"comm_fault_s: {profile.comm_fault_s} would pass between two cycles"
    if profile.reaction_s < profile.period_s:
        yield f"reaction_s: {profile.reaction_s} is less than the {profile.period_s} between two cycles"


def limit_problems(profile: Family) -> Iterator[str]:
    """Where a profile would make more of a limit than was decided."""
    for name in ("charge_current_limit_a", "discharge_current_limit_a"):
        least_a = profile.ranges.get(name, Range()).min
        if least_a is not None and least_a > NEXT_TO_NOTHING_A:
            yield f"ranges.{name}: min {least_a} would turn no current into more than {NEXT_TO_NOTHING_A} A"
    yield from (f"unknown.{name}: a limit is always known" for name in profile.unknown if "_limit_" in name)


def _value_problems(profile: Profile) -> Iterator[str]:
    """What can't be said of a profile's values."""
    yield from limit_problems(profile)
    for can_id in profile.optional:
        if can_id not in profile.sent_ids:
            yield f"optional: 0x{can_id:X} is not in order"
    yield from (f"above.{name}: a limit is never raised" for name in profile.above if "_limit_" in name)


def _talk_problems(profile: Profile) -> Iterator[str]:
    """What makes no conversation."""
    if profile.presence_id in {*profile.sent_ids, *(answer.id for answer in profile.answers)}:
        yield f"presence_id: 0x{profile.presence_id:X} is in use already"
    if not profile.sent_ids:
        yield "order: empty, and no poll is answered either"
    for number, poll in enumerate(profile.polls):
        for key, names in (("when", poll.when), ("then", (poll.then,) if poll.then else ())):
            for name in names:
                if name not in profile.states:
                    yield f"polls[{number}].{key}: there is no state {name!r} in states"
        if len(poll.data.split()) > poll.length:
            yield f"polls[{number}].data: more than its {poll.length} bytes"
    if (profile.states or profile.waits_for_inverter) and profile.forget_after_s is None:
        yield "forget_after_s: missing; a handshake must begin anew when the inverter was gone"
    if profile.waits_for_inverter and not (profile.polls or profile.answers):
        yield "waits_for_inverter: there are no answers and no polls to wait for"


TABLES: Mapping[str, type[Table]] = {
    "": Profile,
    "above": Above,
    "answers": Answer,
    "polls": Poll,
    "slow": Slow,
    "ranges": Range,
    "wiring": Wiring,
}
