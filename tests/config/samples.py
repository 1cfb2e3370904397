"""A configuration that is right, and ways to spoil it."""

from __future__ import annotations

from bridge.config import parse
from bridge.errors import ConfigError

GOOD = """\
[gateway]
name = "cellar"

[bank]
max_charge_current_a = 180

[pack]
cells = 16
bms = "jbd"

[packs.garage]
port = "/dev/ttyUSB0"
capacity_ah = 280
rated_current_a = 140

[packs.attic]
port = "/dev/ttyUSB1"
capacity_ah = 100
rated_charge_current_a = 50
rated_discharge_current_a = 100

[inverters.house]
profile = "deye-lv"
interface = "socketcan"
channel = "can0"
"""


def spoilt(old: str, new: str) -> str:
    """GOOD with one thing changed, which must be in it exactly once."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def complaints(text: str) -> list[str]:
    """What parsing says against a text; nothing if it takes it."""
    try:
        parse(text, "c.toml")
    except ConfigError as error:
        return list(error.problems)
    return []


def one(bms: str, port: str, more: str = "", *, name: str = "garage") -> str:
    """A file with a single pack; what is more stands from line 7 on."""
    return (
        f'[packs.{name}]\nbms = "{bms}"\nport = "{port}"\n'
        f"cells = 16\ncapacity_ah = 280\nrated_current_a = 140\n{more}\n"
    )
