"""One JK pack as a session knows it: its settings and name beside what it says every second.

The one idea: a status frame alone cannot give permission, because the user's switches stand in the
settings. Until those were read, nothing is allowed; after that a direction is allowed if its MOSFET
conducts, no alarm forbids it and its switch is on. A pack without cells gives no values at all.

Rules: syssi/esphome-jk-bms issue #852 (a board without cells) and the captures in its docs, in which one
MOSFET is off with no alarm, the switch being off.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.model import Alarm, PackInfo, Ratings, Reading
from bridge.protocols._jk_fields import SENSORS_DISABLED
from bridge.protocols.contract import Message, Raw

STATUS, SETTINGS, INFO = "status", "settings", "device_info"


class Pack:
    """What was heard of one pack. asks_voltage: its charge voltage request is meant for an inverter."""

    def __init__(self, *, asks_voltage: bool = False) -> None:
        self._asks_voltage = asks_voltage
        self._settings: Message | None = None
        self._about: Message | None = None

    @property
    def has_settings(self) -> bool:
        """Whether the settings were heard."""
        return self._settings is not None

    def note(self, message: Message) -> None:
        """Keeps settings and device information; everything else is left alone."""
        if message.name == SETTINGS:
            self._settings = message
        elif message.name == INFO:
            self._about = message
            self._asks_voltage = self._asks_voltage or "PB" in str(message.raw.get("model", ""))

    def reading(self, status: Message) -> Reading:
        """A status message as a reading, with what the settings forbid and add."""
        reading = status.reading.copy()
        if not reading.get("cell_voltages_v"):
            reading["voltage_v"] = reading["soc_pct"] = reading["soh_pct"] = None
        if "charge_fet_on" not in reading:
            return reading  # a balancer
        settings = {} if self._settings is None else self._settings.raw
        reading["charge_allowed"] = _both(reading.get("charge_allowed"), settings.get("charge_enabled"))
        reading["discharge_allowed"] = _both(
            reading.get("discharge_allowed"), settings.get("discharge_enabled")
        )
        if self._settings is not None:
            self._add_settings(reading, self._settings)
        return reading

    def _add_settings(self, reading: Reading, settings: Message) -> None:
        warnings = set(reading.get("warnings", ()))
        if settings.raw.get("charge_enabled") is False or settings.raw.get("discharge_enabled") is False:
            warnings.add(Alarm.FET_LOCKED)
        control_bits = settings.raw.get("control_bits")
        if isinstance(control_bits, int) and control_bits & SENSORS_DISABLED:
            warnings.add(Alarm.TEMPERATURE_SENSOR_FAULT)
        reading["warnings"] = frozenset(warnings)
        if design_ah := settings.reading.get("design_ah"):
            reading["design_ah"] = design_ah
        limit_v = self._requested_v(settings, len(reading.get("cell_voltages_v", ())))
        if limit_v is not None:
            reading["charge_voltage_limit_v"] = limit_v

    def _requested_v(self, settings: Message, cells: int) -> float | None:
        cell_v, uvp_v, ovp_v = (
            _number(settings.raw.get(name)) for name in ("request_charge_v", "cell_uvp_v", "cell_ovp_v")
        )
        if not self._asks_voltage or not cells or cell_v is None or uvp_v is None or ovp_v is None:
            return None
        return cells * round(cell_v * 1000) / 1000 if uvp_v < cell_v < ovp_v else None

    def info(self) -> PackInfo | None:
        """Name and limits, as far as they were heard; None if neither was."""
        if self._settings is None and self._about is None:
            return None
        about = {} if self._about is None else self._about.raw
        limits = {} if self._settings is None else self._settings.raw
        return PackInfo(
            model=_text(about.get("model")),
            firmware=_text(about.get("sw_version")),
            serial=_text(about.get("serial_number")),
            cell_count=None if self._settings is None else self._settings.reading.get("cell_count"),
            ratings=ratings(limits),
        )


def ratings(limits: Mapping[str, Raw]) -> Ratings:
    """The limits among a settings message's raw values, in the names of `Ratings`."""
    return Ratings(
        cell_ovp_v=_number(limits.get("cell_ovp_v")),
        cell_uvp_v=_number(limits.get("cell_uvp_v")),
        pack_ovp_v=_number(limits.get("pack_ovp_v")),
        pack_uvp_v=_number(limits.get("pack_uvp_v")),
        charge_ocp_a=_number(limits.get("max_charge_a")),
        discharge_ocp_a=_number(limits.get("max_discharge_a")),
        charge_otp_c=_number(limits.get("charge_otp_c")),
        charge_utp_c=_number(limits.get("charge_utp_c")),
        discharge_otp_c=_number(limits.get("discharge_otp_c")),
        discharge_utp_c=_number(limits.get("discharge_utp_c")),
    )


def _both(allowed: object, switch: Raw) -> bool | None:
    """Allowed and switched on; None where the one would allow and the other is not known."""
    if allowed is False or switch is False:
        return False
    return True if allowed is True and switch is True else None


def _number(value: Raw) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: Raw) -> str | None:
    return value if isinstance(value, str) else None
