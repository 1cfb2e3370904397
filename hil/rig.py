"""The two ends of the bus that the CAN tests run on: vcan0 in the guest, or a bench of real adapters.

A bench is named by a file, `hil/rig.toml` unless `python -m hil --rig` says another; hil/rig.example.toml
shows it. The gateway gets one end, the independent programs get the other.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hil.guest import MARK

USUAL = Path(__file__).with_name("rig.toml")
VARIABLE = "PACKBRIDGE_RIG"
BITRATE = 500_000  # of the profile that the tests use
KEYS = {"interface": str, "channel": str, "bitrate": int}


class RigError(Exception):
    """A rig file that can't be used; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class End:
    """One adapter, in python-can's words."""

    interface: str
    channel: str
    bitrate: int = BITRATE

    @property
    def native(self) -> bool:
        """Whether it is an interface of the kernel, so that `ip` and can-utils can have it too."""
        return self.interface == "socketcan"


@dataclass(frozen=True, slots=True)
class Rig:
    """gateway: what packbridge opens. peer: what candump, cangen and canplayer do."""

    gateway: End
    peer: End

    @property
    def native(self) -> bool:
        return self.gateway.native and self.peer.native

    def inverter(self) -> str:
        """The inverter's table in a configuration."""
        end = self.gateway
        return (
            f'\n[inverters.house]\nprofile = "deye-lv"\n'
            f'interface = "{end.interface}"\nchannel = "{end.channel}"\n'
        )


VCAN = End("socketcan", "vcan0")
GUEST = Rig(VCAN, VCAN)


def load(path: Path) -> Rig:
    """The bench that a file names. Raises RigError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RigError(f"{path}: {error}") from error
    if tables.keys() != {"gateway", "peer"}:
        raise RigError(f"{path}: found {', '.join(tables) or 'nothing'}; write [gateway] and [peer]")
    return Rig(_end(path, "gateway", tables["gateway"]), _end(path, "peer", tables["peer"]))


def here() -> Rig | None:
    """The rig of this run; None where there is neither a bench nor the guest."""
    if (named := os.environ.get(VARIABLE)) is not None:
        return load(Path(named))
    return GUEST if MARK in os.environ else None


def _end(path: Path, name: str, table: object) -> End:
    if not isinstance(table, dict) or table.keys() != KEYS.keys():
        raise RigError(f"{path}: {name}: write exactly {', '.join(KEYS)}")
    for key, kind in KEYS.items():
        if type(table[key]) is not kind:
            raise RigError(f"{path}: {name}.{key}: found {table[key]!r}; allowed: {kind.__name__}")
    if table["bitrate"] != BITRATE:
        raise RigError(f"{path}: {name}.bitrate: found {table['bitrate']}; the tests need {BITRATE}")
    return End(**table)
