"""The Plenticore's side of its BYD link, for simulators; written from the field list, by byte numbers."""

from __future__ import annotations

import struct

from bridge.protocols.contract import Drop, Dropped, Raw
from bridge.responders._kostal_frames import Frame, Frames, sealed
from bridge.responders.contract import Question, Understood

_START = ((0x62, b"\x4a\x08", "battery_info"), (0x63, b"\x5e\x00", "set_state"))
_CYCLE = ((0x62, b"\x4a\x04", "battery_state"),) * 3 + ((0x62, b"\x53\x03", "status"),)


class Plenticore:
    """One inverter. It asks what the battery is until it is told, then lets the contactors close."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._started = 0
        self._turn = 0
        self._waits_for = ""

    def question(self) -> Question:
        """The next of its sequence."""
        if self._started < len(_START):
            kind, payload, name = _START[self._started]
        else:
            kind, payload, name = _CYCLE[self._turn % len(_CYCLE)]
            self._turn += 1
        self._waits_for = name
        return Question(name, sealed(kind, payload))

    def feed(self, chunk: bytes) -> list[Understood | Dropped]:
        """What has become certain of the answer."""
        return [self._understood(item) for item in self._frames.feed(chunk)]

    def reset(self) -> list[Understood | Dropped]:
        """No whole answer came in time."""
        self._waits_for = ""
        return [self._understood(item) for item in self._frames.reset()]

    def _understood(self, item: Frame | Dropped) -> Understood | Dropped:
        if isinstance(item, Dropped):
            return item
        name, self._waits_for = self._waits_for, ""
        plain = b"\0" * 6 + item.payload  # so that bytes have the numbers of the field list
        expected = 0xE3 if name == "set_state" else 0xE2
        if not name or item.kind != expected:
            return Dropped(Drop.UNKNOWN, len(item.data))
        sizes = {"battery_info": 38, "battery_state": 62, "status": 7, "set_state": 6}
        if len(plain) != sizes[name]:
            return Dropped(Drop.LENGTH, len(item.data))
        self._started += self._started < len(_START)
        return Understood(name, _values(name, plain))


def _values(name: str, plain: bytes) -> dict[str, Raw]:
    def single(at: int) -> float:
        return round(float(struct.unpack_from("<f", plain, at)[0]), 4)

    if name == "battery_info":
        return {
            "design_voltage_v": single(6),
            "installed_ah": single(18),
            "vendor": plain[26:28].decode("latin-1"),
        }
    if name != "battery_state":
        return {}
    enabled = bool(plain[56])
    return {
        "voltage_v": single(6),
        "charge_voltage_limit_v": single(10),
        "temperature_c": single(14),
        "current_a": single(22),
        "discharge_current_limit_a": single(26),
        "full_ah": single(30),
        "charge_current_limit_a": single(34),
        "temperature_max_c": single(38),
        "temperature_min_c": single(42),
        "cell_max_v": single(46),
        "cell_min_v": single(50),
        "cycles": plain[54] | plain[55] << 8,
        "charge_enabled": enabled and single(34) > 0,
        "discharge_enabled": enabled and single(26) > 0,
        "soc_pct": float(plain[58]),
        "contactors_open": plain[59] == 2,
    }
