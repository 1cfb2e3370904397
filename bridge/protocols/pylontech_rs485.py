"""Pylontech batteries on RS485 (US2000, US3000, US5000, UP2500 and their like), several on one pair.

Each battery is asked by its address: what it measures (42), its alarms (44), what it allows (92). The master
battery would answer for all of its group at once, but then nobody knows which one was silent.

One idea: an answer does not say what it answers, so the decoder remembers the last request, whoever sent
it, and reads the answer as that or not at all. A reading is allowed what all of its parts allow.

Nothing is sent but questions. The protocol's two writes (94 sets limits, 95 switches off) cannot be built.

Sources: PYLON RS485 protocol V2.8 and V3.3; captures in Frankkkkk/python-pylontech tests/test_basic.py and
Tomcat42/pylontech-python issues 9 and 11. A battery answers at 115200 baud, at 9600 with its first DIP
switch on.
"""

from __future__ import annotations

from bridge.model import CanFrame, PackInfo, Ratings, Reading
from bridge.protocols import _pylontech_rs485_answers as answers
from bridge.protocols import _pylontech_rs485_readings as readings
from bridge.protocols._pylontech_rs485_frames import BATTERY, Frame, Unsound, check, measure, parse
from bridge.protocols._pylontech_rs485_requests import Command, Question, request, understood
from bridge.protocols._stream import BadFrame, Cutter
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    Request,
    Script,
    Spec,
)

__all__ = ["SPEC", "Decoder", "Device", "Session"]

MASTER = 2

SPEC = Spec(
    maker="Pylontech on RS485 (US2000 to US5000, UP2500, and others that speak it)",
    links=("serial",),
    baudrate=115200,
    baudrates=(115200, 9600),
    shared=True,
    address=MASTER,
    addresses=range(MASTER, 0x7E),  # 16 times the group, and 2 to 13
    searched=range(MASTER, 14),
    reply_timeout_s=0.5,
    gap_s=0.05,
    silence_s=0.2,
)


class Conversation:
    """Requests and answers in their order, from one stream or two. system_step_a: of currents in 63."""

    def __init__(self, system_step_a: float = 0.1) -> None:
        self._step_a = system_step_a
        self._asked: Question | None = None

    def asked(self, frame: Frame) -> Question:
        """A request: what follows answers it."""
        self._asked = understood(frame)
        return self._asked

    def heard(self, frame: Frame) -> list[Message | Dropped]:
        """An answer."""
        try:
            return [*readings.answered(frame, self._asked, self._step_a)]
        except BadFrame as bad:
            return [Dropped(bad.reason, frame.size, bad.detail)]


def sound(cut: bytes | Dropped) -> Frame | Dropped:
    """A frame of the battery family, or why it is none."""
    if isinstance(cut, Dropped):
        return cut
    try:
        frame = parse(cut)
    except Unsound as bad:
        return Dropped(bad.reason, len(cut), bad.detail)
    if frame.family != BATTERY:
        return Dropped(Drop.UNKNOWN, len(cut), f"CID1 {frame.family:02X}")
    return frame


def request_message(question: Question, prefix: str = "") -> Message:
    """A request as a message."""
    frame = question.frame
    raw = {
        "command": f"{frame.code:02X}",
        "info": frame.info.hex().upper(),
        "version": f"{frame.version:02X}",
    }
    return Message(prefix + question.name, Reading(), raw, frame.address)


