"""A serial CAN adapter, played at the end of a pseudo-terminal and made an interface by slcand.

vcan has no error states; this has, for the kernel's driver takes them from the adapter's text: `s` with
the state (a, w, p, b: active, warning, passive, bus-off) and its receive and transmit error counters in
three digits each, `e` with a count of errors and a letter for each.

Source: Linux, drivers/net/can/slcan/slcan-core.c, since 5.19.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
import time
import tty

NAME = "slcan0"
SPEED = "-s6"  # 500 kbit/s
ATTACH_S = 10.0
ANSWERS = {b"t": b"z", b"T": b"Z", b"V": b"V1013", b"N": b"N0001"}


class Adapter:
    """The adapter's firmware, and what hangs on its bus: takes every frame, says what it is told to."""

    def __init__(self) -> None:
        self._near, self._far = pty.openpty()
        tty.setraw(self._near)
        tty.setraw(self._far)
        self._said: list[str] = []
        self._open = True
        threading.Thread(target=self._serve, daemon=True).start()
        path = os.ttyname(self._far)
        self._daemon = subprocess.Popen(["slcand", "-F", "-o", "-c", SPEED, path, NAME])

    def frames(self, can_id: int | None = None) -> list[bytes]:
        """The data of the frames that it was given, of one identifier or of all."""
        found = [re.fullmatch(r"t([0-9A-F]{3})[0-8]([0-9A-F]*)", text) for text in [*self._said]]
        return [
            bytes.fromhex(one[2]) for one in found if one and (can_id is None or int(one[1], 16) == can_id)
        ]

    def receive(self, can_id: int, data: bytes) -> None:
        """Somebody on its bus sends a frame."""
        self.say(f"t{can_id:03X}{len(data)}{data.hex().upper()}")

    def say(self, text: str) -> None:
        os.write(self._near, text.encode() + b"\r")

    def close(self) -> None:
        self._open = False
        self._daemon.terminate()
        self._daemon.wait()
        os.close(self._far)
        os.close(self._near)

    def _serve(self) -> None:
        pending = b""
        while self._open:
            try:
                pending += os.read(self._near, 4096)
            except OSError:  # it is closed
                return
            *commands, pending = pending.split(b"\r")
            for command in commands:
                self._said.append(command.decode("ascii", "replace"))
                self.say(ANSWERS.get(command[:1], b"").decode())


def set_up() -> None:
    """Wait for the interface, and switch it on."""
    end_s = time.monotonic() + ATTACH_S
    while subprocess.run(["ip", "link", "set", NAME, "up"], capture_output=True, check=False).returncode:
        assert time.monotonic() < end_s, "slcand made no interface"
        time.sleep(0.1)


def restart() -> None:
    """What a person does after bus-off: this driver can not start its controller in another way."""
    for state in ("down", "up"):
        subprocess.run(["ip", "link", "set", NAME, state], check=True)
