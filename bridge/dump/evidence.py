"""What in a dump speaks for a dialect and what against it, point by point.

The idea: each thing that can be seen is worth a few points with a sentence beside them, so that a score is
the sum of what is read below it. What several dialects share says little; a value that can't be says much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bridge.dump import columns
from bridge.dump.block import Bytes, Floats, Mask, id_text
from bridge.dump.survey import Seen, Survey, of_keys
from bridge.dump.tongues import Tongue
from bridge.sinks.layout import FRAME_BYTES, Kind, Signal

SEEN, UNUSED, ALONE = 2.0, 1.0, 3.0  # an identifier; one that no inverter profile sends; that is no other's
ASKED, ASKED_ALONE = 0.5, 1.5  # a frame of the inverter, which many share; one that is no other's
UNEXPLAINED, ABSENT, ABSENT_VITAL = -1.5, -1.0, -3.0
LENGTH_FITS, LENGTH_WRONG = 0.5, -1.0
ZERO_BITS, STRAY_BITS = 0.25, -1.5
POSSIBLE, IMPOSSIBLE = 0.25, -3.0
RATIO_FITS, RATIO_WRONG = 4.0, -6.0
CONSTANT_FITS, CONSTANT_WRONG = 1.0, -0.5
NAME_FITS, NAME_WRONG = 2.0, -2.0
RARELY_ASKED = -0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation and what it is worth."""

    points: float
    text: str


def ids(tongue: Tongue, found: Survey, claimed: Mapping[int, int]) -> Iterator[Evidence]:
    """The identifiers. claimed: how many dialects (not addresses of one) have a key as the battery's."""
    battery = of_keys(found, tongue.battery)
    if not battery and not of_keys(found, tongue.inverter):
        return
    alone = [key for key in battery if claimed[key] == 1]
    unused = [key for key in battery if tongue.profiles and key not in tongue.sent]
    if battery:
        points = SEEN * (len(battery) - len(unused)) + UNUSED * len(unused)
        yield Evidence(points, f"identifiers of its battery: {_ids(battery)}")
    if alone:
        yield Evidence(ALONE * len(alone), f"no other dialect has {_ids(alone)}")
    if foreign := [key for key in found.seen if key in claimed and key not in tongue.battery]:
        yield Evidence(UNEXPLAINED * len(foreign), f"it does not know {_ids(foreign)}")
    if battery:
        vital = sorted(tongue.vital - found.seen.keys())
        if vital:
            yield Evidence(ABSENT_VITAL * len(vital), f"without {_ids(vital)}, which inverters live on")
        other = sorted(usual(tongue) - tongue.vital - found.seen.keys())
        if other and not battery.keys() <= tongue.vital:  # else somebody cut out the frames that matter
            yield Evidence(ABSENT * len(other), f"without {_ids(other)}, usual with it")


def usual(tongue: Tongue) -> frozenset[int]:
    """What all of its profiles send in every cycle, beyond numbers that are nice to have.

    Of a look-alike, which has no profile, all that says anything.
    """
    if not tongue.profiles:
        return frozenset(key for key, message in tongue.battery.items() if message.signals)
    orders = [
        {can_id + tongue.offset for can_id in one.order if can_id not in one.optional}
        for one in tongue.profiles
    ]
    common = set.intersection(*orders) if orders else set()
    return frozenset(
        key
        for key, message in tongue.battery.items()
        if message.can_id in common
        and any(one.kind in {Kind.ALARM, Kind.TEXT} or "_enabled" in one.name for one in message.signals)
    )


def conversation(tongue: Tongue, found: Survey, asked_of: Mapping[int, int]) -> Iterator[Evidence]:
    """What the inverter says: handshakes, polls, signs of life. asked_of: how many dialects have a key
    as the inverter's.
    """
    heard = of_keys(found, tongue.inverter)
    if not heard:
        return
    yield Evidence(ASKED * len(heard), f"frames of its inverter: {_ids(heard)}")
    if alone := [key for key in heard if asked_of[key] == 1]:
        yield Evidence(ASKED_ALONE * len(alone), f"no other inverter sends {_ids(alone)}")
    for key, seen in heard.items():
        polls = [one for one in tongue.asked.get(key, ()) if getattr(one, "data", "")]
        if not polls:
            continue
        asked = {row.tobytes() for row in seen.data}
        fitting = {data: [one for one in polls if _fits(one.data, data)] for data in asked}  # type: ignore[attr-defined]  # polls have data
        known = [data for data, ones in fitting.items() if ones]
        rare = [data for data in known if all(getattr(one, "seldom", False) for one in fitting[data])]
        if known:
            yield Evidence(
                SEEN, f"its polls in {id_text(key)}: {', '.join(_hex(data) for data in known[:4])}"
            )
        if rare:
            yield Evidence(RARELY_ASKED * len(rare), f"of these it is seldom asked {_hex(rare[0])}")
        if len(known) < len(asked):
            yield Evidence(UNEXPLAINED, f"polls in {id_text(key)} that it does not know")


