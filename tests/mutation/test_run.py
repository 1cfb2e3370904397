from __future__ import annotations

import json

from tests.mutation.run import Mutant, parsed, report, with_quoted_annotations

SOURCE = "def f(a: int | None, b: int) -> str | None:\n    x: int | str = 1 | 2\n    return None\n"


def test_annotations_with_operators_become_strings_and_nothing_else_changes() -> None:
    expected = SOURCE
    for note in ("int | None", "str | None", "int | str"):
        expected = expected.replace(note, f"'{note}'")

    assert with_quoted_annotations(SOURCE) == expected


def line(outcome: str | None) -> str:
    item = {"mutations": [{"operator_name": "core/AddNot", "start_pos": [7, 4]}]}
    return json.dumps([item, None if outcome is None else {"test_outcome": outcome, "diff": "- a\n+ b"}])


def test_what_the_tests_did_not_notice_or_were_not_asked_has_survived() -> None:
    found = list(parsed("\n".join([line("killed"), line("survived"), line("incompetent"), line(None)])))

    assert [mutant.killed for mutant in found] == [True, False, True, False]
    assert found[1] == Mutant("AddNot", 7, killed=False, diff="- a\n+ b")


def test_the_report_shows_survivors_and_ends_with_the_figure() -> None:
    shown = report(list(parsed("\n".join([line("killed")] * 3 + [line("survived")]))))

    assert shown.startswith("line 7, AddNot\n- a\n+ b")
    assert shown.endswith("bridge/battery/guard.py: 3/4 mutants killed (75.0 %)")
