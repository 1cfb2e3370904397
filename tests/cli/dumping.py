"""`packbridge dump ...` as the shell runs it, without the process, and the examples of its help pages."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Sequence

import pytest

from bridge.cli.main import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`packbridge dump ARGUMENTS`; its exit code. It leaves Ctrl-C and SIGTERM as it found them."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr("sys.argv", ["packbridge", "dump", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    return int(ended.value.code or 0)


def examples(epilog: str) -> list[Sequence[str]]:
    """The words behind `packbridge dump` of each example that does not read from another program."""
    lines = [line for line in epilog.splitlines() if line.startswith("packbridge dump ")]
    return [shlex.split(re.split(r"\s[|>]\s", line)[0])[2:] for line in lines]
