"""How much hypothesis tries: `HYPOTHESIS_PROFILE=ci` for a machine with little time.

There it tries the same examples each time, so that a change is judged by what it changed; whoever runs
`./test` by hand tries new ones.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from pathlib import Path

import pytest
from hypothesis import Phase, settings

import bridge

# Without the phase that explains a failure: it traces, which takes longer than a test may.
PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)

settings.register_profile("default", deadline=None, phases=PHASES)
settings.register_profile(
    "ci", deadline=None, max_examples=50, phases=PHASES, print_blob=True, derandomize=True
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
settings.load_profile(PROFILE)
if PROFILE == "ci":
    # Hypothesis also draws constants that it finds in the modules loaded so far: load all of ours, or the
    # examples depend on which tests ran before, in random order.
    for module in pkgutil.walk_packages(bridge.__path__, "bridge."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

TESTS = Path(__file__).parent
USE_PORTS = (
    "cli", "control", "links", "peers", "protocols/test_daly_a5_independent.py",
    "protocols/test_jk_modbus.py", "protocols/test_jk_peers.py", "sim/test_device.py", "sim/test_run.py",
    "test_demo.py", "test_run.py", "test_run_rs485.py", "test_scanning.py", "test_shadow.py",
)  # fmt: skip
"""Tests with real pseudo-terminals, whose names are used again as soon as one is closed: what still tries
to open a dead one must not meet another test's. They run in one process, one after the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(TESTS).as_posix().startswith(USE_PORTS):
            item.add_marker(pytest.mark.xdist_group("ports"))
