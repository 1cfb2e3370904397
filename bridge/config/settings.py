"""What a valid configuration says, as frozen values: what the rest of packbridge works with.

Whoever holds a `Config` need not check it again. Every key and its default is described in
docs/configuration.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.config.lines import Source
from bridge.model import BankSettings, PackSettings
from bridge.protocols.contract import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """level: "debug", "info", "warning" or "error". format: "console" for people, "json" for machines."""

    level: str = "info"
    format: str = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The program itself. name: what it calls itself to others."""

    name: str = "packbridge"
    log: LogConfig = field(default_factory=LogConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackConfig:
    """One pack and how it is reached.

    bms: the protocol's name. port: a device path, `socket://host:port` or `rfc2217://host:port`; packs
    on one wire have it letter for letter the same. options: what a protocol's session asks for.
    """

    settings: PackSettings
    bms: str
    port: str
    baudrate: int
    options: Options

    @property
    def name(self) -> str:
        """The pack's name in the configuration."""
        return self.settings.name

    @property
    def link(self) -> str:
        """The name of the wire it hangs on."""
        return self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterConfig:
    """One inverter. profile: a known name, or the path of a file. interface, channel: python-can's."""

    name: str
    profile: str
    interface: str
    channel: str

    @property
    def link(self) -> str:
        """The name of the bus it hangs on."""
        return f"{self.interface}:{self.channel}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration without contradictions.

    warnings: what is allowed but probably not meant, each with its place. source: where each key
    stands in the file, for complaints that come up later.
    """

    gateway: GatewayConfig
    bank: BankSettings
    packs: tuple[PackConfig, ...]
    inverters: tuple[InverterConfig, ...]
    warnings: tuple[str, ...] = ()
    source: Source = field(default=Source("configuration"), compare=False, repr=False)
