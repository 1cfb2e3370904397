"""The folder in which the gateway remembers what a restart must not lose."""

from __future__ import annotations

import os
from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, ok, problem, unknown
from bridge.doctor.host import Host


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Whether this user may write there, or make it."""
    folder = _folder(case, host)
    if folder is None:
        yield unknown("state folder", "neither STATE_DIRECTORY nor HOME is set, so nothing is kept")
        return
    path = host.path(folder)
    there = next(one for one in (path, *path.parents) if one.exists() or one == host.root)
    if there.is_dir() and host.may(there, os.W_OK | os.X_OK):
        yield ok(folder, "may be written" if there == path else "can be made when it is needed")
    else:
        do = f"sudo chown $USER {host.shown(there)}; for a service: StateDirectory=packbridge"
        yield problem(folder, f"this user may not write to {host.shown(there)}", do)


def _folder(case: Case, host: Host) -> str | None:
    given = getattr(case.config.gateway, "state_dir", None) if case.config else None
    if given or (given := host.environment.get("STATE_DIRECTORY")):
        return str(given).partition(":")[0]
    if base := host.environment.get("XDG_STATE_HOME"):
        return f"{base}/packbridge"
    home = host.environment.get("HOME")
    return f"{home}/.local/state/packbridge" if home else None
