"""JK boards that talk on CAN by themselves, versions 1 and 2 of the protocol.

The one idea: the frames have periods from 20 ms to 1 s, and none carries a time. The 20 ms frame 0x2F4
is the clock: everything is as old as the number of those that came since. Once a second, when the
cells came, what is fresh becomes one reading; what is not fresh is missing, and a frame that is only
sent while there are alarms has expired after a second of silence.

Version 1 has four frames: no switches, no cells, so nothing is ever allowed by it. Its text has the current
positive when discharging, that of version 2 when charging. A board that sends an extended identifier
has version 2; without one a current is only believed with `current_sign = "charging"` or
`"discharging"` in the configuration.

Nothing is sent. Sources: see _jk_can_frames.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame, PackInfo, Reading
from bridge.protocols import _jk_can_frames as frames
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    Script,
    Spec,
)

SPEC = Spec(
    maker="JK",
    links=("can",),
    bitrate=250_000,  # profile 000; profile 006 has 500 kbit/s
    shared=True,
    address=0,
    addresses=range(16),
    streams=True,
    options={
        "current_sign": '"charging" or "discharging", what a positive current of version 1 means; '
        "if it is left out, the current counts as unknown",
    },
)

TICKS_PER_S = 50  # 0x2F4 comes every 20 ms
_FRESH = {
    "cells": 100, "switches": 75, "faults": 50, "alarms": 50, "capacity": 50, "temperatures": 75, "info": 75,
}  # fmt: skip
_EXPECTED = ("cells", "switches", "faults", "capacity", "temperatures")
_PERIODS = {  # in tenths of a second
    frames.CELLS: 10, frames.EXTREMES: 1, frames.PROBES: 5, frames.ALARMS: 1, frames.CAPACITY: 1,
    frames.TEMPERATURES: 5, frames.FAULTS: 1, frames.INFO: 5, frames.SWITCHES: 5,
}  # fmt: skip
_LEAST = 25  # ticks between two readings
_PATIENCE = 150  # ticks after which a reading goes out without what is missing
_SUM_TOLERANCE_V = 1.0
_SIGNS = {"charging": 1, "discharging": -1}


class Decoder:
    """Messages out of frames. Holds, for each address, the last run of cells and the version."""

    def __init__(self) -> None:
        self._runs: dict[int, tuple[int, list[int]]] = {}
        self._second_version: set[int] = set()

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """The message of one frame."""
        if not isinstance(payload, CanFrame):
            return []
        try:
            return [self._decode(payload)]
        except BadFrame as bad:
            return [Dropped(bad.reason, len(payload.data), bad.detail)]

    def _decode(self, frame: CanFrame) -> Message:
        base, address = frames.base_of(frame)
        if frame.extended:
            self._second_version.add(address)
        if base == frames.CELLS:
            return self._cells(frame, address)
        message = frames.decode(base, address, frame.data)
        # version 2 has no hours; alone, a frame without them is read as version 2
        is_second = address in self._second_version or "discharge_hours" not in message.raw
        if base == frames.BATTERY and is_second:
            message.reading["current_a"] = _current_a(message, 1)
        return message

    def _cells(self, frame: CanFrame, address: int) -> Message:
        if len(frame.data) < 8:
            raise BadFrame(Drop.LENGTH, f"{len(frame.data)} bytes")
        index = (frame.can_id - address - frames.CELLS) >> 16
        first, run = self._runs.get(address, (0, []))
        if index == 0 or first + len(run) != 4 * index + 1:
            first, run = 4 * index + 1, []
        run = run + list(struct.unpack("<4H", frame.data))
        self._runs[address] = first, run
        return frames.cells_message(address, first, run)

    def sent(self, payload: Payload) -> None:
        """Nothing is ever sent."""

    def reset(self) -> list[Message | Dropped]:
        """The bus was silent: a run of cells does not go on after it."""
        self._runs.clear()
        return []


def _current_a(message: Message, sign: int) -> float:
    raw = message.raw["raw_current_field"]
    return sign * (raw - frames.CURRENT_ZERO) / 10 if isinstance(raw, int) else 0.0


class Session:
    """Collects one board. options: address 0..15; cells; extra["current_sign"] for version 1."""

    streams = True

    def __init__(self, options: Options) -> None:
        self._address = 0 if options.address is None else options.address
        self._cells = options.cells
        sign = options.extra.get("current_sign")
        if sign is not None and sign not in _SIGNS:
            raise ConfigError(
                f"current_sign {sign!r}: what a positive current means, one of {', '.join(_SIGNS)}"
            )
        self._sign = _SIGNS[sign] if isinstance(sign, str) else None
        self._forget()

    def _forget(self) -> None:
        self._tick = self._last = 0
        self._parts: dict[str, tuple[int, Message]] = {}
        self._run: tuple[float | None, ...] = ()
        self._second_version = False

    def open(self) -> Script[None]:
        """Nothing to be sent; what was heard before is no longer true."""
        self._forget()
        yield from ()

    def info(self) -> Script[PackInfo | None]:
        """CAN carries neither name nor settings."""
        yield from ()
        return None

    def poll(self) -> Script[Reading]:
        """A board on CAN cannot be asked."""
        yield from ()
        raise NoReply("JK boards on CAN only talk by themselves")

    def collect(self, message: Message) -> Reading | None:
        """A reading a second; None in between."""
        if message.address != self._address:
            return None
        if message.name == "battery":
            return self._on_battery(message)
        self._second_version |= message.name not in ("cell_extremes", "cell_temperatures", "alarms")
        if message.name == "cells":
            self._on_cells(message)
        else:
            self._parts[message.name] = self._tick, message
        return None

    def _on_cells(self, message: Message) -> None:
        """Keeps a run that is whole: as long as configured, or followed by the next round."""
        if message.raw["first_cell"] != 1:  # a frame of this round is lost
            self._run = ()
            return
        run = message.reading["cell_voltages_v"]
        whole = self._run if self._cells is None and len(run) <= len(self._run) else ()
        self._run = run
        if self._cells is not None and len(run) >= self._cells:
            whole = run[: self._cells]
        while self._cells is None and whole and whole[-1] is None:
            whole = whole[:-1]
        if whole:
            reading: Reading = {"cell_count": len(whole), "cell_voltages_v": whole}
            self._parts["cells"] = self._tick, replace(message, reading=reading)

    def _on_battery(self, message: Message) -> Reading | None:
        self._tick += 1
        waited = self._tick - self._last
        if waited < _LEAST or not (self._is_complete(waited) or waited >= _PATIENCE):
            return None
        reading = self._reading(message)
        if reading is not None:
            self._last = self._tick
        return reading

    def _is_complete(self, waited: int) -> bool:
        if not self._second_version:
            return waited >= TICKS_PER_S
        # only with cells that came since the last reading: no value is used for two of them
        cells = self._parts.get("cells")
        return cells is not None and cells[0] >= self._last and all(self._part(name) for name in _EXPECTED)

    def _part(self, name: str) -> Message | None:
        """The last message of this name, if it is fresh."""
        if name not in self._parts:
            return None
        tick, message = self._parts[name]
        return message if self._tick - tick <= _FRESH.get(name, 0) else None

    def _reading(self, battery: Message) -> Reading | None:
        reading = battery.reading.copy()
        reading.pop("current_a", None)
        sign = 1 if self._second_version else self._sign
        reading["current_a"] = None if sign is None else _current_a(battery, sign)
        for name in ("capacity", "info", "switches", "cells"):
            if (part := self._part(name)) is not None:
                reading.update(part.reading)
        self._add_temperatures(reading)
        self._add_permissions(reading)
        cells_v, voltage_v = reading.get("cell_voltages_v", ()), reading.get("voltage_v")
        if voltage_v is not None and cells_v and None not in cells_v:
            sum_v = sum(round(1000 * volt) for volt in cells_v if volt is not None) / 1000
            if abs(sum_v - voltage_v) > _SUM_TOLERANCE_V:
                return None  # another maker's layout under the same identifiers
            reading["voltage_v"] = sum_v  # finer than the frame's 0.1 V
        return reading

    def _add_temperatures(self, reading: Reading) -> None:
        part = self._part("temperatures")
        if part is None:
            return
        probes = list(part.reading["temperatures_c"])
        reading["mosfet_temperature_c"] = probes.pop(2)
        while probes and probes[-1] is None:
            probes.pop()
        reading["temperatures_c"] = tuple(probes)

    def _add_permissions(self, reading: Reading) -> None:
        """Allowed is what the switches show and neither faults nor alarm levels forbid."""
        faults, alarms, switches = (self._part(name) for name in ("faults", "alarms", "switches"))
        heard = [part for part in (faults, alarms) if part is not None]
        for key in ("protections", "warnings"):
            reading[key] = frozenset[Alarm]().union(*(part.reading[key] for part in heard))
        reading["charge_allowed"] = reading["discharge_allowed"] = None
        if faults is None or switches is None:
            return
        no_charge, no_discharge = (any(column) for column in zip(*map(frames.forbids, heard), strict=True))
        reading["charge_allowed"] = switches.reading["charge_fet_on"] is True and not no_charge
        reading["discharge_allowed"] = switches.reading["discharge_fet_on"] is True and not no_discharge


class Device:
    """A board of version 2. options: address."""

    tick_s = 0.1

    def __init__(self, options: Options) -> None:
        self._address = options.address or 0
        self._ticks = 0

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:  # noqa: ARG002  # the contract's
        """Nothing: a board does not answer."""
        return []

    def tick(self, reading: Reading) -> list[Payload]:
        """The frames of the next tenth of a second."""
        due = [base for base, every in _PERIODS.items() if self._ticks % every == 0]
        due += [frames.BATTERY] * (TICKS_PER_S // 10)
        self._ticks += 1
        return [frame for base in due for frame in frames.encode(reading, self._address, base)]
