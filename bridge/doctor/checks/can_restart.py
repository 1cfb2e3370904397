"""Whether a CAN interface comes back by itself after bus-off, and how many frames it queues."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.can_links import BITRATE_FIXED, can_link
from bridge.doctor.contract import Case, Finding, advice, ok, problem
from bridge.doctor.host import Host

QUEUE_MIN = 10


def look(case: Case, host: Host) -> Iterable[Finding]:
    """restart-ms and txqueuelen of each SocketCAN interface in use."""
    for name in case.can_buses():
        link = can_link(host, name)
        if link is None or link.kind in BITRATE_FIXED:
            continue
        if link.serial:
            do = (
                "after bus-off set it down and up; or let packbridge open the port itself "
                '(interface = "slcan"), which starts the adapter anew. Leave restart-ms alone: the driver '
                "can not do it"
            )
            yield advice(name, "made of a serial port: it does not come back by itself after bus-off", do)
        elif not link.restart_ms:
            do = f"sudo ip link set {name} down; sudo ip link set {name} up type can restart-ms 100"
            yield problem(name, "restart-ms is 0: after bus-off it stays off the bus", do)
        else:
            yield ok(name, f"comes back {link.restart_ms} ms after bus-off")
        if link.queue is not None and link.queue < QUEUE_MIN:
            do = f"sudo ip link set {name} txqueuelen {QUEUE_MIN}"
            yield advice(name, f"txqueuelen is {link.queue}, less than a cycle of frames", do)
