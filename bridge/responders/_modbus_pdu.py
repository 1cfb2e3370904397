"""The one importer of pymodbus: whole requests into values, values into answers. No socket, no server.

pymodbus brings a server of its own, which answers by itself; here only its codec is used, so that silence,
deadlines and other slaves' traffic stay ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.errors import ConfigError
from bridge.responders._modbus_frames import BIT_READS, READ_WRITE, READS, WRITE_MANY

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_COIL, _COILS, _COIL_VALUES = 5, 15, frozenset({0xFF00, 0})
_BITS_MAX, _WORDS_MAX, _COILS_MAX, _WRITTEN_MAX, _BOTH_MAX = 2000, 125, 1968, 123, 121


@dataclass(frozen=True, slots=True)
class Request:
    """What a master wants. read: first and count, of registers or bits; written: first and values."""

    function: int
    read: tuple[int, int] | None = None
    written: tuple[int, tuple[int, ...]] | None = None


class Codec:
    """Requests in, answers out. Raises ConfigError where pymodbus is missing."""

    def __init__(self) -> None:
        try:
            from pymodbus import pdu
            from pymodbus.exceptions import ModbusException
            from pymodbus.framer import FramerRTU
        except ImportError as error:
            raise ConfigError('Modbus needs pymodbus: pip install "packbridge[modbus]"') from error
        self._error = pdu.ExceptionResponse
        self._classes = pdu.DecodePDU.pdu_table
        self._problem = ModbusException
        self._framer = FramerRTU(pdu.DecodePDU(is_server=True))

    def request(self, frame: bytes) -> Request | None:
        """A whole request; None if its counts can't be true. Those are looked at first: pymodbus would
        write a line into the log for each, and a flood of them must not.
        """
        if not _counts_fit(frame):
            return None
        try:
            _, found = self._framer.handleFrame(frame, 0, 0)
        except self._problem:
            return None
        if found is None:
            return None
        function = found.function_code
        if function in READS:
            return Request(function, read=(found.address, found.count))
        if function == READ_WRITE:
            return _both(frame)
        values = [int(bit) for bit in found.bits] or [*found.registers]
        if function in WRITE_MANY:
            return Request(function, written=(found.address, tuple(values[: _word(frame, 4)])))
        return Request(function, written=(found.address, tuple(values)))

    def words(self, address: int, function: int, words: Sequence[int]) -> bytes:
        """The answer to a read of registers."""
        return self._framer.buildFrame(self._classes[function][1](dev_id=address, registers=words))

    def bits(self, address: int, function: int, bits: Sequence[int]) -> bytes:
        """The answer to a read of coils or inputs."""
        answer = self._classes[function][1](dev_id=address, bits=[bool(bit) for bit in bits])
        return self._framer.buildFrame(answer)

    def written(self, address: int, request: Request) -> bytes:
        """The acknowledge of a write."""
        assert request.written is not None
        at, values = request.written
        make = self._classes[request.function][1]
        if request.function in WRITE_MANY:
            return self._framer.buildFrame(make(dev_id=address, address=at, count=len(values)))
        if request.function == _COIL:
            return self._framer.buildFrame(make(dev_id=address, address=at, bits=[bool(values[0])]))
        return self._framer.buildFrame(make(dev_id=address, address=at, registers=values))

    def error(self, address: int, function: int, code: int) -> bytes:
        """The answer to what can't be."""
        return self._framer.buildFrame(self._error(function, code, device_id=address))


def _word(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")


def _counts_fit(frame: bytes) -> bool:
    """Whether a request says what one can say: how much it wants, and of what it brings."""
    function, count = frame[1], _word(frame, 4)
    if function in READS:
        return 1 <= count <= (_BITS_MAX if function in BIT_READS else _WORDS_MAX)
    if function == _COIL:
        return count in _COIL_VALUES
    if function == _COILS:
        return 1 <= count <= _COILS_MAX and frame[6] == (count + 7) // 8
    if function in WRITE_MANY:
        return 1 <= count <= _WRITTEN_MAX and frame[6] == 2 * count
    if function == READ_WRITE:
        written = _word(frame, 8)
        return 1 <= count <= _WORDS_MAX and 1 <= written <= _BOTH_MAX and frame[10] == 2 * written
    return True


def _both(frame: bytes) -> Request:
    values = tuple(_word(frame, 11 + 2 * place) for place in range(_word(frame, 8)))
    return Request(READ_WRITE, read=(_word(frame, 2), _word(frame, 4)), written=(_word(frame, 6), values))
