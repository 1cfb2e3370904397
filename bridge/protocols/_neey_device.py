"""The balancer's side, for simulators: answers what it is asked, and streams its cells from then on.

One idea: it is a balancer of the first layout (GW-24S4EB), and like a board in the field it says nothing
of its cells before the first request for them.
"""

from __future__ import annotations

import struct

from bridge.errors import BridgeBug
from bridge.model import CanFrame, Reading
from bridge.protocols import _neey_cells as cells
from bridge.protocols import _neey_frames as frames
from bridge.protocols._neey_frames import Command
from bridge.protocols._stream import Cutter
from bridge.protocols.contract import Dropped, Options, Payload

_IDLE = 4
_LINE_OHM = 0.15


class Device:
    """options.extra["xored"]: it only takes requests with an XOR."""

    tick_s = 0.5

    def __init__(self, options: Options) -> None:
        self._xored = bool(options.extra.get("xored", False))
        self._cutter = Cutter(frames.measure, frames.check)
        self._counter = 0
        self._streaming = False

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """The answers to what was received; nothing for a request that it does not take."""
        if isinstance(payload, CanFrame):
            return []
        answers: list[Payload] = []
        for cut in self._cutter.feed(payload):
            if not isinstance(cut, Dropped):
                answers += self._answer(cut, reading)
        return answers

    def tick(self, reading: Reading) -> list[Payload]:
        """The frame of this half second, once the stream was asked for."""
        return [self._cell_info(reading)] if self._streaming else []

    def _answer(self, request: bytes, reading: Reading) -> list[bytes]:
        for command in Command:
            if request == frames.read_request(command, xored=self._xored):
                return self._reply(command, reading)
        return []

    def _reply(self, command: Command, reading: Reading) -> list[bytes]:
        if command is Command.CELL_INFO:
            self._streaming = True
            return [self._cell_info(reading)]
        if command is Command.DEVICE_INFO:
            return [frames.reply(command, _device_info())]
        return [frames.reply(command, _settings(reading))] if command is Command.SETTINGS else []

    def _cell_info(self, reading: Reading) -> bytes:
        cells_v = [volts or 0.0 for volts in reading.get("cell_voltages_v", ())]
        if not 1 <= len(cells_v) <= cells.INPUTS:
            raise BridgeBug(f"{len(cells_v)} cells on a balancer with {cells.INPUTS} inputs")
        self._counter = (self._counter + 1) % 256
        balancing = bool(reading.get("balancing"))
        spare = [0.0] * (cells.INPUTS - len(cells_v))
        lines_ohm = [_LINE_OHM] * len(cells_v)
        extremes = max(cells_v), min(cells_v)
        total_v = sum(cells_v)
        temperatures_c = [celsius or 0.0 for celsius in reading.get("temperatures_c", ())]
        first_c, second_c = (temperatures_c + temperatures_c + [25.0, 25.0])[:2]
        head = struct.pack(
            "<B24f24f3f4B3f", self._counter, *cells_v, *spare, *lines_ohm, *spare,
            total_v, total_v / len(cells_v), extremes[0] - extremes[1],
            cells_v.index(extremes[0]), cells_v.index(extremes[1]), len(cells_v) - 1,
            cells.BALANCING if balancing else _IDLE,
            1.0 if balancing else 0.0, first_c, second_c,
        )  # fmt: skip
        return frames.reply(Command.CELL_INFO, head.ljust(290, b"\0"))


def _device_info() -> bytes:
    texts = struct.pack("16s8s8s8s8s", b"GW-24S4EB", b"HW-2.8.0", b"ZH-1.2.3", b"V1.0.0", b"20220531")
    return (texts + struct.pack("<2I", 1, 3600)).ljust(90, b"\0")


def _settings(reading: Reading) -> bytes:
    cells = len(reading.get("cell_voltages_v", ()))
    fields = struct.pack("<B3f3BIfBf", cells, 0.005, 4.0, 2.5, 1, 1, 2, 280, 2.6, 0, 0.0)
    return fields.ljust(90, b"\0")
