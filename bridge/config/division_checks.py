"""What must hold between inverters that share a bank: every part is known, and together they are one bank."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.config.draft import Draft
from bridge.config.sentences import Problem

ROUNDING = 1e-9
USED_BY = {"share": "fixed", "priority": "priority"}
"""Keys of an inverter, with the split that reads them."""
MAXIMA = ("max_charge_current_a", "max_discharge_current_a")


def check_division(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with the inverters' parts."""
    yield from _keys_used(draft)
    if _split(draft) == "fixed":
        yield from _shares_within_one(draft)
    if _split(draft) == "priority":
        yield from _first_ones_bounded(draft)


def division_warnings(draft: Draft) -> Iterator[Problem]:
    """What can be used, but is probably not what was meant."""
    inverters = draft.file.inverters
    if len(inverters) < 2:
        return
    count, split = len(inverters), _split(draft)
    shares = [table.share for table in inverters.values() if table.share is not None]
    if split == "fixed" and not shares:
        yield Problem(
            ("inverters",),
            f"{count} inverters and no share: each is told 1/{count} of the bank's currents; "
            "write share = ... for each",
        )
    if split == "fixed" and len(shares) == count and sum(shares) < 1 - ROUNDING:
        yield Problem(("inverters",), f"the shares add up to {sum(shares):g}; nobody is told of the rest")
    if split == "use":
        yield Problem(
            ("bank", "split"),
            "no known CAN dialect lets an inverter tell its battery current: the parts will be equal; "
            'write split = "fixed" and shares',
        )


def _split(draft: Draft) -> str:
    return draft.file.bank.split or "fixed"


def _keys_used(draft: Draft) -> Iterator[Problem]:
    for name, table in draft.file.inverters.items():
        for key, split in USED_BY.items():
            if getattr(table, key) is not None and _split(draft) != split:
                yield Problem(
                    ("inverters", name, key),
                    f'has no meaning with split = "{_split(draft)}"; take it out, '
                    f'or write split = "{split}" under [bank]',
                )


def _shares_within_one(draft: Draft) -> Iterator[Problem]:
    given = {name: t.share for name, t in draft.file.inverters.items() if t.share is not None}
    total, last = sum(given.values()), next(reversed(given), "")
    if total > 1 + ROUNDING:
        yield Problem(
            ("inverters", last, "share"),
            f"the shares add up to {total:g}; allowed: 1 at most, the whole bank; lower one of them",
        )
    elif total > 1 - ROUNDING and len(given) < len(draft.file.inverters):
        left = [name for name in draft.file.inverters if name not in given]
        yield Problem(
            ("inverters", left[0]),
            f"the other shares add up to {total:g}: nothing is left for {left[0]}; lower one of them",
        )


def _first_ones_bounded(draft: Draft) -> Iterator[Problem]:
    """Who is served first must say what it can carry, or nothing is ever left."""
    ranks = {name: table.priority or 1 for name, table in draft.file.inverters.items()}
    last = max(ranks.values(), default=1)
    for name, table in draft.file.inverters.items():
        for key in MAXIMA:
            if ranks[name] < last and getattr(table, key) is None:
                yield Problem(
                    ("inverters", name, key),
                    f"missing; {name} is served before others, and without it takes all; "
                    f"write what it can carry, for example {key} = 100",
                )
