"""A pseudo-terminal with a simulated board at its far end, for programs that others wrote."""

from __future__ import annotations

import os
import threading
import tty

from bridge.model import Reading
from bridge.protocols.contract import Device

END = b"\x00"


class Line:
    """The board answers from a thread until the block ends; `path` is what the other program opens."""

    def __init__(self, device: Device, reading: Reading) -> None:
        self._device = device
        self._reading = reading
        self._near_fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        self.path = os.ttyname(self._far_fd)
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def _answer(self) -> None:
        while (chunk := os.read(self._near_fd, 256)) != END:
            for reply in self._device.receive(chunk, self._reading):
                assert isinstance(reply, bytes)
                os.write(self._near_fd, reply)

    def __enter__(self) -> Line:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._far_fd, END)
        self._thread.join(timeout=5.0)
        os.close(self._near_fd)
        os.close(self._far_fd)
