"""USB adapters that hold back what they received: FTDI's latency timer, 16 ms unless it is changed."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, advice, ok
from bridge.doctor.host import Host

FINE_MS = 2


def look(case: Case, host: Host) -> Iterable[Finding]:
    """The timers of the adapters in use. Source: Linux, drivers/usb/serial/ftdi_sio.c."""
    for port in case.serial_ports():
        name = host.device(port).name
        path = f"/sys/bus/usb-serial/devices/{name}/latency_timer"
        text = host.text(path)
        if text is None or not text.strip().isdecimal():
            continue  # another chip, which has no such timer
        if int(text) <= FINE_MS:
            yield ok(port, f"its latency timer is {text} ms")
        else:
            do = f'echo 1 | sudo tee {path}, and a udev rule to keep it: ATTR{{latency_timer}}="1"'
            yield advice(port, f"its latency timer is {text} ms, which each answer waits for at its end", do)
