"""How long to wait before the next attempt. Pure; the jitter keeps many links from retrying as one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Doubles from first_s to longest_s; each wait is shortened by up to a quarter at random."""

    first_s: float = 0.5
    longest_s: float = 15.0
    random: random.Random = field(default_factory=random.Random)
    _attempts: int = 0

    def next_s(self) -> float:
        """The wait before the next attempt, s."""
        wait_s = min(self.longest_s, self.first_s * 2.0 ** min(self._attempts, 16))
        self._attempts += 1
        return wait_s * (1.0 - 0.25 * self.random.random())

    def reset(self) -> None:
        """The last attempt held: start again from the shortest wait."""
        self._attempts = 0
