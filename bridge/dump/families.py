"""Within a dialect: which inverter profile a stream fits, which battery made it, which inverter answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.dump import columns
from bridge.dump.block import key_of
from bridge.dump.survey import Survey, of_keys
from bridge.dump.tongues import Tongue
from bridge.profiles import Profile
from bridge.sinks.layout import FRAME_BYTES, TEXTS

ORDER, EXTRA, NAME, OTHER_NAME, ANSWER, CONSTANT, PERIOD = 2.0, -0.5, 2.0, -0.5, 0.5, 0.5, 0.5
NEAR = 0.25  # of its period


@dataclass(frozen=True, slots=True)
class Family:
    """A profile and how well it fits. like: it can't be told from the first one of the list."""

    profile: Profile
    points: float
    like: bool

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {"profile": self.profile.name, "family": self.profile.family, "like_the_first": self.like}


def families(tongue: Tongue, found: Survey) -> list[Family]:
    """The profiles of a dialect, the likeliest first."""
    points = {one.name: sum(_points(one, tongue, found)) for one in tongue.profiles}
    best = max(points.values(), default=0.0)
    ranked = sorted(tongue.profiles, key=lambda one: (-points[one.name], one.evidence != "field", one.name))
    return [Family(one, points[one.name], points[one.name] > best - 0.1) for one in ranked]


def _points(profile: Profile, tongue: Tongue, found: Survey) -> Iterator[float]:
    battery = of_keys(found, tongue.battery)
    sent = {tongue.battery[key].can_id - tongue.offset for key in battery}
    must = set(profile.sent_ids) - set(profile.optional)
    yield ORDER * len(sent & must) / max(1, len(must))
    yield EXTRA * len(sent - set(profile.sent_ids))
    for key, seen in battery.items():
        for signal in tongue.battery[key].signals:
            wanted = profile.constants.get(signal.name)
            if isinstance(wanted, str) and wanted.strip() and signal.kind in TEXTS:
                same = columns.text(signal, seen.data[-1]).strip("\0 ") == wanted.strip()
                yield NAME if same else OTHER_NAME
            elif isinstance(wanted, int):
                yield CONSTANT if int(columns.raw(signal, seen.data)[-1]) == wanted else 0.0
        if seen.period_s is not None and tongue.battery[key].can_id - tongue.offset in profile.order:
            near = abs(seen.period_s - profile.period_s) <= NEAR * profile.period_s
            yield PERIOD / max(1, len(profile.order)) if near else 0.0
    for answer in (*profile.answers, *profile.polls):
        key = key_of(answer.id, extended=answer.extended)
        if key in found.seen:
            yield ANSWER / max(1, len((*profile.answers, *profile.polls)))
    if battery and profile.pad_to == FRAME_BYTES:
        short = any(min(one.lengths) < tongue.battery[key].length for key, one in battery.items())
        yield -CONSTANT if short else 0.0


# What a battery calls itself, in any text of the dialect: beginning of the name, what that is, source.
NAMES: tuple[tuple[str, str], ...] = (
    ("PYLONTEC", "Pylontech high voltage, or one that says so"),
    ("PYLON", "Pylontech, or one that says so"),
    ("BYD", "BYD Battery-Box, or one that says so"),
    ("PYTES", "Pytes"),
    ("REC-BMS", "REC BMS"),
    ("DISCOVER", "Discover"),
    ("DY", "Deye"),
    ("SMA", "a battery for SMA, or one that says so"),
    ("GOODWE", "a battery for GoodWe, or one that says so"),
    ("PACKBRDG", "packbridge"),
    ("SEBMS", "a battery for Schneider"),
)
GENUINE = "short frames, as genuine racks send, and few emulators"
PADDED = "frames padded to 8 bytes: a compatible battery or an emulator"


def batteries(tongue: Tongue, found: Survey) -> Iterator[str]:
    """What names and lengths say of the battery."""
    for key, seen in of_keys(found, tongue.battery).items():
        for signal in tongue.battery[key].signals:
            if signal.kind in TEXTS and ("name" in signal.name or signal.name in {"brand", "maker_text_1"}):
                text = columns.text(signal, seen.data[-1]).strip("\0 ")
                known = next((what for begin, what in NAMES if text.upper().startswith(begin)), None)
                if text:
                    yield f"calls itself {text!r}" + (f": {known}" if known else "")
    if tongue.name == "pylontech-lv":
        sizes = {size for key in of_keys(found, tongue.battery) for size in found.seen[key].lengths}
        yield PADDED if sizes == {FRAME_BYTES} else GENUINE


# What an inverter sends: key, its first bytes, what that says. Sources: the profiles' and dialects'.
ANSWERS: Mapping[int, tuple[tuple[bytes, str], ...]] = {
    key_of(0x307, extended=False): (
        (bytes.fromhex("1234567856494300"), "Victron GX (307 with VIC)"),
        (b"", "SMA Sunny Island (307 with relays)"),
    ),
    key_of(0x306, extended=False): ((b"", "SMA Sunny Island or Victron GX (306)"),),
    key_of(0x305, extended=False): ((bytes(8), "an inverter that answers with 305"),),
    key_of(0x305, extended=True): ((b"", "Schneider XW (305 with 29 bits)"),),
    key_of(0x301, extended=False): ((b"", "Growatt low voltage, own protocol (polls with 301)"),),
    key_of(0x300, extended=False): ((b"", "LuxPower or EG4 (300)"),),
    key_of(0x151, extended=False): ((b"", "an inverter for BYD high voltage (151)"),),
    key_of(0x310, extended=True): ((b"", "Schneider in its own dialect (310)"),),
    key_of(0x425, extended=False): ((b"", "GoodWe in its own dialect (425)"),),
    key_of(0x1871, extended=True): ((b"", "SolaX or FoxESS (polls with 1871)"),),
    key_of(0x3010, extended=True): ((b"", "Growatt high voltage (3010)"),),
    key_of(0x4200, extended=True): ((b"", "an inverter for Pylontech high voltage (polls with 4200)"),),
}


def inverters(found: Survey) -> Iterator[str]:
    """What the other side of the bus seems to be."""
    for key, marks in ANSWERS.items():
        if key in found.seen:
            data = found.seen[key].data[-1].tobytes()
            yield from (what for begin, what in marks[:1] if data.startswith(begin))
            yield from (what for begin, what in marks[1:] if not data.startswith(marks[0][0]))