class Decoder:
    """Frames between ~ and CR; other masters' requests are messages too, our own is an echo."""

    def __init__(self) -> None:
        self._cutter = Cutter(measure, check)
        self._sent = Cutter(measure, check)
        self._own: Frame | None = None
        self._conversation = Conversation()

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What has become certain with this payload, in order."""
        if isinstance(payload, CanFrame):
            return [Dropped(Drop.NOISE, max(1, len(payload.data)), "a CAN frame")]
        return [item for cut in self._cutter.feed(payload) for item in self._read(cut)]

    def sent(self, payload: Payload) -> None:
        """A request of ours: the next answer belongs to it."""
        if isinstance(payload, CanFrame):
            return
        for cut in self._sent.feed(payload):
            frame = sound(cut)
            if not isinstance(frame, Dropped) and not frame.is_answer:
                self._own = frame
                self._conversation.asked(frame)

    def reset(self) -> list[Message | Dropped]:
        """Gives up an incomplete frame."""
        self._sent.reset()
        return [item for cut in self._cutter.reset() for item in self._read(cut)]

    def _read(self, cut: bytes | Dropped) -> list[Message | Dropped]:
        frame = sound(cut)
        if isinstance(frame, Dropped):
            return [frame]
        if frame.is_answer:
            return self._conversation.heard(frame)
        question = self._conversation.asked(frame)
        if frame == self._own:
            return [Dropped(Drop.ECHO, frame.size)]
        return [request_message(question, "request_")]


class Session:
    """The conversation with one battery."""

    streams = False

    def __init__(self, options: Options) -> None:
        self._address = MASTER if options.address is None else options.address

    def open(self) -> Script[None]:
        """Nothing is needed before the first request."""
        yield from ()

    def poll(self) -> Script[Reading]:
        """Values, alarms and limits; a direction is allowed where both of the latter allow it."""
        values = yield self._request(Command.ANALOG_VALUES)
        states = yield self._request(Command.ALARM_STATES)
        limits = yield self._request(Command.MANAGEMENT)
        both = Reading(
            charge_allowed=bool(states.reading["charge_allowed"] and limits.reading["charge_allowed"]),
            discharge_allowed=bool(
                states.reading["discharge_allowed"] and limits.reading["discharge_allowed"]
            ),
        )
        return values.reading | states.reading | limits.reading | both

    def info(self) -> Script[PackInfo | None]:
        """Its own limits, its maker's name for it and its number; each may stay unanswered."""
        parameters = yield from self._optional(Command.SYSTEM_PARAMETERS)
        maker = yield from self._optional(Command.MANUFACTURER)
        serial = yield from self._optional(Command.SERIAL_NUMBER)
        if parameters is None and maker is None and serial is None:
            return None
        return PackInfo(
            model=_said(maker, "device"),
            firmware=_said(maker, "software"),
            serial=_said(serial, "serial"),
            ratings=Ratings() if parameters is None else readings.ratings(parameters.raw),
        )

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # batteries never speak unasked
        """Always None: nothing comes unasked."""
        return None

    def _request(self, command: Command) -> Request:
        return Request(request(self._address, command), command.title, self._address)

    def _optional(self, command: Command) -> Script[Message | None]:
        try:
            return (yield self._request(command))
        except NoReply:
            return None


def _said(message: Message | None, key: str) -> str | None:
    value = message.raw.get(key) if message is not None else None
    return value if isinstance(value, str) and value else None


class Device:
    """One battery at `options.address`, for simulators; it answers for itself only."""

    def __init__(self, options: Options) -> None:
        self._address = MASTER if options.address is None else options.address
        self._cutter = Cutter(measure, check)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """The answers to what was received; nothing for other batteries' requests and for anything else."""
        if isinstance(payload, CanFrame):
            return []
        frames = [sound(cut) for cut in self._cutter.feed(payload)]
        found = [
            self._answer(understood(frame), reading)
            for frame in frames
            if not isinstance(frame, Dropped) and not frame.is_answer and frame.address == self._address
        ]
        return [answer for answer in found if answer is not None]

    def _answer(self, question: Question, reading: Reading) -> bytes | None:
        if question.refusal is not None:
            return answers.refusal(question, question.refusal)
        if question.command in {Command.ANALOG_VALUES, Command.ALARM_STATES}:
            info = answers.told(question, [reading])
        else:
            identity = answers.Identity("US3000C", "Pylon", f"SIMULATED{self._address:07d}")
            cells = len(reading.get("cell_voltages_v", ()))
            info = answers.single(question, answers.management(_with_limits(reading)), cells, identity)
        return None if info is None else answers.framed(question, info)


def _with_limits(reading: Reading) -> Reading:
    """`reading` with limits; those that it lacks are 58.4 V, 44.8 V and 100 A."""
    usual = Reading(
        charge_voltage_limit_v=58.4,
        discharge_voltage_limit_v=44.8,
        charge_current_limit_a=100.0,
        discharge_current_limit_a=100.0,
    )
    return usual | reading
