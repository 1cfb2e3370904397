"""The table of lint's rules in docs/dump.md is the rules'."""

from __future__ import annotations

from pathlib import Path

from bridge.dump.lint import rules

PAGE = Path(__file__).parents[2] / "docs" / "dump.md"


def test_every_rule_is_in_the_table_as_it_says_itself() -> None:
    section = PAGE.read_text("utf-8").split("\n## lint")[1].split("\n## ")[0]
    documented = [line for line in section.splitlines() if line.startswith("| `")]
    assert documented == [f"| `{name}` | {rule.finds} | {rule.severity} |" for name, rule in rules().items()]