def _fits(pattern: str, data: bytes) -> bool:
    digits = enumerate(pattern.split())
    return all(text == ".." or data[index] == int(text, 16) for index, text in digits)


def lengths(tongue: Tongue, found: Survey) -> Iterator[Evidence]:
    """Data bytes: those of the dialect, or padded to 8."""
    good: list[str] = []
    bad: list[str] = []
    for key, seen in of_keys(found, tongue.battery).items():
        message = tongue.battery[key]
        usual = max(seen.lengths, key=lambda size: seen.lengths[size])
        (good if usual in {message.length, FRAME_BYTES} else bad).append(f"{id_text(key)} {usual}")
    if good:
        yield Evidence(LENGTH_FITS * len(good), "data bytes as they should be, or padded to 8")
    if bad:
        yield Evidence(LENGTH_WRONG * len(bad), f"data bytes that it does not have: {', '.join(bad)}")


def bits(tongue: Tongue, found: Survey) -> Iterator[Evidence]:
    """Bits that the dialect does not describe are zero."""
    zero, stray = 0, []
    for key, seen in of_keys(found, tongue.battery).items():
        message = tongue.battery[key]
        spare = columns.undefined(message)
        if not message.signals or not spare.any():
            continue
        if (seen.data & spare).any():
            stray.append(id_text(key))
        else:
            zero += 1
    if zero:
        yield Evidence(ZERO_BITS * zero, "the bits that it does not use are 0")
    if stray:
        yield Evidence(STRAY_BITS * len(stray), f"bits are set that it does not use, in {', '.join(stray)}")


# What a value may be at all: of anything from 12 V to 1000 V, in any weather.
RANGES: Mapping[str, tuple[float, float]] = {
    "voltage_v": (6, 1100),
    "charge_voltage_limit_v": (6, 1100),
    "discharge_voltage_limit_v": (0, 1100),
    "charge_current_limit_a": (0, 2000),
    "discharge_current_limit_a": (0, 2000),
    "current_a": (-1500, 1500),
    "soc_pct": (0, 100),
    "soc_hires_pct": (0, 100),
    "soh_pct": (0, 110),
    "temperature_c": (-45, 90),
    "temperature_max_c": (-45, 90),
    "temperature_min_c": (-45, 90),
    "temperature_max_k": (228, 363),
    "temperature_min_k": (228, 363),
    "cell_max_v": (1.0, 5.0),
    "cell_min_v": (1.0, 5.0),
    "cell_max_tenths_v": (1.0, 5.0),
    "cell_min_tenths_v": (1.0, 5.0),
    "installed_ah": (1, 20_000),
    "module_count": (0, 64),
    "cycles": (0, 20_000),
}


def plausible(tongue: Tongue, found: Survey) -> Iterator[Evidence]:
    """Whether the numbers can be, each alone and beside each other."""
    said = last_values(tongue, found)
    good: list[str] = []
    bad: list[str] = []
    for name, value in said.items():
        if name in RANGES and (value or name == "soc_pct"):  # elsewhere 0 may stand for unknown
            low, high = RANGES[name]
            (good if low <= value <= high else bad).append(f"{name} {value:g}")
    if good:
        yield Evidence(POSSIBLE * len(good), f"possible values: {', '.join(good[:4])}")
    if bad:
        yield Evidence(IMPOSSIBLE * len(bad), f"impossible values: {', '.join(bad[:4])}")
    yield from _ratios(said)


def _ratios(said: Mapping[str, float]) -> Iterator[Evidence]:
    voltage_v, limit_v = said.get("voltage_v"), said.get("charge_voltage_limit_v")
    if voltage_v and limit_v:
        fits = 0.6 <= voltage_v / limit_v <= 1.2
        text = f"{voltage_v:g} V under a charge voltage limit of {limit_v:g} V"
        yield Evidence(RATIO_FITS if fits else RATIO_WRONG, text if fits else f"{text}: they do not agree")
    for high, low in (("cell_max_v", "cell_min_v"), ("temperature_max_c", "temperature_min_c")):
        if high in said and low in said and said[high] < said[low]:
            yield Evidence(IMPOSSIBLE, f"{high} {said[high]:g} is below {low} {said[low]:g}")
    soc_pct, fine_pct = said.get("soc_pct"), said.get("soc_hires_pct")
    if soc_pct and fine_pct and abs(soc_pct - fine_pct) > 2:
        yield Evidence(IMPOSSIBLE, f"soc_pct {soc_pct:g} beside soc_hires_pct {fine_pct:g}")
    cell_v = said.get("cell_max_v")
    if voltage_v and cell_v and 1 < cell_v < 5:
        cells = voltage_v / cell_v
        whole = abs(cells - round(cells)) <= 0.02 * max(cells, 8) ** 0.5 + 0.15 and cells >= 3
        yield Evidence(1.0 if whole else -1.0, f"{voltage_v:g} V is {cells:.1f} cells of {cell_v:g} V")


