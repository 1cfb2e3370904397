"""How much hypothesis tries: `HYPOTHESIS_PROFILE=ci` for a machine with little time.

There it tries the same examples each time, so that a change is judged by what it changed; whoever runs
`./test` by hand tries new ones.
"""

from __future__ import annotations

import os

from hypothesis import Phase, settings

# Without the phase that explains a failure: it traces, which takes longer than a test may.
PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)

settings.register_profile("default", deadline=None, phases=PHASES)
settings.register_profile(
    "ci", deadline=None, max_examples=50, phases=PHASES, print_blob=True, derandomize=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
