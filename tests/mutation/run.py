"""How many small mistakes in the guard its tests find: `python -m tests.mutation.run`.

cosmic-ray (https://cosmic-ray.readthedocs.io) changes one operator, number, condition or keyword of a
module at a time and runs the tests on it. This works on a copy of the project, so the tree stays as it
is, and prints every mutant that survived as a diff, then the figure. Exit code 1 if it is below 95 %.

Annotations are put in quotes in the copy: nothing evaluates them, so a changed one is no mistake.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("bridge", "profiles", "tests", "pyproject.toml")
MODULE = "bridge/battery/guard.py"
TESTS = "tests/battery/test_guard.py"
WANTED = 0.95
TIMEOUT_S = 30.0  # of one run of the tests, which takes a second; a mutant that hangs is a dead one

CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = {timeout_s}
excluded-modules = []
test-command = "{python} -B -m pytest -x -q -p no:cacheprovider -p no:randomly {tests}"

[cosmic-ray.distributor]
name = "local"
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one place, and whether the tests noticed."""

    operator: str
    line: int
    killed: bool
    diff: str


def mutants(folder: Path, module: str = MODULE, tests: str = TESTS) -> list[Mutant]:
    """Every mutant of `module`, tried in a copy of the project at `folder`, which must be empty.

    Raises CalledProcessError if the tests fail without any change.
    """
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    target = folder / module
    target.write_text(with_quoted_annotations(target.read_text()))
    config = CONFIG.format(module=module, tests=tests, timeout_s=TIMEOUT_S, python=sys.executable)
    (folder / "mutation.toml").write_text(config)
    _cosmic_ray(folder, "baseline", "mutation.toml")
    _cosmic_ray(folder, "init", "mutation.toml", "mutation.sqlite")
    _cosmic_ray(folder, "exec", "mutation.toml", "mutation.sqlite")
    return list(parsed(_cosmic_ray(folder, "dump", "mutation.sqlite")))


def parsed(dump: str) -> Iterator[Mutant]:
    """What `cosmic-ray dump` printed: a line [item, result] for every mutant.

    One that could not be tried to its end ("incompetent", an exception or a time-out) was noticed.
    """
    for line in dump.splitlines():
        item, result = json.loads(line)
        change = item["mutations"][0]
        yield Mutant(
            operator=change["operator_name"].removeprefix("core/"),
            line=change["start_pos"][0],
            killed=result is not None and result["test_outcome"] != "survived",
            diff=(result or {}).get("diff") or "not tried",
        )


def with_quoted_annotations(source: str) -> str:
    """The module with every annotation that has an operator in it as a string; lines stay lines."""
    lines = source.splitlines(keepends=True)
    spans = [
        (note.lineno - 1, note.col_offset, note.end_col_offset)
        for note in _annotations(ast.parse(source))
        if note.lineno == note.end_lineno and any(isinstance(part, ast.BinOp) for part in ast.walk(note))
    ]
    for line, begin, end in sorted(spans, reverse=True):
        text = lines[line].encode()
        assert end is not None  # it was parsed from text
        lines[line] = (text[:begin] + b"'" + text[begin:end] + b"'" + text[end:]).decode()
    return "".join(lines)


def report(found: Sequence[Mutant]) -> str:
    """The survivors, then killed/total."""
    survivors = [
        f"line {one.line}, {one.operator}\n{one.diff}"
        for one in sorted(found, key=lambda mutant: mutant.line)
        if not one.killed
    ]
    killed = len(found) - len(survivors)
    share = killed / len(found) if found else 0.0
    return "\n\n".join([*survivors, f"{MODULE}: {killed}/{len(found)} mutants killed ({100 * share:.1f} %)"])


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        notes = (getattr(node, "annotation", None), getattr(node, "returns", None))
        yield from (note for note in notes if isinstance(note, ast.expr))


def _cosmic_ray(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "cosmic_ray.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # our own words
    if done.returncode != 0:
        raise SystemExit(f"cosmic-ray {words[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """0 if enough mutants died."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        found = mutants(Path(folder))
    print(report(found))  # noqa: T201  # what it was run for
    return 0 if found and sum(one.killed for one in found) >= WANTED * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
