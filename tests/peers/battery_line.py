"""A pseudo-terminal with a battery at its far end that answers as an inverter asks, for others' programs."""

from __future__ import annotations

import os
import threading
import tty

from bridge.responders.contract import Ask, Picture, Responder

END = b"\xfe" * 9  # begins no question of any dialect here


class BatteryLine:
    """The battery answers from a thread until the block ends; `path` is what the other program opens."""

    def __init__(self, responder: Responder, picture: Picture) -> None:
        self._responder = responder
        self._picture = picture
        self._near_fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        self.path = os.ttyname(self._far_fd)
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def _answer(self) -> None:
        while (chunk := os.read(self._near_fd, 256)) != END:
            for item in self._responder.feed(chunk):
                if isinstance(item, Ask) and item.for_us:
                    os.write(self._near_fd, self._responder.answer(item, self._picture) or b"")

    def __enter__(self) -> BatteryLine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._far_fd, END)
        self._thread.join(timeout=5.0)
        os.close(self._near_fd)
        os.close(self._far_fd)
