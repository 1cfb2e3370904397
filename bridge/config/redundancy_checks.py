"""What must hold for two gateways on one bus, and what the table [redundancy] comes to."""

from __future__ import annotations

from collections.abc import Iterator

from bridge import profiles
from bridge.config.draft import Draft
from bridge.config.schema import RedundancyTable
from bridge.config.sentences import Problem, missing
from bridge.config.settings import RedundancyConfig
from bridge.errors import ConfigError
from bridge.profiles import AnyProfile, Profile

RANKS = {"active": 200, "standby": 100}
"""By role, where none is written."""


def check_redundancy(draft: Draft) -> Iterator[Problem]:
    """A role that is written, and inverters that bear a second gateway."""
    table = draft.file.redundancy
    if not table.given():
        return
    if table.role is None and ("redundancy", "role") not in draft.unreadable:
        yield Problem(("redundancy", "role"), missing(RedundancyTable, "role"))
    for name, inverter in draft.file.inverters.items():
        try:
            profile = profiles.find(draft.profile(inverter.profile or ""))
        except ConfigError:
            continue  # its own complaint
        if (fault := unfit(profile)) is not None:
            yield Problem(("inverters", name, "profile"), fault)


def unfit(profile: AnyProfile) -> str | None:
    """Why two gateways can't feed this inverter; None if they can."""
    if not isinstance(profile, Profile):
        return (
            f"{profile.name} asks over RS485, where two gateways would answer at once; take [redundancy] out"
        )
    if profile.presence_id is False:
        return (
            f"{profile.name} bears no frame beside its own, so two gateways can't agree there; take "
            "[redundancy] out, or give the inverter's profile a presence_id if you know a free one"
        )
    if profile.polls or profile.states:
        return f"{profile.name} asks and wants answers, which two gateways can't share; take [redundancy] out"
    return None


def redundancy(draft: Draft) -> RedundancyConfig | None:
    """What is configured; None without the table."""
    table = draft.file.redundancy
    if table.role is None:
        return None
    given = {"rank": RANKS[table.role], **table.given()}
    return RedundancyConfig(**given)
