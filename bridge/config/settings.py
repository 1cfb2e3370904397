"""What a valid configuration says, as frozen values: what the rest of packbridge works with.

Whoever holds a `Config` need not check it again. Every key and its default is described in
docs/configuration.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.config.lines import Source
from bridge.links.opening import wire_of
from bridge.model import BankSettings, ChargeSettings, PackSettings
from bridge.protocols.contract import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """level: "debug", "info", "warning" or "error". format: "console" for people, "json" for machines."""

    level: str = "info"
    format: str = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The program itself. name: what it calls itself to others. example: the file is one, with somebody
    else's ports and ratings, and must not be run as it is. state_dir: where it keeps what a restart must
    not lose; None for the system's place. control: the path of the control socket, "off" for none; None
    for the usual place.
    """

    name: str = "packbridge"
    example: bool = False
    state_dir: str | None = None
    control: str | None = None
    log: LogConfig = field(default_factory=LogConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessoryConfig:
    """What measures beside a pack's BMS, and how it is reached; the fields are those of `PackConfig`."""

    bms: str
    port: str
    options: Options = field(repr=False)

    @property
    def link(self) -> str:
        """The name of the wire it hangs on."""
        return wire_of(self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackConfig:
    """One pack and how it is reached.

    bms: the protocol's name. port: in one of the forms of `bridge.links.opening`; serial packs on one
    wire have it letter for letter the same. baudrate: of a serial port. options: what a protocol's
    session asks for; not shown, for a password may be among them.
    """

    settings: PackSettings
    bms: str
    port: str
    baudrate: int
    options: Options = field(repr=False)
    balancer: AccessoryConfig | None = None

    @property
    def name(self) -> str:
        """The pack's name in the configuration."""
        return self.settings.name

    @property
    def link(self) -> str:
        """The name of the wire it hangs on; the same as that of an inverter on the same bus."""
        return wire_of(self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inverter:
    """One inverter. profile: a known name, or the path of a file.

    share, priority, max_*_current_a: its part of the bank's currents, as in `bridge.battery.division`.
    """

    name: str
    profile: str
    share: float | None = None
    priority: int = 1
    max_charge_current_a: float | None = None
    max_discharge_current_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanInverter(_Inverter):
    """An inverter on CAN. interface, channel: python-can's."""

    interface: str
    channel: str

    @property
    def link(self) -> str:
        """The name of the bus it hangs on."""
        return f"{self.interface}:{self.channel}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rs485Inverter(_Inverter):
    """An inverter that asks over RS485. port: as of a pack. baudrate, address: instead of its profile's.
    driver_enable: who switches the adapter between hearing and speaking: "auto" for itself, or our RTS line,
    which speaks when "rts-high" or when "rts-low".
    """

    port: str
    baudrate: int | None = None
    address: int | None = None
    driver_enable: str = "auto"

    @property
    def link(self) -> str:
        """The name of the wire it hangs on."""
        return wire_of(self.port)


InverterConfig = CanInverter | Rs485Inverter


@dataclass(frozen=True, slots=True, kw_only=True)
class RedundancyConfig:
    """Another gateway feeds the same inverters. role: "active" or "standby", who begins. rank: who of
    two that send goes on. take_back: claim the cycle back from a lower rank.
    """

    role: str
    rank: int
    take_back: bool = False


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
    charge: ChargeSettings = field(default_factory=ChargeSettings)
    redundancy: RedundancyConfig | None = None
    warnings: tuple[str, ...] = ()
    source: Source = field(default=Source("configuration"), compare=False, repr=False)
