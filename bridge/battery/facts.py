"""What is known of one pack, worked out once per sample, for all rules to read.

Losing a value must not widen a limit, so a pack's memory is part of the facts: a probe that no longer
answers goes on restricting with its last temperature, a limit or a switch that the BMS once reported
stays as reported until it says otherwise, and a cell that reached a hard stop keeps it until it is
clearly back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum, isfinite
from typing import Final, TypeVar, cast

from bridge.battery.fixed import Fixed, fixed
from bridge.battery.smoothing import Smoother
from bridge.model import Limit, PackInfo, PackSample, PackSettings, Ratings

MeasuredCell = tuple[float, str, int]
"""A cell that was measured: V, its pack, its number from 1."""

UNSEEN_CELL_V: Final = 0.05  # how far the extreme cells of a pack without cell voltages may be from its mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One pack's last trusted sample, digested.

    cell_max_v, cell_min_v: extremes of the readable cells; of a pack that never gave cells, its mean with a
    margin. cell_max_index, cell_min_index: 1-based, None where derived; highest, lowest: these cells with
    their numbers, None where derived. cells_readable: every cell was read; cells_derived: it never gave any.
    temperature extremes include the last readings of probes that no longer answer; temperature_slow_*: the
    same, smoothed; temperature_mean_c: of those that answer; temperature_readable: at least one does. fixed:
    the pack's curves, and what holds whatever is measured. mosfet_temperature_c, charge_switch_on,
    discharge_switch_on: as said last; open_switch: one of them is off; may_be_closed: that is no longer said
    of it, nor of the other one. reported: the BMS's own limits. voltage_v: measured, or the sum of the cells;
    voltage_seen_v: the same, or what it was last. charge_stopped, discharge_stopped: a cell reached the hard
    stop and is not clearly back.
    """

    settings: PackSettings
    sample: PackSample
    ratings: Ratings
    fixed: Fixed
    voltage_v: float | None
    voltage_seen_v: float | None
    cells_readable: bool
    cells_derived: bool
    cell_max_v: float | None
    cell_min_v: float | None
    cell_max_index: int | None
    cell_min_index: int | None
    highest: MeasuredCell | None
    lowest: MeasuredCell | None
    temperature_max_c: float | None
    temperature_min_c: float | None
    temperature_slow_max_c: float | None
    temperature_slow_min_c: float | None
    temperature_mean_c: float | None
    temperature_readable: bool
    mosfet_temperature_c: float | None
    charge_switch_on: bool | None
    discharge_switch_on: bool | None
    open_switch: bool
    may_be_closed: bool
    charge_stopped: bool
    discharge_stopped: bool
    reported: dict[Limit, float] = field(default_factory=dict)