def last_values(tongue: Tongue, found: Survey) -> dict[str, float]:
    """The middle one of what each quantity was in the samples, under this dialect."""
    said: dict[str, float] = {}
    for key, seen in of_keys(found, tongue.battery).items():
        for signal in tongue.battery[key].signals:
            if signal.kind is Kind.QUANTITY and signal.length > 1:
                known = columns.values(signal, seen.data, seen.length)
                known = known[~np.isnan(known)]
                if len(known):
                    said.setdefault(signal.name, float(np.sort(known)[len(known) // 2]))
    return said


def marks(tongue: Tongue, found: Survey) -> Iterator[Evidence]:
    """Constants and names, as its profiles or the dialect have them."""
    for key, seen in of_keys(found, tongue.battery).items():
        for signal in tongue.battery[key].signals:
            wanted = {one.constants[signal.name] for one in tongue.profiles if signal.name in one.constants}
            if signal.kind is Kind.TEXT:
                yield from _name(signal, seen, {str(one) for one in wanted})
            elif signal.kind is Kind.CONSTANT and signal.page is None and signal.length >= FRAME_BYTES:
                yield from _constant(signal, seen, {int(one) for one in wanted} | {signal.constant})
            elif signal.kind is Kind.LABEL and not _printable(signal, seen.data):
                yield Evidence(NAME_WRONG, f"{id_text(key)} is no text")


def _name(signal: Signal, seen: Seen, wanted: Iterable[str]) -> Iterator[Evidence]:
    text = columns.text(signal, seen.data[-1])
    if not _printable(signal, seen.data):
        yield Evidence(NAME_WRONG, f"{id_text(seen.key)} is no text")
    elif any(one.strip() and text.strip("\0 ") == one.strip() for one in wanted):
        yield Evidence(NAME_FITS, f"the name {text.strip(chr(0) + ' ')!r}")


def _printable(signal: Signal, data: Bytes) -> bool:
    texts = {columns.text(signal, row) for row in data[:8]}
    return all(
        all(letter == "\0" or " " <= letter <= "~" for letter in one) and "\\x" not in one for one in texts
    )


def _constant(signal: Signal, seen: Seen, wanted: Iterable[int]) -> Iterator[Evidence]:
    there = set(columns.raw(signal, seen.data)[seen.length >= signal.needs].tolist())
    if not there or there == {0}:
        return
    if there <= {one for one in wanted if one}:
        yield Evidence(CONSTANT_FITS, f"{signal.name} in {id_text(seen.key)} as it should be")
    else:
        yield Evidence(CONSTANT_WRONG, f"{signal.name} in {id_text(seen.key)} is another")


def byte_order(tongue: Tongue, found: Survey) -> Iterator[Evidence]:
    """What the limits would be with the bytes the other way round; worth nothing, but good to read."""
    for key in of_keys(found, tongue.vital):
        seen, message = found.seen[key], tongue.battery[key]
        for signal in message.signals:
            if signal.name == "charge_voltage_limit_v" and signal.length == 16:
                here = columns.values(signal, seen.data[-1:], seen.length[-1:])[0]
                swapped = other_order(signal, seen.data[-1:])[0]
                order = "little" if signal.little_endian else "big"
                yield Evidence(0.0, f"{order} endian: CVL {here:g} V; the other way round {swapped:g} V")
                return


def other_order(signal: Signal, data: Bytes) -> Floats:
    """The values of a field of two whole bytes with these swapped."""
    bits = columns.raw(signal, data) & 0xFFFF
    swapped = ((bits & 0xFF) << 8) | (bits >> 8)
    if signal.signed:
        swapped = np.where(swapped >= 0x8000, swapped - 0x10000, swapped)
    return np.asarray(swapped * signal.scale + signal.offset, np.float64)


def _ids(keys: Iterable[int]) -> str:
    listed = sorted(keys)
    shown = " ".join(id_text(key) for key in listed[:8])
    return shown if len(listed) <= 8 else f"{shown} and {len(listed) - 8} more"


def _hex(data: bytes) -> str:
    return data.rstrip(b"\0").hex(" ").upper() or "00"


# Narrower than RANGES: a swapped byte must not be explained by chance.
USUAL: Mapping[str, tuple[float, float]] = {
    "charge_voltage_limit_v": (10, 900),
    "discharge_voltage_limit_v": (8, 900),
    "voltage_v": (8, 900),
    "soc_pct": (1, 100),
    "soh_pct": (10, 100),
    "cell_max_v": (1.5, 4.5),
    "cell_min_v": (1.5, 4.5),
    "charge_current_limit_a": (0, 600),
    "discharge_current_limit_a": (0, 600),
}


def explained_by_order(signal: Signal, values: Floats, data: Bytes) -> Mask:
    """Where a value is impossible, and would be usual with its two bytes swapped."""
    if signal.name not in USUAL or signal.length != 16 or signal.shift % 8:
        return np.zeros(len(values), np.bool_)
    (lowest, highest), (low, high) = RANGES[signal.name], USUAL[signal.name]
    bad: Mask = (values < lowest) | (values > highest)
    if bad.any():
        swapped = other_order(signal, data)
        bad &= (swapped >= low) & (swapped <= high)
    return bad
