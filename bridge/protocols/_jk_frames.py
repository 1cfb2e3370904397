"""What is in JK's 300-byte frames, whichever wire they come over: status, settings, device information.

    0 header 55 AA EB 90 · 4 type · 5 counter · 6 contents, little-endian · 299 sum of all before, low byte

The one idea: nothing in a status frame (type 2) says which of three layouts it has, and the wrong one
gives right cells with wrong totals. So a layout is believed only where the frame's own numbers agree
in it: the mask of fitted cells is a run of ones, each of those cells could be a cell, and their sum is
the pack's voltage. A frame that no layout explains is dropped; names and versions are never asked.

    layout     cells            mask  totals and states            last bytes
    JK02_24S   24 x u16 mV      54    from 118 on                  zero
    JK02_32S   32 x u16 mV      70    the same, 32 bytes later     mask of what the board has, FE .. 7F
    JK04       24 x f32 V       214   none: a balancer, not a BMS

Places and scales: syssi/esphome-jk-bms components/jk_bms_ble and docs (captures of ten devices), JK's
Modbus V1.1 text in phinix-org/Multiple-JK-BMS-by-Modbus-RS485; that the layout must be proven: issues
#1048, #1058 and #1061 of the former.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from bridge.model import Reading
from bridge.protocols._jk_alarms import JK02
from bridge.protocols._jk_fields import (
    DISCHARGE_UTP_PLACE,
    DISCHARGE_UTPR_PLACE,
    INFO_NUMBERS,
    SETTINGS_32S,
    SETTINGS_COMMON,
    read_fields,
    read_texts,
)
from bridge.protocols.contract import Drop, Dropped, Message, Raw

HEADER = b"\x55\xaa\xeb\x90"
SIZE = 300
SETTINGS, STATUS, INFO, LOGBOOK = 1, 2, 3, 5

CELL_MAX_MV = 5000  # no cell of any chemistry; JK itself measures to 4.5 V
SUM_TOLERANCE_MV = 500  # the largest difference in 2,900 captured frames is 80 mV
CURRENT_MAX_MA = 2_000_000  # the largest board carries 1000 A
CAPACITY_MAX_MAH = 20_000_000  # a hundred times a large cell
PROBE_MIN, PROBE_MAX = -600, 1500  # 0.1 degC; a missing probe reads -2000


class Layout(NamedTuple):
    """Where a JK02 status frame has what. cells: how many it has room for."""

    name: str
    cells: int
    body: Struct
    mosfet_place: int
    probe_bits: tuple[int, int]  # of probes 1 and 2 in the mask of probes that are present


# cells, mask, average, difference, pack mV, mA, probes 1 and 2, alarms, balancing mA, state, SOC,
# remaining, full, cycles, cycle mAh, SOH, precharge, run time, switches, probe mask, heating
LAYOUT_24S = Layout("JK02_24S", 24, Struct("<6x 24H I HH 56x I4xihh2xH hBB IIII BB2xI BB14xBB"), 134, (2, 4))
LAYOUT_32S = Layout("JK02_32S", 32, Struct("<6x 32H I HH 72x I4xihhI hBB IIII BB2xI BB14xBB"), 144, (2, 4))

_MOSFET = Struct("<h")
_TAIL_32S = Struct("<256x hh 18x H B 13x B")  # probes 3 and 4, phase seconds, phase, what the board has
_HAS_PROBES_3_4 = 0x30  # set in all captures of PB boards, in none of others
_JK04 = Struct("<6x 24f 100x ff 4x I 2x B x f 60x I")
"""What a JK04 status frame has: cells, average, difference, mask, balance state, current, run time."""

_JK04_SETTINGS = Struct("<34x B 3x f 56x f 4x ff B")
"""Cell count, power-off, balancing start and trigger, its largest current, its switch."""


class FrameReader:
    """Decodes checked frames. Remembers the layout that a frame has proven, for frames that can't."""

    def __init__(self) -> None:
        self._proven: str | None = None

    def read(self, frame: bytes, address: int | None = None) -> Message | Dropped:
        """One frame of 300 bytes whose sum is right."""
        kind = frame[4]
        raw: dict[str, Raw] = {"frame_type": kind, "frame_counter": frame[5]}
        if address is not None:
            raw["responder_address"] = address
        if kind == STATUS:
            return self._status(frame, raw, address)
        if kind == SETTINGS:
            return self._settings(frame, raw, address)
        if kind == INFO:
            return _info(frame, raw, address)
        return Dropped(Drop.UNKNOWN, SIZE, f"frame type {kind}")

    def _status(self, frame: bytes, raw: dict[str, Raw], address: int | None) -> Message | Dropped:
        if frame[9] >= 0x3F:  # the high half of a float; as millivolts it would be 16 V
            return self._status_jk04(frame, raw, address)
        layouts = (LAYOUT_32S, LAYOUT_24S) if frame[287] else (LAYOUT_24S, LAYOUT_32S)
        why = ""
        for layout in layouts:
            values = layout.body.unpack_from(frame)
            doubt = self._doubt(frame, layout, values)
            if not doubt:
                return _status_jk02(frame, layout, values, raw, address)
            why = why or f"{layout.name}: {doubt}"
        return Dropped(Drop.VALUE, SIZE, f"no layout explains this status frame; {why}")

    def _doubt(self, frame: bytes, layout: Layout, values: Sequence[int]) -> str:
        """Why this layout is not believed; empty if the frame's numbers prove it."""
        mask, pack_mv = values[layout.cells], values[layout.cells + 3]
        count = mask.bit_length()
        if count > layout.cells:
            return f"mask {mask:#x}"
        cells_mv = values[:count]
        if not count or mask & mask + 1 or not 0 < min(cells_mv) <= max(cells_mv) <= CELL_MAX_MV:
            return self._doubt_gaps(frame, layout, values)
        if abs(sum(cells_mv) - pack_mv) > SUM_TOLERANCE_MV:
            return f"{count} cells sum to {sum(cells_mv)} mV, pack {pack_mv} mV"
        self._proven = layout.name
        return _implausible(layout, values)

    def _doubt_gaps(self, frame: bytes, layout: Layout, values: Sequence[int]) -> str:
        """The same for a frame in which cells are missing: it proves nothing, but may fit what is known."""
        mask, pack_mv = values[layout.cells], values[layout.cells + 3]
        if not mask:
            signed = layout is LAYOUT_32S and frame[287] == 0xFE and frame[289] == 0x7F
            empty = not pack_mv and not any(values[: layout.cells])
            return _implausible(layout, values) if signed and empty else "no cells"
        if self._proven != layout.name:
            return f"cells are missing in mask {mask:#x} and the layout is not proven yet"
        cells_mv = values[: mask.bit_length()]
        good_mv = [mv for n, mv in enumerate(cells_mv) if mask >> n & 1 and 0 < mv <= CELL_MAX_MV]
        most_mv = sum(good_mv) + (len(cells_mv) - len(good_mv)) * CELL_MAX_MV
        if not sum(good_mv) - SUM_TOLERANCE_MV <= pack_mv <= most_mv + SUM_TOLERANCE_MV:
            return f"{len(good_mv)} of {len(cells_mv)} cells sum to {sum(good_mv)} mV, pack {pack_mv} mV"
        return _implausible(layout, values)

    def _status_jk04(self, frame: bytes, raw: dict[str, Raw], address: int | None) -> Message | Dropped:
        values = _JK04.unpack_from(frame)
        average_v, delta_v, mask, state, balance_a, runtime_s = values[24:]
        count = mask.bit_length()
        volts = values[:count]
        if mask & mask + 1 or not 0 < count <= 24 or not 0.3 <= min(volts) <= max(volts) <= 5:
            return Dropped(Drop.VALUE, SIZE, f"JK04: mask {mask:#x} does not fit the cells")
        # a sum with a NaN in it is no number near the average
        if not abs(sum(volts) / count - average_v) < 0.05 or not math.isfinite(delta_v + balance_a):
            return Dropped(Drop.VALUE, SIZE, f"JK04: average {average_v} V is not that of the cells")
        self._proven = "JK04"
        reading: Reading = {
            "voltage_v": round(sum(volts), 3),
            "cell_count": count,
            "cell_voltages_v": tuple([round(volt, 4) for volt in volts]),
            "balancing": state != 0,
        }
        raw |= {
            "variant": "JK04",
            "cell_avg_v": round(average_v, 4),
            "cell_delta_v": round(delta_v, 4),
            "balance_state": state,
            "balance_current_a": round(balance_a, 3),
            "runtime_s": runtime_s,
        }
        return Message("status", reading, raw, address)

    def _settings(self, frame: bytes, raw: dict[str, Raw], address: int | None) -> Message | Dropped:
        if frame[41] >= 0x3F and not any(frame[10:34]):  # a float where JK02 has millivolts
            return _settings_jk04(frame, raw, address)
        has_tail = any(frame[254:299])
        raw["variant"] = LAYOUT_32S.name if has_tail else LAYOUT_24S.name
        fields = read_fields(SETTINGS_32S if has_tail else SETTINGS_COMMON, frame)
        if has_tail and (frame[DISCHARGE_UTP_PLACE] or frame[DISCHARGE_UTPR_PLACE]):
            fields["discharge_utp_c"] = _signed(frame[DISCHARGE_UTP_PLACE])
            fields["discharge_utpr_c"] = _signed(frame[DISCHARGE_UTPR_PLACE])
        return settings_message(fields, raw, address, SIZE)


