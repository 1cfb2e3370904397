"""The inverter's side of a Modbus pair, for simulators: it asks in turn, and hears only what it asked for."""

from __future__ import annotations

from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import Drop, Dropped, Raw
from bridge.responders._modbus_frames import NAMES
from bridge.responders._modbus_plans import PLANS, Read, Step, Write
from bridge.responders.contract import Question, Understood

_ERROR_SIZE, _ACK_SIZE = 5, 8


def plan_names() -> list[str]:
    """The inverters that it can play."""
    return sorted(PLANS)


class Inverter:
    """One inverter, by its poll plan. address: where its battery is."""

    def __init__(self, plan: str, address: int) -> None:
        self._steps = PLANS[plan]
        self._address = address
        self._turn = 0
        self._step: Step | None = None
        self._asked = 0
        self._buffer = b""

    def question(self) -> Question:
        """The next of its cycle."""
        step = self._steps[self._turn % len(self._steps)]
        row = self._turn // len(self._steps)
        self._turn += 1
        self._step, self._buffer = step, b""
        self._asked = self._address if step.address is None else step.address
        return Question(NAMES[step.function], _sealed(bytes((self._asked, step.function)) + _body(step, row)))

    def feed(self, chunk: bytes) -> list[Understood | Dropped]:
        """What has become certain of the answer."""
        self._buffer += chunk
        size = self._size()
        if self._step is None or size is None:
            return self._given_up(Drop.NOISE)
        if not size or len(self._buffer) < size:
            return []
        frame, self._buffer = self._buffer[:size], self._buffer[size:]
        step, self._step = self._step, None
        if frame != _sealed(frame[:-2]):
            return [Dropped(Drop.CHECKSUM, size)]
        if frame[1] & 0x80:
            return [Dropped(Drop.REFUSED, size, f"code {frame[2]}")]
        return [Understood(f"{NAMES[step.function]}_{step.start:04x}", _looked(step, frame[3:-2]))]

    def reset(self) -> list[Understood | Dropped]:
        """No whole answer came in time."""
        self._step = None
        return self._given_up(Drop.TRUNCATED)

    def _given_up(self, reason: Drop) -> list[Understood | Dropped]:
        size, self._buffer = len(self._buffer), b""
        return [Dropped(reason, size)] if size else []

    def _size(self) -> int | None:
        """How long the answer is; 0 while that is not known, None if this is none."""
        step, head = self._step, self._buffer
        if step is None or head[:1] != bytes((self._asked,)):
            return None
        if len(head) < 3:
            return 0
        if head[1] == step.function | 0x80:
            return _ERROR_SIZE
        if head[1] != step.function:
            return None
        if isinstance(step, Write):
            return _ACK_SIZE
        size = (step.count + 7) // 8 if step.function < 3 else 2 * step.count
        return 5 + size if head[2] == size else None


def _sealed(body: bytes) -> bytes:
    return body + crc16_modbus(body).to_bytes(2, "little")


def _body(step: Step, row: int) -> bytes:
    start = step.start.to_bytes(2, "big")
    if isinstance(step, Read):
        return start + step.count.to_bytes(2, "big")
    values = step.rows[row % len(step.rows)]
    data = b"".join(value.to_bytes(2, "big") for value in values)
    if step.function in {5, 6}:
        return start + data
    return start + len(values).to_bytes(2, "big") + bytes((len(data),)) + data


def _looked(step: Step, data: bytes) -> dict[str, Raw]:
    if isinstance(step, Write):
        return {}
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    return {name: look(words[at - step.start :]) for name, (at, look) in step.looks.items()}
