"""`packbridge sim pack` as a process of its own, and other commands in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.cli.main import main

LONG_S = 30.0


@contextmanager
def simulated(*arguments: str) -> Iterator[list[str]]:
    """The ports of simulated packs, which are there as long as the block lasts."""
    command = [sys.executable, "-m", "bridge", "sim", "pack", "--json", "--seconds", "120", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first = json.loads(process.stdout.readline())
            ports = [first["port"]]
            if first["addresses"] == [None]:
                count = int(arguments[arguments.index("--count") + 1]) if "--count" in arguments else 1
                ports += [json.loads(process.stdout.readline())["port"] for _ in range(count - 1)]
            yield ports
        finally:
            process.terminate()
            process.wait(LONG_S)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """`packbridge` as the shell runs it, without the process; its exit code."""
    monkeypatch.setattr("sys.argv", ["packbridge", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
