"""Gateways that run: one too many, or one that says too much or too little."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, advice, ok, problem, unknown
from bridge.doctor.host import Host, Process

LEVEL = "--log-level"


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Every `packbridge run` on this machine."""
    running = [process for process in host.processes() if process.is_gateway]
    sending = [process for process in running if "--shadow" not in process.command]
    files: dict[str, list[int]] = {}
    for process in sending:
        files.setdefault(_file(process), []).append(process.pid)
    for file, pids in files.items():
        if len(pids) > 1:
            saw = f"{len(pids)} gateways run with it: processes {', '.join(map(str, pids))}"
            yield problem(file, saw, "end all but one: they take each other's bytes and frames")
    for process in running:
        yield _log_level(process, case)
    if not running:
        yield unknown("running gateway", "none is running")


def _file(process: Process) -> str:
    return next((word for word in reversed(process.command) if word.endswith(".toml")), "a configuration")


def _log_level(process: Process, case: Case) -> Finding:
    who = f"process {process.pid} ({_file(process)})"
    level = case.config.gateway.log.level if case.config else "info"
    words = process.command
    level = next((word.partition("=")[2] for word in words if word.startswith(LEVEL + "=")), level)
    if LEVEL in words[:-1]:
        level = words[words.index(LEVEL) + 1]
    if level == "debug":
        return advice(who, "it logs at level debug, which fills disks", 'run it with log_level = "info"')
    if level == "error":
        return advice(who, "it logs errors only: warnings are lost", 'run it with log_level = "info"')
    return ok(who, f"running, logs at level {level}")
