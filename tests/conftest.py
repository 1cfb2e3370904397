"""How much hypothesis tries: `HYPOTHESIS_PROFILE=ci` for a machine with little time.

There it tries the same examples each time, so that a change is judged by what it changed; whoever runs
`./test` by hand tries new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, max_examples=50, print_blob=True, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
