"""What a controller's error frames say, as Linux passes them on.

An error frame is an identifier of class bits and eight bytes of detail. Not every driver fills in every
byte, so each is only read where its class bit says that it means something.

Source: linux/can/error.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Classes, and bits of data[1] for "controller problems".
ERR_CONTROLLER, ERR_PROTOCOL, ERR_NO_ACK, ERR_BUS_OFF = 0x04, 0x08, 0x20, 0x40
ERR_BUS, ERR_RESTARTED, ERR_COUNTERS = 0x80, 0x100, 0x200
CONTROLLER_OVERFLOW, CONTROLLER_WARNING, CONTROLLER_PASSIVE, CONTROLLER_ACTIVE = 0x03, 0x0C, 0x30, 0x40
RECEIVE_PASSIVE = 0x10
TX_COUNTER, RX_COUNTER = 6, 7  # where the error counters stand


class BusHealth(StrEnum):
    """What the controller says of its bus; `ok` also where the interface can't say."""

    OK = "ok"
    WARNING = "warning"  # errors are counted
    PASSIVE = "passive"  # so many that it may no longer disturb others
    BUS_OFF = "bus-off"  # so many that it has left the bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """One error frame. counters: of the controller, (transmit, receive); None where it does not tell.

    deaf: passive for what it receives, which a wrong bit rate does; sending unheard makes it passive
    for what it sends.
    """

    no_acknowledge: bool
    protocol: bool
    overrun: bool
    deaf: bool
    counters: tuple[int, int] | None


def errors_in(error_class: int, data: bytes) -> Errors:
    """What an error frame complains of."""
    detail = data[1] if error_class & ERR_CONTROLLER and len(data) > 1 else 0
    counted = bool(error_class & ERR_COUNTERS) and len(data) > RX_COUNTER
    return Errors(
        no_acknowledge=bool(error_class & ERR_NO_ACK),
        protocol=bool(error_class & (ERR_PROTOCOL | ERR_BUS)),
        overrun=bool(detail & CONTROLLER_OVERFLOW),
        deaf=bool(detail & RECEIVE_PASSIVE),
        counters=(data[TX_COUNTER], data[RX_COUNTER]) if counted else None,
    )


def health_after(before: BusHealth, error_class: int, data: bytes) -> BusHealth:
    """The bus's health after an error frame."""
    if error_class & ERR_BUS_OFF:
        return BusHealth.BUS_OFF
    if error_class & ERR_RESTARTED:
        return BusHealth.OK
    if error_class & ERR_CONTROLLER and len(data) > 1:
        if data[1] & CONTROLLER_PASSIVE:
            return BusHealth.PASSIVE
        if data[1] & CONTROLLER_WARNING:
            return BusHealth.WARNING
        if data[1] & CONTROLLER_ACTIVE:
            return BusHealth.OK
    return before
