"""What the profile of an inverter says that polls its battery over RS485: the schema of those TOML files.

One idea: the inverter leads. A profile says how it asks, how soon it wants an answer and what it does
without one; how questions and answers look is the dialect's, which has a table of options here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bridge.profile_tables import Family, Range, Seconds, Table, Wiring, limit_problems

Moment = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Evidence = Literal["known", "assumed"]
Option = bool | int | float | str | tuple[str, ...] | tuple[int, ...]

LATEST_S = 0.05  # a later answer may run into the next question; every dialect that was found bears this


class Rs485Profile(Family):
    """One family of inverters on RS485, where they ask and we answer. The keys of the TOML file, those of
    `Family` aside.

    baudrate, parity, stop_bits: of the line. address: at which it looks for its battery; None where the
    dialect has its own. poll_s: so often it asks for the same again. reply_within_s: the
    whole answer must be there so long after the question. turnaround_s: so long the line must have been
    silent before we speak. answer_within_s: later an answer is not begun any more. stale: what it is told
    while all packs are lost, "zeros" (no current, with alarms) until silence_after_s, or "silence" at
    once. options: the dialect's own.
    """

    transport: Literal["rs485"]
    baudrate: Annotated[int, Field(ge=1200, le=1_000_000)]
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    address: Annotated[int, Field(ge=0, le=255)] | None = None
    poll_s: Seconds
    poll_evidence: Evidence
    reply_within_s: Moment
    reply_evidence: Evidence
    turnaround_s: Moment = 0.005
    answer_within_s: Moment = LATEST_S
    stale: Literal["zeros", "silence"]
    options: Mapping[str, Option] = {}

    @property
    def bits_per_byte(self) -> int:
        """What a byte takes on the line, start and stop bits included."""
        return 1 + 8 + (self.parity != "none") + self.stop_bits

    @model_validator(mode="after")
    def _consistent(self) -> Rs485Profile:
        if problems := [*limit_problems(self), *_time_problems(self)]:
            raise ValueError("\n".join(problems))
        return self


def _time_problems(profile: Rs485Profile) -> Iterator[str]:
    """What can't be kept of a profile's times."""
    silence_s = 3.5 * profile.bits_per_byte / profile.baudrate
    if profile.turnaround_s < silence_s:
        yield f"turnaround_s: {profile.turnaround_s} is less than 3.5 characters ({silence_s:.4f})"
    if profile.answer_within_s > LATEST_S:
        yield f"answer_within_s: {profile.answer_within_s} is more than {LATEST_S}"
    if profile.turnaround_s >= min(profile.answer_within_s, profile.reply_within_s):
        yield f"turnaround_s: {profile.turnaround_s} leaves no time for an answer"
    if profile.comm_fault_s <= profile.poll_s:
        yield f"comm_fault_s: {profile.comm_fault_s} would pass between two polls"
    if profile.reaction_s < profile.poll_s:
        yield f"reaction_s: {profile.reaction_s} is less than the {profile.poll_s} between two polls"
    if profile.stale == "zeros" and profile.silence_after_s is None:
        yield "silence_after_s: missing; zeros are not to be said for ever"
    if profile.stale == "silence" and profile.silence_after_s is not None:
        yield 'silence_after_s: there is silence at once; take it out, or write stale = "zeros"'


TABLES: Mapping[str, type[Table]] = {"": Rs485Profile, "ranges": Range, "wiring": Wiring}
