"""The control socket itself: who may use it, what it takes, and that nobody can slow the gateway with it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.control import client, server
from bridge.control.requests import LONGEST, Hello, ListLeases, Status, encode
from bridge.control.server import MOST, ControlServer
from bridge.errors import ConfigError, LinkError
from tests.control.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "control.sock") as running:
        yield running


def connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def said_to(path: Path, data: bytes) -> dict[str, object]:
    with connected(path) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # a refusal may come before the question
            connection.sendall(data)
        found = b""
        while not found.endswith(b"\n") and (chunk := connection.recv(65536)):
            found += chunk
    reply: dict[str, object] = json.loads(found)
    return reply


def test_only_its_owner_can_open_the_socket(served: Served) -> None:
    assert stat.S_IMODE(served.path.lstat().st_mode) == 0o600


def test_another_users_process_is_refused_even_if_it_got_in(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_is_owner", lambda _: False)
    with pytest.raises(ConfigError, match="for the gateway's own user and root"):
        client.ask(served.path, Hello())
    assert served.asked == []


def test_a_request_is_answered_with_version_and_name(served: Served) -> None:
    reply = said_to(served.path, encode(ListLeases()))
    assert reply == {"v": 1, "gateway": "cellar", "ok": True, "result": []}


def test_what_is_not_understood_never_reaches_the_engine(served: Served) -> None:
    reply = said_to(served.path, b"what is the time?\n")
    assert reply["ok"] is False
    assert served.asked == []


def test_a_request_in_pieces_is_one_request(served: Served) -> None:
    with connected(served.path) as connection:
        for byte in encode(Hello()):
            connection.sendall(bytes([byte]))
        assert json.loads(connection.recv(65536))["ok"] is True


def test_a_line_without_end_is_cut_off(served: Served) -> None:
    reply = said_to(served.path, b"x" * (LONGEST + 1))
    assert "one line of 4096 bytes at most" in str(reply["error"])


def test_one_connection_is_one_request(served: Served) -> None:
    with connected(served.path) as connection:
        connection.sendall(encode(Hello()) * 3)
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
    assert found.count(b"\n") == 1
    assert len(served.asked) == 1


def test_who_connects_and_says_nothing_is_left_and_forgotten(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE_S", 0.05)
    with connected(served.path) as connection:
        assert connection.recv(1) == b""


def test_too_many_at_once_are_told_so_and_the_others_are_served(served: Served) -> None:
    idle = [connected(served.path) for _ in range(MOST)]
    try:
        time.sleep(0.1)  # until the loop has taken them in
        assert "others are asking already" in str(said_to(served.path, encode(Hello()))["error"])
        idle[0].sendall(encode(Hello()))
        assert json.loads(idle[0].recv(65536))["ok"] is True
    finally:
        for one in idle:
            one.close()


def test_many_requests_leave_the_loop_most_of_its_time(served: Served) -> None:
    begun_s = time.monotonic()
    for _ in range(10):
        client.ask(served.path, Status())
    assert time.monotonic() - begun_s > 9 * server.PAUSE_S


def test_an_engine_that_says_nothing_is_said_to_be_ending(served: Served) -> None:
    served.silent = True
    with pytest.raises(ConfigError, match="the gateway is ending"):
        client.ask(served.path, Hello())


def test_the_socket_goes_with_its_gateway(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with Served(path):
        assert path.is_socket()
    assert not path.exists()


def test_a_socket_that_a_dead_gateway_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.listen()
    dead.close()
    with Served(path):
        assert client.ask(path, ListLeases()) == []


def opened(path: Path) -> None:
    async def attempt() -> None:
        control = ControlServer(path, "second")
        try:
            await control.open(lambda *_: None)
        finally:
            control.close()

    asyncio.run(attempt())


def test_the_socket_of_a_gateway_that_runs_is_left_alone_and_named(served: Served) -> None:
    with pytest.raises(
        LinkError, match=rf"{served.path}: another gateway listens there \(pid {os.getpid()}\)"
    ):
        opened(served.path)
    assert client.ask(served.path, ListLeases()) == []


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(LinkError, match="something else than a socket"):
        opened(path)
    assert path.read_text() == "data"


def test_a_folder_that_is_not_there_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="No such file"):
        opened(tmp_path / "missing" / "control.sock")
