"""The three words that systemd wants to hear: READY, WATCHDOG, STOPPING. Silent without systemd.

The watchdog is fed only after a decision reached the senders, so a gateway that runs but no longer
decides is restarted. Protocol: sd_notify(3), a datagram to the socket named in NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket


class Notifier:
    """Sends state lines to the service manager that started us, if one did."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET") if address is None else address
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._address else None

    def tell(self, state: str) -> None:
        """Say `READY=1`, `WATCHDOG=1`, `STOPPING=1` or `STATUS=...`; never blocks, never raises."""
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto(state.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            return  # the manager is gone or busy; the next word will tell

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
