"""Batteries that are read by Modbus RTU, in which the inverter is the master: one register map each.

What stands in the registers is data: a TOML file under profiles/registers, named by the option `map`.
Here is how it is asked and answered; the codec is pymodbus's, without its server, which would answer when
it likes and with what it has (docs/register-maps.md says more). A map may have companions: other addresses
at which the same inverter looks for something.

Source: MODBUS Application Protocol V1.1b3, modbus.org; each map names its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bridge.errors import ConfigError
from bridge.protocols.contract import Drop, Message, Raw
from bridge.registers import maps
from bridge.registers.amounts import said_of
from bridge.registers.reading import as_raw, read
from bridge.registers.tables import RegisterMap
from bridge.responders._modbus_frames import (
    BIT_READS,
    BROADCAST,
    NAMES,
    READ_WRITE,
    READS,
    WRITE_MANY,
    Frame,
    Frames,
    Kind,
    is_answer,
)
from bridge.responders._modbus_master import Inverter, plan_names
from bridge.responders._modbus_pdu import Codec
from bridge.responders._modbus_unit import Unit
from bridge.responders.contract import Ask, Dropped, Overheard, Picture, Port, Spec, Table

SPEC = Spec(maker="Modbus RTU", addresses=range(1, 248))
REFUSED = "refused"


class Options(Table):
    """map: the register map, by name or path. polls: how a simulated inverter asks; None: as the map's
    first inverter does.
    """

    map: Annotated[str, Field(min_length=1)]
    polls: Annotated[str, Field(min_length=1)] | None = None


def map_of(options: Options, answers: Literal["standard", "word-count"] = "standard") -> RegisterMap:
    """The map that the options name. Raises ConfigError."""
    found = maps.load(options.map)
    if found.answers != answers:
        raise ConfigError(
            f"{found.path}: answers: {found.answers!r} is not what this dialect has: {answers!r}"
        )
    return found


class Responder:
    """Our side: one slave, and its companions."""

    def __init__(self, port: Port[Options]) -> None:
        known = map_of(port.options)
        address = known.address if port.address is None else port.address
        codec = Codec()
        self._codec = codec
        self._units = {address: Unit(address, known, codec)}
        for one in known.companions:
            if one.address in self._units:
                raise ConfigError(f"address: {address} is that of its companion {one.map}")
            self._units[one.address] = Unit(one.address, maps.load(one.map), codec)
        self._frames = Frames(frozenset(self._units))

    @property
    def required(self) -> frozenset[str]:
        """Voltage, charge and the limits."""
        return frozenset().union(*(unit.required for unit in self._units.values()))

    def feed(self, chunk: bytes) -> list[Ask | Overheard | Dropped]:
        """What has become certain with this chunk."""
        return [self._heard(item) for item in self._frames.feed(chunk)]

    def reset(self) -> list[Ask | Overheard | Dropped]:
        """Gives up what is incomplete."""
        return [self._heard(item) for item in self._frames.reset()]

    def answer(self, ask: Ask, picture: Picture) -> bytes | None:
        """The registers, an acknowledge or a Modbus error; nothing while something vital is not known."""
        unit = self._units.get(ask.data[0])
        if unit is None or not ask.for_us or not self.required <= picture.values.keys():
            return None
        said = said_of(picture)
        return unit.answer(ask.data[1], self._codec.request(ask.data), said) if unit.fits(said) else None

    def too_large(self, picture: Picture) -> frozenset[str]:
        """Of all its maps."""
        said = said_of(picture)
        return frozenset().union(*(unit.too_large(said) for unit in self._units.values()))

    def _heard(self, item: Frame | Dropped) -> Ask | Overheard | Dropped:
        if isinstance(item, Dropped):
            return item
        unit = self._units.get(item.address)
        if item.kind is Kind.ANSWER:
            return Overheard(_name(item), item.address, len(item.data), unit is not None)
        name, raw = NAMES[item.function], said_in(item)
        if unit is None:
            return Ask(name, item.address, item.data, raw, for_us=False)
        if problem := unit.problem(item.function, self._codec.request(item.data)):
            return Ask(
                REFUSED, item.address, item.data, {**raw, "reason": problem.text, "code": problem.code}
            )
        return Ask(name, item.address, item.data, raw)


def _name(frame: Frame) -> str:
    return "error" if frame.is_error else NAMES[frame.function]


def said_in(frame: Frame) -> dict[str, Raw]:
    """What a request says."""
    function = frame.function
    found: dict[str, Raw] = {"function": function, "start": frame.word(2)}
    if function in READS or function in WRITE_MANY or function == READ_WRITE:
        found["count"] = frame.word(4)
    else:
        found["value"] = frame.word(4)
    if frame.address == BROADCAST:
        found["broadcast"] = True
    if function in WRITE_MANY:
        found["data"] = frame.data[7:-2].hex()
    if function == READ_WRITE:
        found |= {"written": frame.word(6), "data": frame.data[11:-2].hex()}
    return found


class Master(Inverter):
    """An inverter that polls such a battery."""

    def __init__(self, port: Port[Options]) -> None:
        known = map_of(port.options)
        plan = port.options.polls or known.name
        if plan not in plan_names():
            raise ConfigError(
                f"polls: nothing is known of an inverter {plan!r}; known: {', '.join(plan_names())}"
            )
        super().__init__(plan, known.address if port.address is None else port.address)


class Exchange:
    """Both directions of a capture; an answer is read as the map of the address that gave it."""

    def __init__(self, options: Options) -> None:
        known = map_of(options)
        self._map = known
        self._others = {one.address: maps.load(one.map) for one in known.companions}
        self._sent, self._came = Frames(), Frames()
        self._asked: Frame | None = None

    def sent(self, chunk: bytes) -> list[Message | Dropped]:
        """What the master sent."""
        return [self._request(item) for item in self._sent.feed(chunk)]

    def feed(self, chunk: bytes) -> list[Message | Dropped]:
        """What the battery sent; on a capture of the pair, both."""
        return [self._either(item) for item in self._came.feed(chunk)]

    def reset(self) -> list[Message | Dropped]:
        """The end of the capture."""
        return [
            *(self._request(item) for item in self._sent.reset()),
            *(self._either(item) for item in self._came.reset()),
        ]

    def _request(self, item: Frame | Dropped) -> Message | Dropped:
        if isinstance(item, Dropped):
            return item
        self._asked = item
        return Message(NAMES[item.function], {}, said_in(item), item.address)

    def _either(self, item: Frame | Dropped) -> Message | Dropped:
        if isinstance(item, Dropped):
            return item
        asked = b"" if self._asked is None else self._asked.data
        if item.kind is Kind.REQUEST and not is_answer(item.data, asked):
            return self._request(item)
        return self._answer(item)

    def _answer(self, frame: Frame) -> Message | Dropped:
        if frame.is_error:
            raw: dict[str, Raw] = {"function": frame.function, "error_code": frame.data[2]}
            return Message("error", {}, raw, frame.address)
        if frame.function not in READS and frame.function != READ_WRITE:
            return Message(f"{NAMES[frame.function]}_ack", {}, said_in(frame), frame.address)
        data = frame.data[3:-2]
        asked = self._asked
        if frame.function in BIT_READS:
            return Message("bits", {}, {"function": frame.function, "data": data.hex()}, frame.address)
        if asked is None or asked.data[:2] != frame.data[:2]:
            return Dropped(Drop.UNKNOWN, len(frame.data), "an answer to a request that was not seen")
        start, count = asked.word(2), asked.word(4)
        if 2 * count != len(data):
            return Dropped(Drop.LENGTH, len(frame.data), f"{len(data)} bytes for {count} registers")
        words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        reading, raw = read(self._others.get(frame.address, self._map), start, words)
        return Message("registers", reading, as_raw(raw, start, words), frame.address)