class Memory:
    """What one pack has said before, as far as it may only restrict. Feed it every trusted sample."""

    def __init__(self, settings: PackSettings) -> None:
        self._settings = settings
        self._voltage_v: float | None = None
        self._probes_c: list[float | None] = []
        self._mosfet_c: float | None = None
        self._charge_on: bool | None = None
        self._discharge_on: bool | None = None
        self._reported: dict[Limit, float] = {}
        self._ratings = Ratings()
        self._fixed = fixed(settings, self._ratings)
        self._smoother = Smoother()
        self._charge_stopped = False
        self._discharge_stopped = False

    @property
    def fixed(self) -> Fixed:
        """What holds whatever is measured."""
        return self._fixed

    def informed(self, info: PackInfo) -> None:
        """The BMS's own settings; one that it leaves out stays as it was."""
        given = info.ratings
        self._ratings = Ratings(
            cell_ovp_v=_given(given.cell_ovp_v, self._ratings.cell_ovp_v),
            cell_uvp_v=_given(given.cell_uvp_v, self._ratings.cell_uvp_v),
            pack_ovp_v=_given(given.pack_ovp_v, self._ratings.pack_ovp_v),
            pack_uvp_v=_given(given.pack_uvp_v, self._ratings.pack_uvp_v),
            charge_ocp_a=_given(given.charge_ocp_a, self._ratings.charge_ocp_a),
            discharge_ocp_a=_given(given.discharge_ocp_a, self._ratings.discharge_ocp_a),
            charge_otp_c=_given(given.charge_otp_c, self._ratings.charge_otp_c, lowest=-100.0),
            charge_utp_c=_given(given.charge_utp_c, self._ratings.charge_utp_c, lowest=-100.0),
            discharge_otp_c=_given(given.discharge_otp_c, self._ratings.discharge_otp_c, lowest=-100.0),
            discharge_utp_c=_given(given.discharge_utp_c, self._ratings.discharge_utp_c, lowest=-100.0),
        )
        self._fixed = fixed(self._settings, self._ratings)

    def facts(self, sample: PackSample) -> Facts:
        """The facts after `sample`, which is now part of the memory."""
        self._learn_reported(sample)
        cells_v = sample.cell_voltages_v
        readable = bool(cells_v) and None not in cells_v
        voltage_v = sample.voltage_v
        if voltage_v is None and readable:
            voltage_v = sum(v for v in cells_v if v is not None)
        self._voltage_v = _said(voltage_v, self._voltage_v)
        high, low = self._extremes(sample, voltage_v)
        self._learn_stops(high[0], low[0])
        coldest_c, hottest_c = self._temperatures(sample.temperatures_c)
        probes_c = [t for t in sample.temperatures_c if t is not None]
        slow_coldest_c, slow_hottest_c = self._smoother.follow(coldest_c, hottest_c, sample.time_s)
        self._mosfet_c = _said(sample.mosfet_temperature_c, self._mosfet_c)
        self._charge_on = _said(sample.charge_fet_on, self._charge_on)
        self._discharge_on = _said(sample.discharge_fet_on, self._discharge_on)
        is_open = self._charge_on is False or self._discharge_on is False
        said_open = sample.charge_fet_on is False or sample.discharge_fet_on is False
        return Facts(
            settings=self._settings,
            sample=sample,
            ratings=self._ratings,
            fixed=self._fixed,
            voltage_v=voltage_v,
            voltage_seen_v=self._voltage_v,
            cells_readable=readable,
            cells_derived=not cells_v,
            cell_max_v=high[0],
            cell_min_v=low[0],
            cell_max_index=high[1],
            cell_min_index=low[1],
            highest=self._measured(*high),
            lowest=self._measured(*low),
            temperature_max_c=hottest_c,
            temperature_min_c=coldest_c,
            temperature_slow_max_c=slow_hottest_c,
            temperature_slow_min_c=slow_coldest_c,
            temperature_mean_c=fsum(probes_c) / len(probes_c) if probes_c else None,
            temperature_readable=bool(probes_c),
            mosfet_temperature_c=self._mosfet_c,
            charge_switch_on=self._charge_on,
            discharge_switch_on=self._discharge_on,
            open_switch=is_open,
            may_be_closed=is_open and not said_open,
            charge_stopped=self._charge_stopped,
            discharge_stopped=self._discharge_stopped,
            reported=dict(self._reported),
        )

    def _learn_reported(self, sample: PackSample) -> None:
        """Many boards leave a limit at 0 that they do not use: 0 is a limit only after something else was."""
        said = (
            (Limit.CVL, sample.charge_voltage_limit_v),
            (Limit.DVL, sample.discharge_voltage_limit_v),
            (Limit.CCL, sample.charge_current_limit_a),
            (Limit.DCL, sample.discharge_current_limit_a),
        )
        for limit, value in said:
            if value is not None and (value > 0 or limit in self._reported):
                self._reported[limit] = value

    def _extremes(self, sample: PackSample, voltage_v: float | None) -> tuple[_Cell, _Cell]:
        """The highest and the lowest cell."""
        cells_v = sample.cell_voltages_v
        if cells_v:
            high_v, low_v = _ends(cells_v)
            if high_v is None or low_v is None:
                return (None, None), (None, None)
            return (high_v, cells_v.index(high_v) + 1), (low_v, cells_v.index(low_v) + 1)
        if voltage_v is None:
            return (None, None), (None, None)
        mean_v = voltage_v / self._settings.cells
        return (mean_v + UNSEEN_CELL_V, None), (mean_v - UNSEEN_CELL_V, None)

    def _measured(self, cell_v: float | None, index: int | None) -> MeasuredCell | None:
        return None if cell_v is None or index is None else (cell_v, self._settings.name, index)

    def _learn_stops(self, high_v: float | None, low_v: float | None) -> None:
        charge, discharge = self._fixed.tapers.charge, self._fixed.tapers.discharge
        if high_v is not None:
            self._charge_stopped = high_v >= (charge.release_v if self._charge_stopped else charge.stop_v)
        if low_v is not None:
            self._discharge_stopped = low_v <= (
                discharge.release_v if self._discharge_stopped else discharge.stop_v
            )

    def _temperatures(self, temperatures_c: tuple[float | None, ...]) -> tuple[float | None, float | None]:
        """Coldest and hottest, over what every probe has said last."""
        known_c = self._probes_c
        known_c.extend([None] * (len(temperatures_c) - len(known_c)))
        for i, temperature_c in enumerate(temperatures_c):
            if temperature_c is not None:
                known_c[i] = temperature_c
        all_c = [t for t in known_c if t is not None]
        return (min(all_c), max(all_c)) if all_c else (None, None)


def _ends(cells_v: tuple[float | None, ...]) -> tuple[float | None, float | None]:
    """The highest and the lowest readable value."""
    if None not in cells_v:
        all_v = cast(tuple[float, ...], cells_v)
        return max(all_v), min(all_v)
    readable_v = [v for v in cells_v if v is not None]
    return max(readable_v, default=None), min(readable_v, default=None)


T = TypeVar("T")
_Cell = tuple[float | None, int | None]


def _said(value: T | None, before: T | None) -> T | None:
    return before if value is None else value


def _given(value: float | None, before: float | None, lowest: float = 0.0) -> float | None:
    return value if value is not None and isfinite(value) and value > lowest else before
