"""One slave of a Modbus pair: a register map, and what its master wrote there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bridge.registers.amounts import Said
from bridge.registers.image import Image
from bridge.registers.tables import BIT_READS, BIT_WRITES, RegisterMap
from bridge.responders._modbus_pdu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    Codec,
    Request,
)


class Problem(NamedTuple):
    """Why a request is not granted, as Modbus counts and in words."""

    code: int
    text: str


class Unit:
    """Answers at one address. What is written is kept where the map says so, and never acted on."""

    def __init__(self, address: int, known: RegisterMap, codec: Codec) -> None:
        self._address = address
        self._map = known
        self._codec = codec
        self._image = Image(known)
        self._kept: dict[bool, dict[int, int]] = {False: {}, True: {}}  # registers, and bits
        self.required = self._image.required
        self.fits = self._image.fits
        self.too_large = self._image.too_large

    def problem(self, function: int, request: Request | None) -> Problem | None:
        """Why a request is not granted; None stands for one whose counts can't be true."""
        functions: set[int] = {one for area in self._map.spans for one in area.functions}
        functions |= {one for area in self._map.writes for one in area.functions}
        if function not in functions:
            return Problem(ILLEGAL_FUNCTION, f"function {function} is not served")
        if request is None:
            return Problem(ILLEGAL_VALUE, "counts that can't be")
        if request.written is not None:
            at, values = request.written
            if not any(function in one.functions and one.holds(at, len(values)) for one in self._map.writes):
                return Problem(ILLEGAL_ADDRESS, f"0x{at:04X} and {len(values)} in all are not to be written")
        return None if request.read is None else self._read_problem(function, *request.read)

    def answer(self, function: int, request: Request | None, said: Said) -> bytes:
        """The answer to a request; nothing is written of one that is not granted."""
        problem = self.problem(function, request)
        if problem is not None or request is None:
            return self._codec.error(self._address, function, problem.code if problem else ILLEGAL_VALUE)
        if request.written is not None:
            self._keep(function, *request.written)
        if request.read is None:
            return self._codec.written(self._address, request)
        start, count = request.read
        kept = self._kept[function in BIT_READS]
        if function in BIT_READS:
            bits = [kept.get(at, 0) for at in range(start, start + count)]
            return self._codec.bits(self._address, function, bits)
        words = self._image.words(start, count, said)
        for at in kept.keys() & range(start, start + count):
            words[at - start] = kept[at]
        return self._codec.words(self._address, function, words)

    def _read_problem(self, function: int, start: int, count: int) -> Problem | None:
        span = next(
            (one for one in self._map.spans if function in one.functions and one.holds(start, count)), None
        )
        if span is None:
            return Problem(ILLEGAL_ADDRESS, f"0x{start:04X} and {count} in all can't be read in one go")
        if function not in BIT_READS and count > self._map.most:
            return Problem(ILLEGAL_ADDRESS, f"{count} registers at once; {self._map.most} are allowed")
        return None if span.refused is None else Problem(span.refused, f"0x{start:04X} is always refused")

    def _keep(self, function: int, at: int, values: Sequence[int]) -> None:
        bits = function in BIT_WRITES
        areas = [one for one in self._map.writes if one.kept and bits == bool(BIT_WRITES & {*one.functions})]
        for address, value in enumerate(values, start=at):
            if any(one.holds(address, 1) for one in areas):
                self._kept[bits][address] = value
