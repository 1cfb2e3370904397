"""The folder in which the gateway remembers what a restart must not lose."""

from __future__ import annotations

import os
from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, ok, problem
from bridge.doctor.host import Host
from bridge.state import directory


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Whether this user may write there, or make it."""
    given = case.config.gateway.state_dir if case.config else None
    folder = str(directory(given, host.environment))
    path = host.path(folder)
    there = next(one for one in (path, *path.parents) if one.exists() or one == host.root)
    if there.is_dir() and host.may(there, os.W_OK | os.X_OK):
        yield ok(folder, "may be written" if there == path else "can be made when it is needed")
    else:
        do = f"sudo chown $USER {host.shown(there)}; for a service: StateDirectory=packbridge"
        yield problem(folder, f"this user may not write to {host.shown(there)}", do)
