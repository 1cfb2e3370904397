"""Packs for the tests of the Daly dialects: one as it usually is, any that the wire can say, and scripts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from bridge.model import NO_ALARMS, Alarm, Reading
from bridge.protocols._daly_faults import MEANINGS
from bridge.protocols.contract import (
    Device,
    Dropped,
    Entry,
    Message,
    NoReply,
    Options,
    Payload,
    Script,
)
from tests.protocols.helpers import fed, messages

T = TypeVar("T")
REQUESTS_MAX = 100

PACK: Reading = {
    "voltage_v": 53.1,
    "current_a": -12.3,
    "soc_pct": 61.5,
    "remaining_ah": 61.5,
    "design_ah": 100.0,
    "cycles": 17,
    "cell_count": 16,
    "cell_voltages_v": tuple((3300 + n) / 1000 for n in range(16)),
    "temperatures_c": (21, 22),
    "mosfet_temperature_c": 25,
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "balancing": False,
    "protections": NO_ALARMS,
    "warnings": NO_ALARMS,
    "charge_current_limit_a": 100.0,
    "discharge_current_limit_a": 120.0,
}


def pack(**changed: Any) -> Reading:
    """`PACK` with some values changed."""
    reading: Any = {**PACK, **changed}
    found: Reading = reading
    return found


def _tenths(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda raw: raw / 10)


def readings(*, cells_max: int, probes_max: int, alarms: dict[str, set[Alarm]]) -> st.SearchStrategy[Reading]:
    """Packs that a dialect can say to the last digit. alarms: what it can say, by severity."""
    cell = st.integers(1, 5000).map(lambda raw: raw / 1000)
    temperature = st.none() | st.integers(-39, 214)
    values: st.SearchStrategy[Any] = st.fixed_dictionaries(
        {
            "voltage_v": _tenths(1, 2000),
            "current_a": _tenths(-29999, 29999),
            "soc_pct": _tenths(0, 1000),
            "remaining_ah": _tenths(0, 65535),
            "design_ah": _tenths(1, 65535),
            "cycles": st.integers(0, 65534),
            "cell_voltages_v": st.lists(st.none() | cell, min_size=1, max_size=cells_max)
            .filter(lambda cells: any(value is not None for value in cells))
            .map(tuple),
            "temperatures_c": st.lists(temperature, max_size=probes_max).map(tuple),
            "mosfet_temperature_c": temperature,
            "charge_fet_on": st.booleans(),
            "discharge_fet_on": st.booleans(),
            "balancing": st.booleans(),
            "protections": st.frozensets(st.sampled_from(sorted(alarms["protections"]))),
            "warnings": st.frozensets(st.sampled_from(sorted(alarms["warnings"]))),
        }
    )

    def told_apart(reading: Reading) -> Reading:
        """An alarm that protects is not told as a warning too; the cell count is the cells'."""
        reading["warnings"] -= reading["protections"]
        reading["cell_count"] = len(reading["cell_voltages_v"])
        return reading

    return values.map(told_apart)


def alarms_of(names: set[str]) -> dict[str, set[Alarm]]:
    """What a dialect with these fault names can say, by severity."""
    found: dict[str, set[Alarm]] = {"protections": set(), "warnings": set()}
    for name in names:
        meaning = MEANINGS[name]
        if meaning.alarm is not None:
            found["protections" if meaning.protects else "warnings"].add(meaning.alarm)
    return found


class Bench:
    """A session and a device with one decoder between them that remembers, as on a real link."""

    def __init__(self, entry: Entry, device: Device, options: Options | None = None) -> None:
        self.session = entry.session(options or Options())
        self.device = device
        self.sent: list[Payload] = []
        self._decoder = entry.decoder()

    def run(self, script: Script[T], reading: Reading, lost: Callable[[int], bool] = lambda _: False) -> T:
        """A script's result. lost: whether the answer to the nth request never comes."""
        self.sent = []
        try:
            request = next(script)
            while len(self.sent) < REQUESTS_MAX:
                self.sent.append(request.data)
                self._decoder.sent(request.data)
                found = messages(fed(self._decoder, self.device.receive(request.data, reading)))
                heard = [m for m in found if m.name == request.reply and request.address in {None, m.address}]
                if not heard or lost(len(self.sent)):
                    request = script.throw(NoReply("no answer"))
                else:
                    request = script.send(heard[0])
        except StopIteration as stop:
            result: T = stop.value
            return result
        raise AssertionError(f"the script still asks after {REQUESTS_MAX} requests")

    def start(self, reading: Reading) -> Bench:
        """Opens the session and reads its info, as the driver does."""
        self.run(self.session.open(), reading)
        self.run(self.session.info(), reading)
        return self

    def poll(self, reading: Reading) -> Reading:
        """One poll."""
        return self.run(self.session.poll(), reading)


class Picky:
    """A device that answers only some requests; `heard` counts all of them."""

    def __init__(self, device: Device, answers: Callable[[Payload], bool]) -> None:
        self._device = device
        self._answers = answers
        self.heard = 0

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        self.heard += 1
        return self._device.receive(payload, reading) if self._answers(payload) else []


class Rewritten:
    """A device whose answers pass through a function before they are sent."""

    def __init__(self, device: Device, rewrite: Callable[[Payload], Payload]) -> None:
        self._device = device
        self._rewrite = rewrite

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        return [self._rewrite(answer) for answer in self._device.receive(payload, reading)]


def everything_asked(bench: Bench, packs: Sequence[Reading]) -> set[Payload]:
    """All that a session ever sends: to boards that answer, to silent ones, and to those half deaf."""
    sent: set[Payload] = set()
    never, always = (lambda _: False), (lambda _: True)
    thirds: list[Callable[[int], bool]] = [lambda n, k=k: n % 3 == k for k in range(3)]  # type: ignore[misc]  # k is bound
    for lost in (never, *thirds, always):
        for reading in packs:
            session = bench.session
            for script in (session.open(), session.info(), *(session.poll() for _ in range(18))):
                with contextlib.suppress(NoReply):
                    bench.run(script, reading, lost)
                sent.update(bench.sent)
    return sent


def said(items: list[Message | Dropped]) -> list[tuple[str, int] | str]:
    """What came out, in short: names of messages, reasons and sizes of drops."""
    return [item.name if isinstance(item, Message) else (item.reason.value, item.size) for item in items]
