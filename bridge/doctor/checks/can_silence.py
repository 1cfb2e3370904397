"""CAN buses on which nobody else was ever heard."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.can_links import can_link
from bridge.doctor.contract import Case, Finding, advice, ok
from bridge.doctor.host import Host


def look(case: Case, host: Host) -> Iterable[Finding]:
    """The frames that the kernel has counted on each SocketCAN interface in use."""
    for name in case.can_buses():
        link = can_link(host, name)
        heard = host.text(f"/sys/class/net/{name}/statistics/rx_packets")
        sent = host.text(f"/sys/class/net/{name}/statistics/tx_packets")
        if link is None or not link.up or heard is None or sent is None:
            continue
        if heard == "0":
            do = "most inverters answer: is it on, set to lithium on CAN, the cable in its BMS socket?"
            yield advice(name, f"nothing was ever heard here, {sent} frames were sent", do)
        else:
            yield ok(name, f"{heard} frames heard, {sent} sent")
