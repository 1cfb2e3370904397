"""KOSTAL Plenticore with a BYD battery on RS485: a binary protocol of its own, not Modbus.

    62 .. 4A 08   what the battery is     40 bytes, little-endian; the first exchange
    62 .. 4A 04   how it is               64 bytes
    62 .. 53 03   status                  one byte
    62 .. 50      polarity test           no answer
    63 .. 47      clock                   acknowledged
    63 .. 5E NN   state: 00 contactors may close, 04 test them, FF no answer; acknowledged

Floats are little-endian single precision; limits are rounded down to one. One idea: packbridge switches
no contactors. It says that they are open, with a voltage of 0, until the inverter has let them close or
has asked eight times how the battery is, as the batteries do; then that they are closed.

Sources: dalathegreat/Battery-Emulator Software/src/inverter/KOSTAL-RS485 and its pull request 644.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.protocols.contract import Message, Raw
from bridge.registers.amounts import Said, said_of
from bridge.responders._kostal_frames import ANSWER, COMMAND, READ, Frame, Frames, sealed
from bridge.responders._kostal_master import Plenticore
from bridge.responders._kostal_values import INFO_SIZE, STATE_SIZE, info, info_said, state, state_said
from bridge.responders.contract import Ask, Dropped, Overheard, Picture, Port, Spec, Table

SPEC = Spec(maker="KOSTAL and BYD")
INFO, CYCLIC, STATUS = b"\x4a\x08", b"\x4a\x04", b"\x53\x03"
POLARITY, CLOCK, STATE = 0x50, 0x47, 0x5E
NO_ANSWER, MAY_CLOSE = 0xFF, 0x00
READS: Mapping[bytes, str] = {INFO: "battery_info", CYCLIC: "battery_state", STATUS: "status"}
REFUSED = "refused"
CLOSED_AFTER = 7  # answers


class Options(Table):
    """info_first: nothing is answered before the inverter has asked what the battery is, as with the real
    one; false for an inverter that does not ask again when only the gateway was restarted.
    """

    info_first: bool = True


class Responder:
    """Our side: one battery."""

    required = frozenset(
        {
            "voltage_v", "soc_pct", "charge_voltage_limit_v", "discharge_voltage_limit_v",
            "charge_current_limit_a", "discharge_current_limit_a",
        }
    )  # fmt: skip

    def __init__(self, port: Port[Options]) -> None:
        self._frames = Frames()
        self._introduced = not port.options.info_first
        self._answers = 0  # to CYCLIC
        self._may_close = False

    def feed(self, chunk: bytes) -> list[Ask | Overheard | Dropped]:
        """What has become certain with this chunk."""
        return [_heard(item) for item in self._frames.feed(chunk)]

    def reset(self) -> list[Ask | Overheard | Dropped]:
        """Gives up what is incomplete."""
        return [_heard(item) for item in self._frames.reset()]

    def answer(self, ask: Ask, picture: Picture) -> bytes | None:
        """The answer to a request; nothing before the inverter has asked what the battery is."""
        if not ask.for_us or not self.required <= picture.values.keys():
            return None
        if ask.name == "battery_info":
            self._introduced = True
            return sealed(READ | ANSWER, info(said_of(picture)))
        if not self._introduced:
            return None
        if ask.name == "battery_state":
            return sealed(READ | ANSWER, self._cyclic(said_of(picture)))
        if ask.name == "status":
            return sealed(READ | ANSWER, b"\x06")
        if ask.name == "set_state":
            self._may_close |= ask.raw["state"] == MAY_CLOSE
            return None if ask.raw["state"] == NO_ANSWER else sealed(COMMAND | ANSWER, b"")
        return sealed(COMMAND | ANSWER, b"") if ask.name == "set_clock" else None

    def too_large(self, picture: Picture) -> frozenset[str]:  # noqa: ARG002  # the contract's signature
        """Nothing: they are floating-point numbers."""
        return frozenset()

    def _cyclic(self, said: Said) -> bytes:
        closed = self._may_close or self._answers > CLOSED_AFTER
        first = self._answers == 0
        self._answers += 1
        return state(said, closed=closed, first=first)


def _heard(item: Frame | Dropped) -> Ask | Overheard | Dropped:
    if isinstance(item, Dropped):
        return item
    if item.is_answer:
        return Overheard("answer", None, len(item.data), ours=True)
    name, raw = asked(item)
    return Ask(name, None, item.data, raw, for_us=True)


def asked(frame: Frame) -> tuple[str, dict[str, Raw]]:
    """What a request is called and says."""
    payload = frame.payload
    if frame.kind == READ:
        if payload[:1] == bytes((POLARITY,)):
            return "polarity_test", {}
        name = READS.get(payload)
        return (name, {}) if name else (REFUSED, {"reason": f"unknown code {payload.hex()}"})
    if payload[:1] == bytes((STATE,)) and len(payload) == 2:
        return "set_state", {"state": payload[1]}
    if payload[:1] == bytes((CLOCK,)):
        return "set_clock", {"data": payload[1:].hex()}
    return REFUSED, {"reason": f"unknown command {payload.hex()}"}


class Master(Plenticore):
    """An inverter that asks such a battery."""

    def __init__(self, port: Port[Options]) -> None:  # noqa: ARG002  # the contract's signature
        super().__init__()


class Exchange:
    """Both directions of a capture."""

    def __init__(self, options: Options) -> None:  # noqa: ARG002  # the contract's signature
        self._sent, self._came = Frames(), Frames()

    def sent(self, chunk: bytes) -> list[Message | Dropped]:
        """What the inverter sent."""
        return [_message(item) for item in self._sent.feed(chunk)]

    def feed(self, chunk: bytes) -> list[Message | Dropped]:
        """What the battery sent; on a capture of the pair, both."""
        return [_message(item) for item in self._came.feed(chunk)]

    def reset(self) -> list[Message | Dropped]:
        """The end of the capture."""
        return [_message(item) for item in (*self._sent.reset(), *self._came.reset())]


def _message(item: Frame | Dropped) -> Message | Dropped:
    if isinstance(item, Dropped):
        return item
    if not item.is_answer:
        name, raw = asked(item)
        return Message(name, {}, raw)
    if item.kind == COMMAND | ANSWER:
        return Message("acknowledge", {}, {"data": item.payload.hex()})
    size = len(item.payload)
    if size == INFO_SIZE:
        return Message("battery_info_answer", *info_said(item.payload))
    if size == STATE_SIZE:
        return Message("battery_state_answer", *state_said(item.payload))
    return Message("status_answer", {}, {"data": item.payload.hex()})
