"""What a master asks in the Pylontech RS485 protocol, and at which addresses.

    classic   42 analog values · 44 alarms · 47 parameters · 4F version · 51 maker · 92 limits · 93 serial
              number · 96 firmware
    system    61 analog values · 62 alarms · 63 limits, of all batteries together

A battery's address is 10h times its group plus its number in the group, which begins at 2. INFO repeats the
address, or is FF for all batteries of a group; some masters put a module number behind it
(Tomcat42/pylontech-python), some leave it out.

One idea: the commands that write (94 limits, 95 off) are known by name so that they can be refused by it;
nothing here builds them. 90h is another family's (PACE) and has the number of a return code here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bridge.errors import BridgeBug
from bridge.protocols._pylontech_rs485_frames import Frame, Return, build

FIRST, LAST = 0x02, 0x0D
"""Numbers of batteries in a group."""
PER_GROUP = LAST - FIRST + 1
GROUP, GROUPS = 0x10, 8
WHOLE_GROUP = 0xFF
SYSTEM_ADDRESS = 0x12  # where SRNE asks for the system, whatever its group
ANYBODY = 0x00  # some clients send 4F and 51 there


class Command(IntEnum):
    """CID2 of a request; its name in lower case is that of the message."""

    ANALOG_VALUES = 0x42
    ALARM_STATES = 0x44
    SYSTEM_PARAMETERS = 0x47
    PROTOCOL_VERSION = 0x4F
    MANUFACTURER = 0x51
    SYSTEM_IDENTITY = 0x60
    SYSTEM_ANALOG = 0x61
    SYSTEM_ALARMS = 0x62
    SYSTEM_LIMITS = 0x63
    MANAGEMENT = 0x92
    SERIAL_NUMBER = 0x93
    SET_MANAGEMENT = 0x94
    SWITCH_OFF = 0x95
    FIRMWARE = 0x96

    @property
    def title(self) -> str:
        """Its name as a message has it."""
        return self.name.lower()


SYSTEM = frozenset({Command.SYSTEM_ANALOG, Command.SYSTEM_ALARMS, Command.SYSTEM_LIMITS})
REFUSED = frozenset({Command.SET_MANAGEMENT, Command.SWITCH_OFF, Command.SYSTEM_IDENTITY})
WITHOUT_MODULE = frozenset({Command.PROTOCOL_VERSION, Command.MANUFACTURER, Command.SYSTEM_PARAMETERS})
GROUPED = frozenset({Command.ANALOG_VALUES, Command.ALARM_STATES})
_KNOWN = {command.value: command for command in Command}


class Question(NamedTuple):
    """What a request asks. command: None if there is no such. refusal: why it gets no values, if it
    does not. whole_group: all batteries of the group.
    """

    frame: Frame
    command: Command | None
    refusal: Return | None = None
    whole_group: bool = False

    @property
    def name(self) -> str:
        """What is asked, as messages call it."""
        return self.command.title if self.command else f"command_{self.frame.code:02x}"


def understood(frame: Frame) -> Question:
    """What a request asks of a battery."""
    command = _KNOWN.get(frame.code)
    if command is None or command in REFUSED:
        return Question(frame, command, Return.COMMAND)
    if command in SYSTEM | WITHOUT_MODULE or not frame.info:
        return Question(frame, command)
    if len(frame.info) > 2:
        return Question(frame, command, Return.FORMAT)
    whole_group = command in GROUPED and frame.info[0] == WHOLE_GROUP and number(frame.address) == FIRST
    if frame.info[0] != frame.address and not whole_group:
        return Question(frame, command, Return.INFO)
    return Question(frame, command, None, whole_group)


def number(address: int) -> int:
    """Of a battery in its group."""
    return address % GROUP


def place(address: int) -> int | None:
    """Which battery that is, counted from 0 over all groups; None if no battery has such an address."""
    group, in_group = divmod(address, GROUP)
    known = group < GROUPS and FIRST <= in_group <= LAST
    return group * PER_GROUP + in_group - FIRST if known else None


def request(address: int, command: Command) -> bytes:
    """The bytes that ask the battery at `address`. Raises BridgeBug for what does not only read."""
    if command in REFUSED:
        raise BridgeBug(f"{command.title} is never sent")
    info = b"" if command in SYSTEM | WITHOUT_MODULE else bytes((address,))
    return build(Frame(address, command, info))