def settings_message(
    fields: dict[str, Raw], raw: dict[str, Raw], address: int | None, size: int
) -> Message | Dropped:
    """Settings as a message; dropped if they cannot be those of a pack. size: of what they came in."""
    cell_count, capacity_ah = fields.pop("cell_count", None), fields.get("capacity_ah")
    uvp_v, ovp_v = fields.get("cell_uvp_v"), fields.get("cell_ovp_v")
    if cell_count is not None and not (isinstance(cell_count, int) and 1 <= cell_count <= 32):
        return Dropped(Drop.VALUE, size, f"settings for {cell_count} cells")
    if isinstance(uvp_v, float) and isinstance(ovp_v, float) and not 0 < uvp_v < ovp_v <= CELL_MAX_MV / 1000:
        return Dropped(Drop.VALUE, size, f"settings with cell limits {uvp_v} V .. {ovp_v} V")
    reading: Reading = {}
    if isinstance(cell_count, int):
        reading["cell_count"] = cell_count
    if isinstance(capacity_ah, float):
        reading["design_ah"] = capacity_ah
    return Message("settings", reading, raw | fields, address)


def _status_jk02(
    frame: bytes, layout: Layout, values: Sequence[int], raw: dict[str, Raw], address: int | None
) -> Message:
    (
        mask, average_mv, delta_mv, pack_mv, current_ma, probe_1, probe_2, alarms, balance_ma, balance_state,
        soc_pct, remaining_mah, full_mah, cycles, cycle_mah, soh_pct, precharging, runtime_s,
        charge_on, discharge_on, probes, heating,
    ) = values[layout.cells :]  # fmt: skip
    verdict = JK02.judge(alarms)
    (mosfet,) = _MOSFET.unpack_from(frame, layout.mosfet_place)
    temperatures_c: tuple[float | None, ...] = (_probe(probe_1, probes & 2), _probe(probe_2, probes & 4))
    raw |= {
        "variant": layout.name,
        "cell_avg_v": average_mv / 1000,
        "cell_delta_v": delta_mv / 1000,
        "cycle_ah": cycle_mah / 1000,
        "runtime_s": runtime_s,
        "balance_state": balance_state,
        "balance_current_a": balance_ma / 1000,
        "alarm_bitmask": alarms,
        "alarms": verdict.names,
    }
    if layout is LAYOUT_32S:
        probe_3, probe_4, phase_s, phase, board = _TAIL_32S.unpack_from(frame)
        # a pack without cells is shown with all that it has room for
        if board & _HAS_PROBES_3_4 or not mask:
            temperatures_c += (_probe(probe_3, probes & 16), _probe(probe_4, probes & 32))
        raw["heating"], raw["precharging"] = heating != 0, precharging != 0
        if phase or phase_s:  # older firmware has no charge phases and leaves both 0
            raw["charge_status"], raw["charge_status_elapsed_s"] = phase, phase_s
    count = mask.bit_length()
    charge_on, discharge_on = charge_on != 0, discharge_on != 0
    reading: Reading = {
        "voltage_v": pack_mv / 1000,
        "current_a": current_ma / 1000,
        "soc_pct": soc_pct,
        "soh_pct": soh_pct,
        "remaining_ah": remaining_mah / 1000,
        "full_ah": full_mah / 1000,
        "cycles": cycles,
        "cell_count": count,
        "cell_voltages_v": _cells(values[:count], mask),
        "temperatures_c": temperatures_c,
        "mosfet_temperature_c": _probe(mosfet, probes & 1),
        "charge_fet_on": charge_on,
        "discharge_fet_on": discharge_on,
        "charge_allowed": charge_on and verdict.charge_allowed,
        "discharge_allowed": discharge_on and verdict.discharge_allowed,
        "balancing": balance_state != 0,
        "protections": verdict.protections,
        "warnings": verdict.warnings,
    }
    return Message("status", reading, raw, address)


