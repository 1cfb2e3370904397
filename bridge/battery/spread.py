"""Whether the cells of one pack have drifted apart, judged only where a voltage says something.

In the flat middle all cells look alike, and under load they differ by their resistances. So a spread
counts at rest above the lower knee, and above the upper knee, where the runner shows. In between, and
while the load hides it, the last verdict stands.
"""

from __future__ import annotations

from typing import Final

from bridge.battery.chemistry import preset
from bridge.battery.facts import Facts
from bridge.model import Alarm, AlarmCause, PackSettings, Severity

# Less than this for so long is rest.
REST_C_RATE: Final = 0.02
REST_S: Final = 60.0
RELEASE: Final = 0.75  # of the threshold: apart no more


class Spread:
    """One pack's verdict. Feed it every trusted sample; `cause` is the warning, or None."""

    def __init__(self, settings: PackSettings) -> None:
        self.cause: AlarmCause | None = None
        self._settings = settings
        self._preset = preset(settings)
        self._rest_a = REST_C_RATE * settings.capacity_ah
        self._busy_s: float | None = None  # when more than that flowed last

    def heard(self, facts: Facts) -> None:
        """A trusted sample, digested."""
        high_v, low_v = facts.cell_max_v, facts.cell_min_v
        if not self._telling(facts) or high_v is None or low_v is None:
            return
        threshold_v = self._preset.spread_again_v
        if high_v - low_v >= threshold_v:
            text = (
                f"{self._settings.name}: cells {facts.cell_max_index} and {facts.cell_min_index} differ by "
                f"{1000 * (high_v - low_v):.0f} mV"
            )
            self.cause = AlarmCause(
                alarm=Alarm.CELL_IMBALANCE,
                severity=Severity.WARNING,
                text=text,
                pack=self._settings.name,
            )
        elif high_v - low_v < RELEASE * threshold_v:
            self.cause = None

    def _telling(self, facts: Facts) -> bool:
        """Whether the spread in this sample is one of charge."""
        current_a, time_s = facts.sample.current_a, facts.sample.time_s
        if current_a is None or abs(current_a) > self._rest_a or self._busy_s is None:
            self._busy_s = time_s
        if not facts.cells_readable or facts.cell_max_v is None or facts.cell_min_v is None:
            return False
        rested = time_s - self._busy_s >= REST_S and facts.cell_min_v >= self._preset.flat_v[0]
        topped = facts.cell_max_v >= self._preset.full_rest_v and current_a is not None and current_a >= 0
        return rested or topped
