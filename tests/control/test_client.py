"""Finding the gateway that is meant among those that run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.control import client, paths
from bridge.control.paths import candidates, prepare, usual
from bridge.control.requests import Hello
from bridge.errors import LinkError
from tests.control.served import Served


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a folder for sockets, and no system service."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setattr(paths, "SYSTEM", tmp_path / "none")
    monkeypatch.setattr(paths, "_own_folder", lambda: tmp_path / "own")
    return tmp_path


@pytest.fixture
def cellar(home: Path) -> Iterator[Served]:
    with Served(usual("cellar")) as running:
        yield running


def test_a_service_listens_in_its_runtime_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/packbridge:/run/other")
    assert usual("cellar") == Path("/run/packbridge/packbridge.sock")


def test_a_user_listens_in_the_session_or_else_in_a_folder_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usual("cellar") == home / "packbridge-cellar.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert usual("cellar") == home / "own" / "cellar.sock"


def test_the_folder_of_last_resort_is_made_for_its_owner_alone(home: Path) -> None:
    prepare(home / "own" / "cellar.sock")
    assert (home / "own").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_enter_is_not_used(home: Path) -> None:
    (home / "own").mkdir(mode=0o755)
    with pytest.raises(LinkError, match="not a folder of this user alone"):
        prepare(home / "own" / "cellar.sock")


def test_a_link_in_its_place_is_not_followed(home: Path) -> None:
    (home / "elsewhere").mkdir(mode=0o700)
    (home / "own").symlink_to(home / "elsewhere")
    with pytest.raises(LinkError, match="not a folder of this user alone"):
        prepare(home / "own" / "cellar.sock")


def test_the_only_gateway_is_found(cellar: Served) -> None:
    assert client.find() == cellar.path
    assert client.find("cellar") == cellar.path


def test_without_any_it_is_said_what_to_do(home: Path) -> None:
    with pytest.raises(
        LinkError, match="no gateway is running here as this user; start one with packbridge run"
    ):
        client.find()


def test_a_socket_of_a_dead_gateway_is_no_gateway(home: Path) -> None:
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(usual("dead")))
    dead.close()
    assert candidates() == [usual("dead")]
    with pytest.raises(LinkError, match="no gateway is running"):
        client.find()


def test_of_several_one_must_be_named(cellar: Served) -> None:
    with Served(usual("barn"), "barn") as barn:
        with pytest.raises(
            LinkError, match=r"several gateways are running: barn \(.*\), cellar .*--gateway NAME"
        ):
            client.find()
        assert client.find("barn") == barn.path


def test_a_name_that_no_gateway_has_is_answered_with_those_there_are(cellar: Served) -> None:
    with pytest.raises(LinkError, match=r"no gateway called celar .* there are: cellar\. Did you mean"):
        client.find("celar")


def test_a_place_where_none_listens_is_said(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no gateway is running there"):
        client.ask(client.find(path=tmp_path / "x"), Hello())
