"""What all Daly dialects share besides faults: the current's sign, permissions, thresholds, BLE.

One idea: a dialect only says where a value stands; what Daly's values mean, and which of them are
fillers of boards that do not use them, is decided here, over names that all dialects have in common
(`charge_limit_l1_a`).

Sources: Daly UART/485 communications protocol V1.2 (maland16/daly-bms-uart docs), captures in
syssi/esphome-daly-bms docs/pdus, mr-manuel/venus-os_dbus-serialbattery issues.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.errors import ConfigError
from bridge.model import Alarm, Ratings, Reading
from bridge.protocols._daly_faults import Verdict
from bridge.protocols.contract import Ble, Message, NoReply, Options, Raw, Request, Script

CURRENT_ZERO = 30000  # raw current of 0 A, 0.1 A a step
CELL_MAX_MV = 5000  # an open sense wire reads this, and nothing reads more
CELLS_MAX = 48
SOC_MAX_RAW = 1000
RAW_TEMPERATURE_ZERO = 40
CHARGING, DISCHARGING = 1, 2  # the state field; 0 is idle

BLE = Ble(
    pairs=(("fff0", "fff1", "fff2"), ("ff00", "ff01", "ff02")),  # the second: newer modules, fl4p/batmon-ha
    names=("DL-*", "JHB-*"),
    reply_timeout_s=1.0,  # modules take 190 to 500 ms
)
SIGN_OPTIONS: Mapping[str, str] = {
    "current_sign": '1 or -1: what the board sends above zero is charging or discharging; "auto" finds out',
    "invert_current": "true for a board that has state and sign of the current the wrong way round",
}
BLE_OPTIONS: Mapping[str, str] = {"mac": "of the radio module, behind which answers take longer"}
SLEEPS_AFTER_S = 600.0  # boards sleep after an hour or more; asking thrice too early costs nothing

_SIGN_MIN_RAW = 10  # 1 A: below it the state field is not a witness
_SIGN_VOTES = 3
_SIGN_VOTES_TO_TURN = 30


class CurrentSign:
    """Which way a board counts: +1 if raw values above zero mean charging, -1 if discharging.

    Firmware families differ, and the state field (charging, discharging) tells which it is. What the
    last sample of 1 A or more shows is believed until three in a row agree; from then on the sign
    stands, because the state may lag behind the current. family: before any sample. fixed: given by
    the user, never doubted. inverted: a board that has state and sign the wrong way round.
    """

    def __init__(self, family: int, *, fixed: int | None = None, inverted: bool = False) -> None:
        self._family = -family if inverted else family
        self._latched = fixed
        self._fixed = fixed is not None
        self.inverted = inverted
        self._seen = 0
        self._votes = 0

    def current_a(self, current_raw: int) -> float:
        """The current, charging positive."""
        return (self._latched or self._seen or self._family) * (current_raw - CURRENT_ZERO) / 10

    def witness(self, current_raw: int, state: int) -> None:
        """Current and state of the same moment."""
        steps = current_raw - CURRENT_ZERO
        if self._fixed or abs(steps) < _SIGN_MIN_RAW or state not in {CHARGING, DISCHARGING}:
            return
        seen = 1 if (steps > 0) == (state == CHARGING) else -1
        if self.inverted:
            seen = -seen
        self._votes = self._votes + 1 if seen == self._seen else 1
        self._seen = seen
        if self._votes >= (_SIGN_VOTES if self._latched is None else _SIGN_VOTES_TO_TURN):
            self._latched = seen


def sign_from(options: Options, family: int) -> CurrentSign:
    """The sign of one pack as configured: `current_sign` ("auto", 1 or -1) and `invert_current`.

    Raises ConfigError for anything else.
    """
    known: dict[str, int | None] = {"auto": None, "1": 1, "+1": 1, "-1": -1}
    text = str(options.extra.get("current_sign", "auto"))
    inverted = options.extra.get("invert_current", False)
    if text not in known or not isinstance(inverted, bool):
        raise ConfigError(
            f'current_sign = {text!r}, invert_current = {inverted!r}: current_sign is "auto", 1 (raw values '
            "above zero mean charging) or -1, and invert_current is true or false"
        )
    return CurrentSign(family, fixed=known[text], inverted=inverted)


class Pulse:
    """Watches a board's heartbeat: one that moved before and then stands still repeats old answers."""

    STUCK_POLLS = 20  # it moves at least once a second; packs are polled at most about twice a second

    def __init__(self) -> None:
        self._last: Raw = None
        self._moved = False
        self._same = 0

    def check(self, heartbeat: Raw) -> None:
        """Raises NoReply if the board is stuck."""
        if heartbeat != self._last:
            self._moved = self._moved or self._last is not None
            self._last, self._same = heartbeat, 0
            return
        self._same += 1
        if self._moved and self._same >= self.STUCK_POLLS:
            raise NoReply(f"the heartbeat has stood at {heartbeat} for {self._same} polls: old answers")


