"""The emulated packs and the bus of the tests here; without a guest or a bench all are skipped."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hil import rig as rigs
from hil.guest import MARK

ADAPTER_TIMEOUT_S = 60.0
POLL_S = 0.2


class Air:
    """The radio program, and a place for new packs in it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "hil.air"]
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._numbers = itertools.count(1)
        assert self._answer() == "ready\n"

    def pack(
        self, bms: str, *, cell_v: float = 3.3, mtu: int = 23, chunk: int = 20, prefix: str = "PACK"
    ) -> Pack:
        """A pack that comes into range, with a name and an address that no other has had."""
        number = next(self._numbers)
        made = Pack(self, bms, f"{prefix}-{number}", f"A4:C1:38:00:00:{number:02X}", cell_v)
        made.order("appear", bms=bms, name=made.name, cell_v=cell_v, mtu=mtu, chunk=chunk)
        return made

    def order(self, **fields: object) -> object:
        """Give the program an order and wait for its answer."""
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps(fields) + "\n")
        self._program.stdin.flush()
        return json.loads(self._answer())

    def close(self) -> None:
        """End the program; the adapter disappears."""
        with self._program:  # closes its input, which tells it to end
            pass

    def _answer(self) -> str:
        assert self._program.stdout is not None
        return self._program.stdout.readline()


@dataclass
class Pack:
    """One emulated pack."""

    air: Air
    bms: str
    name: str
    address: str
    cell_v: float

    def order(self, verb: str, **fields: object) -> object:
        return self.air.order(do=verb, address=self.address, **fields)

    def cut(self) -> None:
        """Break its connection, as interference does; it can be connected to again at once."""
        self.order("cut")

    def vanish(self) -> None:
        """Carry it out of range."""
        self.order("vanish")

    def come_back(self) -> None:
        self.order("return")

    def silence(self, *, silent: bool = True) -> None:
        """Let it hear but not speak, or speak again; it stays connected."""
        self.order("silence", silent=silent)

    def written(self) -> list[str]:
        """All that was ever written to it, in hex."""
        answer = self.order("written")
        assert isinstance(answer, list)
        return answer


@pytest.fixture(scope="session")
def air() -> Iterator[Air]:
    """The radio program, with the kernel's adapter switched on by BlueZ."""
    if MARK not in os.environ:
        pytest.skip("needs a kernel with Bluetooth, CAN and BlueZ: python -m hil")
    made = Air()
    deadline_s = time.monotonic() + ADAPTER_TIMEOUT_S
    while "Powered: yes" not in subprocess.getoutput("bluetoothctl show"):
        assert time.monotonic() < deadline_s, "BlueZ does not switch the adapter on"
        time.sleep(POLL_S)
    yield made
    made.close()


@pytest.fixture(scope="session")
def rig() -> rigs.Rig:
    """The bus to work on."""
    if (found := rigs.here()) is None:
        pytest.skip("needs SocketCAN, or a bench of adapters in hil/rig.toml: python -m hil")
    return found


@pytest.fixture
def native(rig: rigs.Rig) -> rigs.Rig:
    """The same, for tests that need `ip` or can-utils."""
    if not rig.native:
        pytest.skip("needs interfaces of the kernel at both ends")
    return rig


@pytest.fixture
def in_guest() -> None:
    """For tests that only the guest's kernel can be asked for."""
    if MARK not in os.environ:
        pytest.skip("needs a kernel to do with as one likes: python -m hil --guest")
