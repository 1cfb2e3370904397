"""The configuration: one TOML file, checked once and completely before anything is opened.

The way of a file: `file` reads it; `schema` says what keys there are and `sentences` what is wrong
with a single one; `draft` holds what could be read, for the `checks` of what must hold between
values; what comes out are the frozen `settings`. `preflight` looks at this machine's ports, `summary`
says what follows from it all.
"""

from __future__ import annotations

from bridge.config.file import load, parse
from bridge.config.lines import Source
from bridge.config.preflight import preflight, require_inverter
from bridge.config.settings import (
    AccessoryConfig,
    CanInverter,
    Config,
    GatewayConfig,
    InverterConfig,
    LogConfig,
    PackConfig,
    RedundancyConfig,
    Rs485Inverter,
)

__all__ = [
    "AccessoryConfig",
    "CanInverter",
    "Config",
    "GatewayConfig",
    "InverterConfig",
    "LogConfig",
    "PackConfig",
    "RedundancyConfig",
    "Rs485Inverter",
    "Source",
    "load",
    "parse",
    "preflight",
    "require_inverter",
]