# Values


def temperature_c(raw: int) -> int | None:
    """A probe, degC; None for the fillers of probes that are not there (0, 0xFF, 0xFFFF)."""
    return raw - RAW_TEMPERATURE_ZERO if 0 < raw < 0xFF else None


def cell_v(raw_mv: int) -> float | None:
    """A cell, V; None where the wire reads 0 mV."""
    return raw_mv / 1000 if raw_mv else None


def switch(raw: int) -> bool | None:
    """A switch; None for anything but 0 and 1."""
    return bool(raw) if raw in {0, 1} else None


def text(data: bytes) -> str:
    """The printable ASCII in a text field; firmware pads with NUL, blanks or 0xFF."""
    return bytes(byte for byte in data if 0x20 <= byte < 0x7F).decode("ascii").strip()


def date(year: int, month: int, day: int) -> str | None:
    """A date as ISO 8601 text; None if there is none. year: since 2000."""
    return f"{2000 + year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else None


# Permissions


def permit(reading: Reading, verdict: Verdict, *, charge: Raw = None, discharge: Raw = None) -> None:
    """Adds the permissions: switch on, no blocking fault, and not switched off by command.

    charge, discharge: the commanded switches, None where they cannot be read; they only forbid.
    """
    for_charge, for_discharge = reading.get("charge_fet_on"), reading.get("discharge_fet_on")
    if for_charge is not None:
        reading["charge_allowed"] = for_charge and not verdict.stops_charge and charge is not False
    if for_discharge is not None:
        reading["discharge_allowed"] = (
            for_discharge and not verdict.stops_discharge and discharge is not False
        )


_OPPOSITE_ALARM = {
    Alarm.CHARGE_OVERCURRENT: Alarm.DISCHARGE_OVERCURRENT,
    Alarm.DISCHARGE_OVERCURRENT: Alarm.CHARGE_OVERCURRENT,
}


def uninverted(verdict: Verdict) -> Verdict:
    """The verdict of a board that has the directions of the current the wrong way round.

    What blocked one direction for an over-current now blocks both: which other fault blocked it
    too is not known any more.
    """
    concerned = verdict.protections & _OPPOSITE_ALARM.keys()
    return Verdict(
        frozenset(_OPPOSITE_ALARM.get(alarm, alarm) for alarm in verdict.protections),
        frozenset(_OPPOSITE_ALARM.get(alarm, alarm) for alarm in verdict.warnings),
        verdict.stops_charge or bool(concerned),
        verdict.stops_discharge or bool(concerned),
    )


# Thresholds


def is_monitor(settings: Mapping[str, Raw]) -> bool:
    """Whether these are the settings of an active balancer: no current limits, so no switches either.

    Source: capture of E303-032DG-SMB, syssi/esphome-daly-bms docs/pdus/btsnoop_daly_balancer.log.
    """
    limits = [
        settings.get(f"{way}_limit_{level}_raw") for way in ("charge", "discharge") for level in ("l1", "l2")
    ]
    return all(raw == CURRENT_ZERO for raw in limits)


def ratings(settings: Mapping[str, Raw]) -> Ratings:
    """What a board's thresholds allow: the pre-alarm level, because the next one opens the switches.

    Fillers of unused thresholds give None. Where only the second current level can be used, 0.8 of it.
    """
    return Ratings(
        cell_ovp_v=_within(settings.get("cell_high_l1_v"), 2.0, 5.0),
        cell_uvp_v=_within(settings.get("cell_low_l1_v"), 1.0, 4.0),
        pack_ovp_v=_within(settings.get("pack_high_l1_v"), 6.0, 200.0),
        pack_uvp_v=_within(settings.get("pack_low_l1_v"), 4.0, 200.0),
        charge_ocp_a=_current_limit_a(settings, "charge"),
        discharge_ocp_a=_current_limit_a(settings, "discharge"),
        charge_otp_c=_within(settings.get("charge_temp_high_l1_c"), 20.0, 100.0),
        charge_utp_c=_within(settings.get("charge_temp_low_l1_c"), -39.0, 30.0),
        discharge_otp_c=_within(settings.get("discharge_temp_high_l1_c"), 20.0, 100.0),
        discharge_utp_c=_within(settings.get("discharge_temp_low_l1_c"), -39.0, 30.0),
    )


def _within(value: Raw, low: float, high: float) -> float | None:
    return value if isinstance(value, int | float) and low <= value <= high else None


def _current_limit_a(settings: Mapping[str, Raw], way: str) -> float | None:
    first = _within(settings.get(f"{way}_limit_l1_a"), 1.0, 1000.0)
    second = _within(settings.get(f"{way}_limit_l2_a"), 1.0, 1000.0)
    if first is not None and (second is None or first <= second):
        return first
    return None if second is None else 0.8 * second


# Scripts


def optional(request: Request) -> Script[Message | None]:
    """Asks for something that a poll can do without."""
    try:
        return (yield request)
    except NoReply:
        return None
