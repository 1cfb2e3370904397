"""A battery on a bus, made by our own sink from decisions of the test's own, as frames with times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from bridge import profiles
from bridge.model import Alarm, Bank, CanFrame, Decision
from bridge.sinks.can import CanSink
from bridge.sinks.offline import candump

START_S = 1_714_567_890.0
SPACING_S = 0.01
Timed = tuple[float, CanFrame]

STEADY = Decision(
    time_s=0.0,
    bank=Bank(
        voltage_v=52.8, current_a=10.0, soc=0.6, soh=0.97, temperature_c=25.0, temperature_max_c=27.0,
        temperature_min_c=23.0, cell_max_v=3.31, cell_min_v=3.29, cell_max_pack="a", cell_min_pack="a",
        cell_max_index=3, cell_min_index=7, remaining_ah=120.0, full_ah=200.0, pack_count=2, packs_online=2,
        cells=16,
    ),
    charge_voltage_limit_v=56.0,
    discharge_voltage_limit_v=46.4,
    charge_current_limit_a=100.0,
    discharge_current_limit_a=120.0,
    charge_enabled=True,
    discharge_enabled=True,
)  # fmt: skip


def at(second: int, **changes: object) -> Decision:
    """The steady battery with other measurements, limits or alarms."""
    bank = {key: value for key, value in changes.items() if key in Bank._fields}
    rest = {key: value for key, value in changes.items() if key not in bank}
    found = STEADY._replace(time_s=float(second), bank=STEADY.bank._replace(**bank))  # type: ignore[arg-type]  # as Bank has them
    return found._replace(**rest)  # type: ignore[arg-type]  # as Decision has them


def frames(
    seconds: Iterable[int], decide: Callable[[int], Decision] = at, profile: str = "victron-gx"
) -> list[Timed]:
    """One cycle in each of these seconds, and the inverter's answer."""
    sink, found = CanSink("house", profiles.load(profile)), []
    for second in seconds:
        cycle = sink.frames(decide(second), lambda decision: decision)
        found += [(START_S + second + number * SPACING_S, frame) for number, frame in enumerate(cycle)]
        found.append((START_S + second + 0.5, CanFrame(0x305, bytes(8))))
    return found


def written(path: Path, timed: Iterable[Timed], channel: str = "can0") -> Path:
    """As `candump -l` writes it."""
    path.write_text("".join(candump(time_s, channel, frame) + "\n" for time_s, frame in timed))
    return path


def alarmed(*alarms: Alarm) -> frozenset[Alarm]:
    """Alarms."""
    return frozenset(alarms)
