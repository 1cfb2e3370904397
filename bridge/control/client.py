"""The asking end: finds the one gateway that is meant, and asks it one thing."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from bridge.control import paths
from bridge.control.requests import Hello, Request, encode
from bridge.errors import ConfigError, LinkError, did_you_mean

PATIENCE_S = 10.0
LONGEST = 8 * 1024 * 1024  # bytes of a reply


def ask(path: Path, request: Request) -> object:
    """What the gateway at `path` says. Raises LinkError if none is there, ConfigError if it refuses."""
    reply = _reply(path, request)
    if reply.get("ok") is True:
        return reply.get("result")
    raise ConfigError(str(reply.get("error", "the gateway did not say why")))


def find(name: str | None = None, path: Path | None = None) -> Path:
    """The socket of the gateway that is meant. Raises LinkError if there is none, or no telling which."""
    if path is not None:
        return path
    running = _running(paths.candidates())
    if name is not None:
        if not (named := [where for where, who in running if who == name]):
            known = [who for _, who in running]
            there = ", ".join(known) or "none"
            raise LinkError(
                f"no gateway called {name} is running here; there are: {there}{did_you_mean(name, known)}"
            )
        running = [(where, name) for where in named]
    if not running:
        raise LinkError(
            "no gateway is running here as this user; start one with packbridge run, or name its socket: "
            "--socket PATH"
        )
    if len(running) > 1:
        there = ", ".join(f"{who} ({where})" for where, who in running)
        raise LinkError(
            f"several gateways are running: {there}; say which with --gateway NAME or --socket PATH"
        )
    return running[0][0]


def _running(places: Sequence[Path]) -> list[tuple[Path, str]]:
    found = []
    for path in places:
        with suppress(LinkError):
            found.append((path, str(_reply(path, Hello()).get("gateway"))))
    return found


def _reply(path: Path, request: Request) -> dict[str, object]:
    try:
        line = _exchange(path, encode(request))
    except TimeoutError as error:
        raise LinkError(f"{path}: no answer within {PATIENCE_S:g} s; is the gateway stuck?") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise LinkError(f"{path}: no gateway is running there") from error
    except PermissionError as error:
        raise LinkError(f"{path}: it belongs to another user; ask as that user or as root") from error
    except OSError as error:
        raise LinkError(f"{path}: {error.strerror or error}") from error
    try:
        reply = json.loads(line)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise LinkError(f"{path}: the gateway closed the connection without an answer")
    return cast(dict[str, object], reply)


def _exchange(path: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(path))
        with suppress(BrokenPipeError):  # who is refused is told so, perhaps before it has asked
            connection.sendall(line)
        found = bytearray()
        while not found.endswith(b"\n") and (chunk := connection.recv(65536)) and len(found) < LONGEST:
            found += chunk
        return bytes(found)
