"""From a port as it stands in the configuration to a link: the one place that knows every kind.

- serial: `/dev/ttyUSB0`, `socket://HOST:PORT`, `rfc2217://HOST:PORT`
- ble: `ble:AA:BB:CC:DD:EE:FF`, `ble:NAME`, either with `?adapter=hci1` behind it
- can: `can:can0`, `can:INTERFACE:CHANNEL`; SocketCAN unless another of python-can's is named
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from bridge.links.link import Link
from bridge.protocols.contract import Spec

if TYPE_CHECKING:
    from bridge.links.ble import Turn

CAN_FORM = '"can:can0", or "can:INTERFACE:CHANNEL" for another interface, as in "can:slcan:/dev/ttyACM0"'


def kind_of(port: str) -> str:
    """One of "serial", "ble", "can"."""
    scheme = port.partition(":")[0]
    return scheme if scheme in {"ble", "can"} else "serial"


def can_place(port: str) -> tuple[str, str]:
    """python-can's interface and channel of a `can:` port; raises ConfigError."""
    first, _, rest = port.removeprefix("can:").partition(":")
    interface, channel = (first, rest) if rest else ("socketcan", first)
    if not channel:
        raise ConfigError(f'found "{port}"; write {CAN_FORM}')
    return interface, channel


def wire_of(port: str) -> str:
    """The name of the wire that a port leads to: equal for the packs and inverters that share one."""
    return ":".join(can_place(port)) if kind_of(port) == "can" else port


class Opener:
    """Makes links. One for a process: Bluetooth links take turns to connect."""

    def __init__(self) -> None:
        self._turn: Turn | None = None

    def link(self, port: str, spec: Spec, baudrate: int | None = None) -> Link:
        """The link to a port for one protocol; nothing is opened yet.

        Raises ConfigError for a port that makes no sense, a protocol that does not run over it, or a
        missing library, with what to install.
        """
        kind = kind_of(port)
        if kind not in spec.links:
            over = " or ".join(spec.links)
            raise ConfigError(f"{port}: this protocol of {spec.maker} runs over {over}, not over {kind}")
        if kind == "can":
            from bridge.links.can import CanPort

            return CanPort(*can_place(port), spec.bitrate)
        if kind == "ble":
            return self._radio_link(port, spec)
        from bridge.links.serial import SerialLink

        return SerialLink(port, baudrate or spec.baudrate)

    def _radio_link(self, port: str, spec: Spec) -> Link:
        from bridge.links.ble import BleLink, Turn, parse

        assert spec.ble is not None, "a protocol over BLE says where"
        address = parse(port)
        self._turn = self._turn or Turn()
        return BleLink(address.device, spec.ble, address.adapter, turn=self._turn)
