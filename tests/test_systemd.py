from __future__ import annotations

import socket
from pathlib import Path

from bridge.systemd import Notifier


def test_the_service_manager_hears_what_is_told(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        notifier = Notifier(address)
        notifier.tell("READY=1")
        assert manager.recv(64) == b"READY=1"
        notifier.close()


def test_without_a_service_manager_nothing_happens() -> None:
    notifier = Notifier("")
    notifier.tell("READY=1")
    notifier.close()


def test_a_service_manager_that_has_gone_is_no_error(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.tell("WATCHDOG=1")
    notifier.close()
