"""What a search found: as one record for machines, and as the lines of a configuration to paste.

The one idea: the file may only say what the pack said. What a BMS is set to is turned into a rating
that is surely not too high; what it does not say stands there as a comment that tells what to fill in,
because a guess could burn a cable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import floor

from bridge.meeting import Meeting, Way
from bridge.model import PackSample

TRIP_SHARE = 0.8  # boards trip at 1.1 to 1.3 times what they may carry all day
C_RATE = 0.5  # what ordinary cells may be charged and discharged with all day

_WAYS = ("charge", "discharge")


@dataclass(frozen=True, slots=True)
class Found:
    """A pack that answered. remark: what a person should know before using it."""

    way: Way
    meeting: Meeting
    remark: str | None = None

    @property
    def accessory(self) -> bool:
        """Whether this is no pack but something that adds to one: it measured no pack voltage."""
        return self.meeting.sample.voltage_v is None

    @property
    def cells(self) -> int | None:
        """Cells in series; None if the pack does not say."""
        info, sample = self.meeting.info, self.meeting.sample
        return len(sample.cell_voltages_v) or (info.cell_count if info is not None else None)

    @property
    def capacity_ah(self) -> float | None:
        """What the cells are said to hold."""
        sample = self.meeting.sample
        return sample.design_ah or sample.full_ah or None

    def record(self) -> dict[str, object]:
        """Everything, as JSON can carry it, in the model's names."""
        return record(self.way, self.meeting) | {"remark": self.remark}


def record(way: Way, meeting: Meeting) -> dict[str, object]:
    """Where a pack is, who it is and what it says."""
    info = meeting.info
    address = way.options().address
    return {
        "port": way.port,
        "bms": way.bms,
        "baudrate": way.rate,
        "address": address,
        "maker": way.entry.spec.maker,
        "model": None if info is None else info.model,
        "firmware": None if info is None else info.firmware,
        "serial": None if info is None else info.serial,
        **_sample(meeting.sample),
        "ratings": {} if info is None else {k: v for k, v in asdict(info.ratings).items() if v is not None},
    }


def _sample(sample: PackSample) -> dict[str, object]:
    shown: dict[str, object] = {}
    for key, value in asdict(sample).items():
        if key in {"soc", "soh"}:
            shown[f"{key}_pct"] = None if value is None else round(100 * value, 2)
        elif isinstance(value, frozenset):
            shown[key] = sorted(value)
        elif key != "time_s":
            shown[key] = list(value) if isinstance(value, tuple) else value
    return shown


def rated_a(found: Found, way: str) -> float | None:
    """What a pack may carry all day in one direction, as far as its own word goes; None if it gave none.

    The least of the limit that it reports, a share of the current at which it trips, and what cells of
    its capacity stand; so it may well be less than it can do.
    """
    info, capacity_ah = found.meeting.info, found.capacity_ah
    trip_a = None if info is None else getattr(info.ratings, f"{way}_ocp_a")
    limit_a = getattr(found.meeting.sample, f"{way}_current_limit_a")
    said = [TRIP_SHARE * trip_a] if trip_a else []
    said += [limit_a] if limit_a else []  # 0 is "not at the moment", not a rating
    if not said or capacity_ah is None or not found.way.entry.spec.states_rating:
        return None
    return float(floor(min(*said, C_RATE * capacity_ah)))


# The lines of a configuration


def pack_lines(found: Found, name: str, said: Mapping[str, float] | None = None) -> list[str]:
    """The table of one pack; lines that are comments await a person. said: what a person said of it."""
    if found.accessory:
        return _accessory_lines(found)
    lines = [f"[packs.{name}]", f"# {_who(found)}; {_state(found)}"]
    lines += [f"# Beware: {found.remark}"] if found.remark else []
    lines += [f'bms = "{found.way.bms}"', f"port = {_text(found.way.port)}", *_wire_lines(found.way)]
    if said is not None:
        return [*lines, *(f"{key} = {value:g}" for key, value in said.items())]
    lines.append(_line("cells", found.cells, "cells in series: count them"))
    lines.append(_line("capacity_ah", found.capacity_ah, "what the cells hold when full, Ah"))
    return [*lines, *_rating_lines(found), "# fuse_a =   # the fuse in this pack's cable, A"]


def _accessory_lines(found: Found) -> list[str]:
    return [
        f"# {_who(found)}: it adds to a pack and is none by itself. Put this below the pack that it is in:",
        "# [packs.NAME.balancer]",
        f'# bms = "{found.way.bms}"',
        f"# port = {_text(found.way.port)}",
    ]


def _wire_lines(way: Way) -> Iterator[str]:
    spec = way.entry.spec
    address = way.options().address
    if address is not None and (spec.shared or address != spec.address):
        yield f"address = {address}"
    if way.rate is not None and way.rate != spec.baudrate:
        yield f"baudrate = {way.rate}"
    if way.extra:
        yield f"options = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in way.extra)} }}"


def _rating_lines(found: Found) -> Iterator[str]:
    ratings = {way: rated_a(found, way) for way in _WAYS}
    if None in ratings.values():
        yield (
            "# FILL IN what this BMS may carry all day, A: see its data sheet. It does not say so itself,"
            " and a guess would be dangerous."
        )
    if not any(ratings.values()):
        yield "# rated_current_a ="
        return
    if None not in ratings.values():
        yield (
            "# Drawn from what the BMS is set to, and from half the capacity an hour. Check it against the"
            " data sheet, the cable and the fuse."
        )
    for way, amps in ratings.items():
        yield f"# rated_{way}_current_a =" if not amps else f"rated_{way}_current_a = {amps:g}"


def _line(key: str, value: float | None, what: str) -> str:
    return f"# {key} =   # FILL IN {what}" if value is None else f"{key} = {value:g}"


def _text(value: str) -> str:
    """A TOML string; JSON's escapes are among TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _who(found: Found) -> str:
    info = found.meeting.info
    parts = [found.way.entry.spec.maker]
    if info is not None:
        parts += [info.model] if info.model else []
        parts += [f"firmware {info.firmware}"] if info.firmware else []
        parts += [f"serial {info.serial}"] if info.serial else []
    return ", ".join("".join(char for char in part if char.isprintable()) for part in parts)


def _state(found: Found) -> str:
    sample = found.meeting.sample
    soc = "SoC unknown" if sample.soc is None else f"{100 * sample.soc:.0f} %"
    return f"{sample.voltage_v:.2f} V and {soc} when it was found"


HEADER = """\
# A configuration for packbridge, written after a look around.
#
# packbridge check config.toml      says what is missing or wrong, and what follows from it
# packbridge run config.toml        does it
#
# docs/configuration.md describes every key.
"""

BANK = """\
[bank]
# max_charge_current_a =     # what the common cable, fuse and bus bar may carry, A
# max_discharge_current_a =
"""

INVERTER = """\
# [inverters.house]
# profile = "deye-lv"        # one of: packbridge profiles list
# interface = "socketcan"
# channel = "can0"
"""


def configuration(tables: Iterable[Sequence[str]], *, inverter: str = INVERTER) -> str:
    """A whole file. tables: the lines of each pack; what else a person may say stands there as comments."""
    return "\n".join([HEADER, BANK, *("\n".join(lines) + "\n" for lines in tables), inverter])


def draft(found: Iterable[Found]) -> str:
    """A whole file of what was found, for a person to complete."""
    return configuration(pack_lines(one, f"pack{number}") for number, one in enumerate(found, start=1))
