"""Posing as a Pylontech battery on RS485, in both of its dialects: the classic commands and the system's.

    classic   4F 42 44 47 51 92 93 96   of the battery at our address, or of one battery for each pack
    system    61 62 63                  of all together; asked at 12h, answered from 02h (SRNE, EASUN, Deye)

Writes (94, 95) are refused with return code 04, a wrong check sum with 02 or 03. Nobody answers at an address
where no battery is: that is how masters count them.

One idea: what cannot be said truly is not said. The protocol has no word for an unknown voltage or SoC, so
without them there is silence; and stop is said in all places that there are: limits of 0, no enable bits,
open switches, states, and in 62 the system fault.

Sources: stuartpittaway/diyBMSv4ESP32 ESPController/src/pylon_rs485.cpp (what an Axpert asks: 4F 42 92; it
sends positive discharge limits and never a charge limit of 0), Fahmula/esphome-pylontech-rs485 (SRNE wants
answers from 02h), dnc392/rs485-bms-probe (a JK BMS does so), ai-republic/bms-to-inverter issue 124 (what
an EASUN SMX II asks), and those of the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bridge.model import Reading
from bridge.protocols import _pylontech_rs485_answers as answers
from bridge.protocols import _pylontech_rs485_classic as classic
from bridge.protocols import _pylontech_rs485_requests as requests
from bridge.protocols import _pylontech_rs485_system as system
from bridge.protocols._pylontech_rs485_frames import BATTERY, Unsound, check, measure, parse
from bridge.protocols._pylontech_rs485_requests import Command, Question
from bridge.protocols._stream import Cutter
from bridge.protocols.pylontech_rs485 import Conversation, request_message, sound
from bridge.responders import _pylontech_picture as pictured
from bridge.responders._pylontech_master import Master
from bridge.responders.contract import (
    Ask,
    Dropped,
    Message,
    Overheard,
    Picture,
    Port,
    Spec,
    Table,
)

__all__ = ["SPEC", "Exchange", "Master", "Options", "Responder"]

SPEC = Spec(
    maker="Pylontech RS485, classic and system commands",
    address=2,
    addresses=range(2, 0x7E),  # 16 times the group, and 2 to 13
    silence_s=0.2,  # a frame says where it ends
)

MODULE_NEEDS = frozenset({"voltage_v", "soc_pct", "full_ah"})
SYSTEM_NEEDS = frozenset(
    {
        "voltage_v", "soc_pct", "cell_max_v", "cell_min_v", "temperature_c", "temperature_max_c",
        "temperature_min_c",
    }
)  # fmt: skip
NEEDED = {"axpert": MODULE_NEEDS, "system": SYSTEM_NEEDS, "logger": MODULE_NEEDS}
LEAST_STEPS = 1
LIMITS = frozenset({"charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a"})
SYSTEM_ENDS = LIMITS | {"current_a", "cycles"}
CLASSIC_ENDS = SYSTEM_ENDS | {"full_ah"}


class Options(Table):
    """What differs between inverters that speak it.

    asks: which commands the inverter uses; all are answered. pose: as one battery, or as one for each pack.
    negative_discharge_limit: in 92, as real batteries send it. never_zero_charge: a charge limit of 0 is
    sent as 0.1 A beside the bit that ends charging. system_address: where 61 to 63 are asked;
    echo_system_address: they are answered from there and not from our address. system_step: of the
    currents in 63. device, manufacturer: as 51 says them.
    """

    asks: Literal["axpert", "system", "logger"] = "axpert"
    pose: Literal["one", "each"] = "one"
    negative_discharge_limit: bool = True
    never_zero_charge: bool = False
    system_address: int = requests.SYSTEM_ADDRESS
    echo_system_address: bool = False
    system_step: Literal["100 mA", "10 mA"] = "100 mA"
    device: str = "US3000C"
    manufacturer: str = "Pylon"

    @property
    def system_step_a(self) -> float:
        """Of the currents in 63."""
        return 0.1 if self.system_step == "100 mA" else 0.01


class Responder:
    """One battery or several on the pair; keeps nothing between two requests."""

    def __init__(self, port: Port[Options]) -> None:
        self.required = NEEDED[port.options.asks]
        self._address = requests.FIRST if port.address is None else port.address
        self._options = port.options
        self._cutter = Cutter(measure, check)

    def feed(self, chunk: bytes) -> list[Ask | Overheard | Dropped]:
        """What has become certain with this chunk, in order. Some masters end their lines with CR and LF."""
        return [self._heard(cut) for cut in self._cutter.feed(chunk.replace(b"\n", b""))]

    def reset(self) -> list[Ask | Overheard | Dropped]:
        """Gives up an incomplete frame."""
        return [self._heard(cut) for cut in self._cutter.reset()]

    def answer(self, ask: Ask, picture: Picture) -> bytes | None:
        """The whole answer; None where no battery is, or where too little is known for a true one."""
        try:
            question = requests.understood(parse(ask.data))
            status = question.refusal
        except Unsound as bad:
            question, status = requests.understood(bad.heading), bad.status
        is_system = question.command in requests.SYSTEM
        posed = [pictured.whole(picture)] if is_system else self._posed(question, picture)
        if not posed:
            return None
        if status is not None:
            return answers.refusal(question, status)
        if is_system:
            return self._system(question, picture)
        info = self._info(question, posed, picture)
        anybody = question.frame.address == requests.ANYBODY
        return None if info is None else answers.framed(question, info, self._address if anybody else None)

    def too_large(self, picture: Picture) -> frozenset[str]:
        """Of what its inverter asks for. Each pack by itself is small enough for everything."""
        if self._options.asks == "system":
            names, measured_a, limit_a = SYSTEM_ENDS, 0.01, self._options.system_step_a
        elif self._options.pose == "one":
            names, measured_a, limit_a = CLASSIC_ENDS, 0.1, 0.1
        else:
            return frozenset()
        return pictured.too_large(picture, names, measured_a=measured_a, limit_a=limit_a)

    # What is asked

    def _heard(self, cut: bytes | Dropped) -> Ask | Overheard | Dropped:
        if isinstance(cut, Dropped):
            return cut
        try:
            frame = parse(cut)
        except Unsound as bad:
            return self._unsound(cut, bad)
        if frame.is_answer:
            ours = frame.family == BATTERY and self._is_ours(requests.understood(frame))
            return Overheard("answer", frame.address, len(cut), ours)
        question = requests.understood(frame)
        message = request_message(question)
        if frame.family != BATTERY:
            return Ask(question.name, frame.address, cut, message.raw, for_us=False)
        if question.refusal is None:
            return Ask(question.name, frame.address, cut, message.raw, self._is_ours(question))
        raw = {**message.raw, "reason": f"{question.name}: return code {question.refusal:02X}"}
        return Ask("refused", frame.address, cut, raw, self._is_ours(question))

    def _unsound(self, cut: bytes, bad: Unsound) -> Ask | Dropped:
        """A battery says so to a master whose request fails its sums, as far as it seems to be one."""
        question = requests.understood(bad.heading)
        if question.command is None or bad.heading.family != BATTERY or not self._is_ours(question):
            return Dropped(bad.reason, len(cut), bad.detail)
        return Ask("refused", bad.heading.address, cut, {"reason": bad.detail})

    def _is_ours(self, question: Question) -> bool:
        """Whether we may be a battery at the address that was asked."""
        address = question.frame.address
        if question.command in requests.SYSTEM:
            return address in {self._options.system_address, self._address}
        if address == requests.ANYBODY:
            return question.command in {Command.PROTOCOL_VERSION, Command.MANUFACTURER}
        if self._options.pose == "one":
            return address == self._address
        place = requests.place(address)
        return place is not None and place >= (requests.place(self._address) or 0)

    # Who answers

    def _posed(self, question: Question, picture: Picture) -> list[Reading]:
        """The batteries that are asked; none where there is none."""
        if self._options.pose == "one":
            return [pictured.whole(picture)]
        first = requests.place(self._address) or 0
        begin = max(first, requests.place(question.frame.address) or 0) - first
        asked = picture.modules[begin : begin + (requests.PER_GROUP if question.whole_group else 1)]
        return [pictured.pack(module, picture) for module in asked if module is not None]

    def _info(self, question: Question, posed: list[Reading], picture: Picture) -> bytes | None:
        if question.command in requests.GROUPED:
            return answers.told(question, posed)
        limits = self._with_least(
            answers.management(
                posed[0], pictured.wishes(picture), negative_discharge=self._options.negative_discharge_limit
            )
        )
        identity = answers.Identity(
            self._options.device, self._options.manufacturer, f"PACKBRIDGE{question.frame.address:06d}"
        )
        return answers.single(question, limits, len(posed[0].get("cell_voltages_v", ())), identity)

    def _system(self, question: Question, picture: Picture) -> bytes | None:
        builders: dict[Command | None, Callable[[Picture], bytes | None]] = {
            Command.SYSTEM_ANALOG: self._system_analog,
            Command.SYSTEM_ALARMS: self._system_alarms,
            Command.SYSTEM_LIMITS: self._system_limits,
        }
        info = builders[question.command](picture)
        address = None if self._options.echo_system_address else self._address
        return None if info is None else answers.framed(question, info, address)

    def _system_analog(self, picture: Picture) -> bytes | None:
        told = pictured.system_analog(picture)
        return None if told is None else system.write_analog(told)

    def _system_alarms(self, picture: Picture) -> bytes:
        return bytes(answers.system_alarms(pictured.whole(picture)))

    def _system_limits(self, picture: Picture) -> bytes:
        limits = answers.management(
            pictured.whole(picture),
            pictured.wishes(picture),
            step_a=self._options.system_step_a,
            negative_discharge=False,
        )
        return system.write_limits(self._with_least(limits))

    def _with_least(self, limits: classic.Management) -> classic.Management:
        if self._options.never_zero_charge and not limits.charge_current:
            return limits._replace(charge_current=LEAST_STEPS)
        return limits


class Exchange:
    """Both directions of a capture: an answer belongs to the request before it."""

    def __init__(self, options: Options) -> None:
        self._requests, self._answers = Cutter(measure, check), Cutter(measure, check)
        self._conversation = Conversation(options.system_step_a)

    def sent(self, chunk: bytes) -> list[Message | Dropped]:
        """What the master sent."""
        return [item for cut in self._requests.feed(chunk) for item in self._read(cut)]

    def feed(self, chunk: bytes) -> list[Message | Dropped]:
        """What the battery sent."""
        return [item for cut in self._answers.feed(chunk) for item in self._read(cut)]

    def reset(self) -> list[Message | Dropped]:
        """The end of the capture."""
        cuts = [*self._requests.reset(), *self._answers.reset()]
        return [item for cut in cuts for item in self._read(cut)]

    def _read(self, cut: bytes | Dropped) -> list[Message | Dropped]:
        frame = sound(cut)
        if isinstance(frame, Dropped):
            return [frame]
        if frame.is_answer:
            return self._conversation.heard(frame)
        return [request_message(self._conversation.asked(frame))]
