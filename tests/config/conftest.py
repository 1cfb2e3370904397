"""A protocol that several packs can speak on one wire, as a file in a folder of protocols."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge.protocols as folder

PARTY = """
from bridge.errors import ConfigError
from bridge.protocols.contract import Spec

SPEC = Spec(
    maker="nobody", links=("serial",), baudrate=19200, shared=True, address=1, addresses=range(1, 16),
    options={"listen": "true or false", "pace": "1 or 2"},
)
Decoder = Device = object


class Session:
    def __init__(self, options):
        if options.extra.get("pace", 1) not in {1, 2}:
            raise ConfigError(f"pace = {options.extra['pace']!r}: must be 1 or 2")
"""
RADIO = PARTY.replace('("serial",)', '("ble", "can")').replace("addresses=range(1, 16)", "addresses=None")


@pytest.fixture
def more_protocols(tmp_path: Path) -> Iterator[None]:
    """`party`, which shares a wire, and `radio`, which has none, and no addresses either."""
    (tmp_path / "party.py").write_text(PARTY)
    (tmp_path / "radio.py").write_text(RADIO)
    folder.__path__.append(str(tmp_path))
    yield
    folder.__path__.remove(str(tmp_path))
    for name in ("party", "radio"):
        sys.modules.pop(f"bridge.protocols.{name}", None)