def _implausible(layout: Layout, values: Sequence[int]) -> str:
    current_ma, soc_pct = values[layout.cells + 4], values[layout.cells + 10]
    remaining_mah, full_mah = values[layout.cells + 11 : layout.cells + 13]
    if abs(current_ma) > CURRENT_MAX_MA:
        return f"current {current_ma} mA"
    if soc_pct > 100:
        return f"SOC {soc_pct} %"
    if remaining_mah > CAPACITY_MAX_MAH or full_mah > CAPACITY_MAX_MAH:
        return f"{remaining_mah} mAh of {full_mah} mAh"
    return ""


def _cells(cells_mv: Sequence[int], mask: int) -> tuple[float | None, ...]:
    if cells_mv and not mask & mask + 1 and 0 < min(cells_mv) <= max(cells_mv) <= CELL_MAX_MV:
        return tuple([mv / 1000 for mv in cells_mv])
    return tuple(
        [mv / 1000 if mask >> n & 1 and 0 < mv <= CELL_MAX_MV else None for n, mv in enumerate(cells_mv)]
    )


def _probe(tenths_c: int, present: int) -> float | None:
    if PROBE_MIN < tenths_c < PROBE_MAX and (present or tenths_c):
        return tenths_c / 10
    return None  # also a probe that the board does not have, which reads 0


