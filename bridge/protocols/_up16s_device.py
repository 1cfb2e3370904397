"""The pack's side of the UP16S protocol, for simulators: a master or a slave of a rack.

One idea: a slave answers nothing but its status, as it would through the master's cable, and a master's
status has its limits multiplied by the number of packs, so that whoever adds them up twice is found out.
"""

from __future__ import annotations

from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols import _up16s_blocks as blocks
from bridge.protocols import _up16s_frames as frames
from bridge.protocols import _up16s_status as status
from bridge.protocols._stream import Cutter
from bridge.protocols.contract import Dropped, Options, Payload

_PROTECTION_WORDS = (
    3600, 3400, 3000, 3650, 3400, 3000, 2700, 2900, 3000, 2500, 3000, 3000, 5760, 5440, 3000, 5840, 5440,
    3000, 4200, 4800, 1000, 4000, 4800, 3000, 1050, 1000, 2000, 1200, 2000, 600, 10, 1300, 500, 600, 1050,
    1000, 2000, 1200, 2000, 60, 10, 1400, 200, 60, 1050, 1000, 3000, 1150, 1000, 3000, 550, 600, 1000,
    500, 550, 1000, 1050, 1000, 1000, 1150, 1000, 1000, 350, 400, 1000, 300, 350, 1000,
)  # fmt: skip
"""The defaults of a UP16S020, as captured: syssi/esphome-jbd-bms docs/pdus/JBD-UP16S020-two-devices.txt."""


class Device:
    """One pack at `options.address` (1: the master). options.extra["packs"]: how many the rack has."""

    def __init__(self, options: Options) -> None:
        self._address = 1 if options.address is None else options.address
        self._packs = int(options.extra.get("packs", 1))
        self._cutter = Cutter(frames.measure, frames.check)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """The answers to what was received; nothing for other packs' requests and for anything else."""
        if isinstance(payload, CanFrame):
            return []
        answers: list[Payload] = []
        for cut in self._cutter.feed(payload):
            if not isinstance(cut, Dropped):
                answers += self._answer(cut, reading)
        return answers

    def _answer(self, request: bytes, reading: Reading) -> list[bytes]:
        for block in (frames.STATUS, frames.OWN, frames.IDENTITY, frames.PRODUCT, frames.PROTECTION):
            if request == frames.request(self._address, block):
                data = self._data(block, reading)
                return [] if data is None else [frames.frame(self._address, block, data)]
        return []

    def _data(self, block: frames.Block, reading: Reading) -> bytes | None:
        head, cells_mv = _head(reading), _cells_mv(reading)
        if block is frames.STATUS:
            temperatures = [_temperature(celsius) for celsius in reading.get("temperatures_c", ())]
            balance_bits = 1 if reading.get("balancing") else 0
            return status.build(self._as_told(head), cells_mv, temperatures, balance_bits)
        if self._address != 1:
            return None
        if block is frames.OWN:
            return blocks.build_own(head, cells_mv)
        if block is frames.IDENTITY:
            return blocks.build_identity()
        return blocks.build_product() if block is frames.PRODUCT else blocks.build_words(_PROTECTION_WORDS)

    def _as_told(self, head: status.Head) -> status.Head:
        if self._address != 1:
            return head
        charge, discharge = head.charge_current_limit, head.discharge_current_limit
        return head._replace(
            charge_current_limit=min(0xFFFF, charge * self._packs),
            discharge_current_limit=min(0xFFFF, discharge * self._packs),
        )


def _head(reading: Reading) -> status.Head:
    """The head of a status. What `reading` lacks is 0, except the limits: 58.4 V, 44.8 V, 100 A."""
    cells_mv = _cells_mv(reading)
    charge_on, discharge_on = reading.get("charge_fet_on", True), reading.get("discharge_fet_on", True)
    current_a = reading.get("current_a") or 0.0
    return status.Head(
        voltage=_steps(reading.get("voltage_v"), 100),
        unknown_2=0,
        current=round(current_a * 100) + status.CURRENT_ZERO,
        soc=_steps(reading.get("soc_pct"), 100),
        remaining=_steps(reading.get("remaining_ah"), 100),
        full=_steps(reading.get("full_ah"), 100),
        design=_steps(reading.get("design_ah"), 100),
        mosfet_temperature=_temperature(reading.get("mosfet_temperature_c")),
        ambient_temperature=status.MISSING_PROBE,
        operation_status=1 if current_a > 0 else 2 if current_a < 0 else 0,
        soh_pct=_steps(reading.get("soh_pct", 100.0), 1),
        fault_bits=_bits(reading.get("protections", frozenset()), status.FAULTS),
        alarm_bits=_bits(reading.get("warnings", frozenset()), status.WARNINGS),
        mosfet_bits=(1 if discharge_on else 0) | (2 if charge_on else 0),
        connection_bits=4,
        cycles=_steps(reading.get("cycles"), 1),
        max_cell_index=cells_mv.index(max(cells_mv)) + 1,
        max_cell_mv=max(cells_mv),
        min_cell_index=cells_mv.index(min(cells_mv)) + 1,
        min_cell_mv=min(cells_mv),
        average_cell_mv=sum(cells_mv) // len(cells_mv),
        max_temperature_index=0,
        max_temperature=status.MISSING_PROBE,
        min_temperature_index=0,
        min_temperature=status.MISSING_PROBE,
        average_temperature=status.MISSING_PROBE,
        charge_voltage_limit=_steps(reading.get("charge_voltage_limit_v", 58.4), 10),
        charge_current_limit=_steps(reading.get("charge_current_limit_a", 100.0), 10),
        discharge_voltage_limit=_steps(reading.get("discharge_voltage_limit_v", 44.8), 10),
        discharge_current_limit=_steps(reading.get("discharge_current_limit_a", 100.0), 10),
        cell_count=len(cells_mv),
    )


def _cells_mv(reading: Reading) -> list[int]:
    cells_mv = [_steps(volts, 1000) for volts in reading.get("cell_voltages_v", ())]
    if not cells_mv:
        raise BridgeBug("a UP16S pack without cells cannot say anything: give cell_voltages_v")
    return cells_mv


def _steps(value: float | None, per_unit: int) -> int:
    steps = round((value or 0.0) * per_unit)
    if not 0 <= steps <= 0xFFFF:
        raise BridgeBug(f"{value} does not fit 16 bits at 1/{per_unit} (raw {steps}, allowed 0..65535)")
    return steps


def _temperature(celsius: float | None) -> int:
    return status.MISSING_PROBE if celsius is None else _steps(celsius + 50, 10)


def _bits(alarms: frozenset[Alarm], table: tuple[Alarm, ...]) -> int:
    """The first bit of each alarm; an alarm that the table does not have says nothing."""
    return sum(1 << table.index(alarm) for alarm in alarms if alarm in table)
