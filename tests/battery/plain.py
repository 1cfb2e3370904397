"""Whether the battery's code runs as plain Python here, or compiled, as from a wheel."""

from __future__ import annotations

import pytest

from bridge.battery import aggregator

COMPILED = not str(aggregator.__file__).endswith(".py")

needs_plain = pytest.mark.skipif(COMPILED, reason="what is compiled can be neither copied nor derived from")