def _settings_jk04(frame: bytes, raw: dict[str, Raw], address: int | None) -> Message | Dropped:
    count, power_off_v, start_v, trigger_v, max_balance_a, enabled = _JK04_SETTINGS.unpack_from(frame)
    if not 1 <= count <= 24 or not all(
        0 <= v <= 20 for v in (power_off_v, start_v, trigger_v, max_balance_a)
    ):
        return Dropped(Drop.VALUE, SIZE, f"JK04 settings for {count} cells")
    raw |= {
        "variant": "JK04",
        "power_off_v": round(power_off_v, 4),
        "balance_start_v": round(start_v, 4),
        "balance_trigger_v": round(trigger_v, 4),
        "max_balance_a": round(max_balance_a, 4),
        "balance_enabled": enabled != 0,
    }
    return Message("settings", {"cell_count": count}, raw, address)


def _info(frame: bytes, raw: dict[str, Raw], address: int | None) -> Message | Dropped:
    texts = read_texts(frame)
    if "model" not in texts and "sw_version" not in texts:
        return Dropped(Drop.VALUE, SIZE, "device information without model and version")
    variant = _claimed_variant(str(texts.get("model", "")), str(texts.get("sw_version", "")))
    claim: dict[str, Raw] = {"variant": variant} if variant else {}
    return Message("device_info", {}, raw | texts | read_fields(INFO_NUMBERS, frame) | claim, address)


def _claimed_variant(model: str, version: str) -> str | None:
    """The layout that a board of this name should have; only for people to read.

    A current rating behind the cells ("S20P") makes it a BMS; those without are balancers or unknown.
    """
    major = re.match(r"[Vv]?(\d+)\.", version)
    if not major or not re.search(r"S\d+P", model):
        return None
    return LAYOUT_32S.name if int(major[1]) >= 11 else LAYOUT_24S.name


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
