"""The answering end: a socket that only its owner may use, and that nobody can slow the gateway with.

Requests wait here, outside of the engine: they are handed to it one at a time, with a pause after each
that is ten times as long as its answer took, so all askers together get a tenth of the loop at most. How
many may wait, how long they may take and how much they may say is bounded.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from bridge.control import paths
from bridge.control.requests import LONGEST, VERSION, Request, parse
from bridge.errors import ConfigError, LinkError

MOST = 8  # clients at a time
PATIENCE_S = 5.0
PAUSE_S, PAUSE_FACTOR = 0.02, 10.0
PROBE_S = 0.5
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED of unix(7)

Ask = Callable[[int, Request], None]


class ControlServer:
    """Listens at `path` from `open` to `close`. The engine's replies come back through `answer`."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name
        self._ask: Ask | None = None
        self._server: asyncio.Server | None = None
        self._inode: int | None = None
        self._turn = asyncio.Lock()
        self._free_s = 0.0
        self._count = 0
        self._replies: dict[int, Mapping[str, object]] = {}
        self._clients: set[asyncio.Task[None]] = set()

    async def open(self, ask: Ask) -> None:
        """Begin to listen; `ask` hands a request to the engine. Raises LinkError."""
        self._ask = ask
        paths.prepare(self.path)
        listener = _bound(self.path)
        self._inode = self.path.lstat().st_ino
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=LONGEST)

    def close(self) -> None:
        """Stop listening, and take the socket away if it is still ours."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in self._clients:
            client.cancel()
        with suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()

    def answer(self, client: int, reply: Mapping[str, object]) -> None:
        """The engine's answer to a client."""
        self._replies[client] = reply

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # the server runs us in one
        self._clients.add(task)
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(await self._line(reader, writer))
                await writer.drain()
        except (TimeoutError, ConnectionError):
            return  # who asks and does not wait gets nothing
        except asyncio.CancelledError:
            return  # the gateway ends; the task is nobody's but ours
        finally:
            self._clients.discard(task)
            writer.close()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            self._admit(writer)
            request = parse(await _one_line(reader))
        except ConfigError as error:
            return self._encoded({"ok": False, "error": str(error)})
        return await self._in_turn(request)

    def _admit(self, writer: asyncio.StreamWriter) -> None:
        if not _is_owner(writer):
            raise ConfigError("this socket is for the gateway's own user and root")
        if len(self._clients) > MOST:
            raise ConfigError(f"{MOST} others are asking already; try again")

    async def _in_turn(self, request: Request) -> bytes:
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._free_s - loop.time())
            begun_s = loop.time()
            assert self._ask is not None  # nobody connects before it is open
            self._count += 1
            self._ask(self._count, request)
            reply = self._replies.pop(self._count, {"ok": False, "error": "the gateway is ending"})
            line = self._encoded(reply)
            took_s = loop.time() - begun_s
            self._free_s = loop.time() + max(PAUSE_S, PAUSE_FACTOR * took_s)
        return line

    def _encoded(self, reply: Mapping[str, object]) -> bytes:
        return json.dumps({"v": VERSION, "gateway": self._name, **reply}).encode() + b"\n"


async def _one_line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readline()
    except ValueError:
        raise ConfigError(f"a request is one line of {LONGEST} bytes at most") from None
    return line


def _is_owner(writer: asyncio.StreamWriter) -> bool:
    found = writer.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size
    )
    _, uid, _ = CREDENTIALS.unpack(found)
    return uid in {os.getuid(), 0}


def _bound(path: Path) -> socket.socket:
    """A socket at `path` that only this user can open; one that a dead gateway left is replaced."""
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before it has a name, so that it is never open to others
        listener.bind(str(path))
        listener.listen()  # at once: one that is bound and does not listen looks dead
    except OSError as error:
        listener.close()
        raise LinkError(f"{path}: {error.strerror or error}") from error
    return listener


def _clear(path: Path) -> None:
    try:
        if not path.exists():
            return
        if not path.is_socket():
            raise LinkError(f"{path}: there is something else than a socket; take it away, or set control")
        if (pid := _listening(path)) is not None:
            raise LinkError(
                f"{path}: another gateway listens there (pid {pid}); give one of them another name"
            )
        path.unlink()
    except OSError as error:
        raise LinkError(f"{path}: {error.strerror or error}") from error


def _listening(path: Path) -> int | None:
    """The process that listens at `path`; None if the socket was left by one that died."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return None
        found = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return int(CREDENTIALS.unpack(found)[0])
