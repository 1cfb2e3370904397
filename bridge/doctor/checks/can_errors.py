"""What a CAN controller says of its bus: its state, its error counters, and what it went through."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.can_links import CanLink, can_link
from bridge.doctor.contract import Case, Finding, advice, ok, problem
from bridge.doctor.host import Host

PASSIVE = 128  # ISO 11898-1: from this count on a controller is error-passive
TERMINATION = "check the termination (120 ohm at both ends, 60 ohm between CAN-H and CAN-L with all off)"


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Each SocketCAN interface in use that is up and tells its state."""
    for name in case.can_buses():
        link = can_link(host, name)
        if link is not None and link.up and link.state is not None:
            yield _state(link, link.state)
            if link.bus_offs:
                do = "watch whether it becomes more; " + TERMINATION
                yield advice(name, f"{link.bus_offs} times in bus-off since it was set up", do)


def _state(link: CanLink, state: str) -> Finding:
    known = link.tx_errors is not None and link.rx_errors is not None
    counted = f"error counters: transmit {link.tx_errors}, receive {link.rx_errors}"
    counted = counted if known else "its driver does not tell the error counters"
    if state == "BUS-OFF":
        command = f"sudo ip link set {link.name}"
        restart = f"{command} down; {command} up" if link.serial else f"{command} type can restart"
        do = f"check the wiring, CAN-H against CAN-L and the bit rate, then {restart}"
        return problem(link.name, "bus-off: the controller has left the bus", do)
    if state == "ERROR-PASSIVE" and not known:
        do = f"is the inverter on, the bit rate right, CAN-H where it belongs? {TERMINATION}"
        return problem(link.name, f"error-passive; {counted}", do)
    if state == "ERROR-PASSIVE" and (link.tx_errors or 0) >= PASSIVE > (link.rx_errors or 0):
        do = "is the inverter on, the cable in its BMS socket, the bit rate right, CAN-H where it belongs?"
        return problem(link.name, f"error-passive for what it sends: nobody acknowledges; {counted}", do)
    if state == "ERROR-PASSIVE":
        do = f"is another device's bit rate different, or CAN-H swapped with CAN-L? {TERMINATION}"
        return problem(link.name, f"error-passive for what it receives; {counted}", do)
    if state == "ERROR-WARNING":
        return problem(link.name, f"many errors; {counted}", TERMINATION)
    if (link.tx_errors or 0) + (link.rx_errors or 0):
        return advice(link.name, f"{state.lower()}; {counted}", "some errors; " + TERMINATION)
    return ok(link.name, f"{state.lower()}; no errors counted")
