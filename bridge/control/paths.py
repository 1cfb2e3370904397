"""Where a gateway and those who ask it meet: one socket a gateway, in a folder that only its user enters."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bridge.errors import LinkError

SYSTEM = Path("/run/packbridge/packbridge.sock")
"""Of a service with `RuntimeDirectory=packbridge`."""


def usual(name: str) -> Path:
    """Where the gateway of that name listens if its configuration does not say."""
    if folder := os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return Path(folder) / "packbridge.sock"
    if folder := os.environ.get("XDG_RUNTIME_DIR", ""):
        return Path(folder) / f"packbridge-{name}.sock"
    return _own_folder() / f"{name}.sock"


def candidates() -> list[Path]:
    """Where gateways that this user may ask could listen."""
    found = [SYSTEM] if SYSTEM.exists() else []
    if folder := os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        found.append(Path(folder) / "packbridge.sock")
    if folder := os.environ.get("XDG_RUNTIME_DIR", ""):
        found += sorted(Path(folder).glob("packbridge-*.sock"))
    found += sorted(_own_folder().glob("*.sock"))
    return [path for path in dict.fromkeys(found) if _is_socket(path)]


def prepare(path: Path) -> None:
    """Make the folder of last resort, and see that nobody else owns it. Raises LinkError."""
    folder = path.parent
    if folder != _own_folder():
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise LinkError(f"{folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LinkError(
            f"{folder}: not a folder of this user alone; remove it, or set control under [gateway]"
        )


def _own_folder() -> Path:
    return Path("/tmp") / f"packbridge-{os.getuid()}"  # noqa: S108  # the last resort, and checked for its owner


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # a folder that we may not enter
        return False
