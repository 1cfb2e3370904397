"""What a Bluetooth link needs of an adapter, and bleak as the one that gives it.

The only importer of bleak, and of dbus-fast, which bleak brings along on Linux. Links know the small
protocols here, so that they can be tried without a radio.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bleak.args.bluez import BlueZClientArgs, BlueZScannerArgs
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData
    from dbus_fast.aio import MessageBus

CONNECT_TIMEOUT_S = 20.0
DEVICE = "org.bluez.Device1"


class Characteristic(Protocol):
    """A value of a device that can be written or that notifies."""

    @property
    def handle(self) -> int:
        """Its number within the device."""

    @property
    def uuid(self) -> str:
        """What it is; not always unique."""

    @property
    def properties(self) -> Sequence[str]:
        """What it can do: "notify", "write", "write-without-response", ..."""

    @property
    def max_write_without_response_size(self) -> int:
        """How many bytes fit one packet: the ATT MTU less 3; it may grow soon after connecting."""


class Service(Protocol):
    """A group of characteristics."""

    @property
    def uuid(self) -> str:
        """What it is."""

    @property
    def characteristics(self) -> Sequence[Characteristic]:
        """Its values."""


class Peripheral(Protocol):
    """A device that was heard."""

    @property
    def address(self) -> str:
        """Its Bluetooth address; on macOS a UUID that only this computer knows."""


class Client(Protocol):
    """A connection to one device."""

    @property
    def services(self) -> Iterable[Service]:
        """What it offers, once it is connected."""

    async def connect(self) -> None:
        """Connect and read the list of services."""

    async def disconnect(self) -> None:
        """End the connection, if there is one."""

    async def start_notify(self, handle: int, heard: Callable[[object, bytearray], None], /) -> None:
        """Have `heard` called with what the characteristic notifies."""

    async def write_gatt_char(self, handle: int, data: bytes, /, *, response: bool) -> None:
        """Write one packet; with a response, wait for it."""


class Radio(Protocol):
    """One adapter. failures: what may be raised when it, its daemon or a device fails."""

    failures: tuple[type[Exception], ...]

    async def release(self, device: str, ours: Collection[str], *, forget: bool) -> None:
        """Drop a connection to this device (address or name) that nobody ended; forget it altogether.

        ours: addresses of connections that are in use, whatever the device's name.
        """

    def scanner(self, heard: Callable[[Peripheral, str | None], None]) -> AbstractAsyncContextManager[object]:
        """While it is entered, `heard` is called with devices and their names."""

    def client(self, peripheral: Peripheral, lost: Callable[[], None]) -> Client:
        """A client for a device that was heard; `lost` is called when its connection ends."""


class Bleak:
    """bleak on one adapter, or on the system's own choice (None)."""

    def __init__(self, adapter: str | None) -> None:
        try:
            import bleak
            from bleak.exc import BleakError
        except ImportError as error:
            raise ConfigError('Bluetooth needs bleak: pip install "packbridge[ble]"') from error
        self._library = bleak
        self._adapter = adapter
        self.failures: tuple[type[Exception], ...] = (BleakError, OSError, EOFError)
        if sys.platform == "linux":
            from dbus_fast import AuthError, DBusError, InvalidAddressError

            self.failures += (DBusError, AuthError, InvalidAddressError)

    async def release(self, device: str, ours: Collection[str], *, forget: bool) -> None:
        """Disconnect a device that BlueZ holds connected for a process that was killed.

        Such a device does not advertise, so no scan would ever find it, and bleak only knows of its
        own connections. Forgotten is also its list of services, unless somebody paired it.
        """
        if sys.platform != "linux":
            return
        async with _system_bus() as bus:
            for path, known in (await _devices(bus)).items():
                if device not in {known.get("Address"), known.get("Name")} or known["Address"] in ours:
                    continue
                if self._adapter is not None and known["Adapter"] != f"/org/bluez/{self._adapter}":
                    continue
                if forget and not known["Paired"]:
                    await _call(bus, str(known["Adapter"]), "org.bluez.Adapter1", "RemoveDevice", path)
                elif known["Connected"]:
                    await _call(bus, path, DEVICE, "Disconnect")

    def scanner(self, heard: Callable[[Peripheral, str | None], None]) -> AbstractAsyncContextManager[object]:
        """An active scan: the name often comes in the scan response only."""

        def take(device: BLEDevice, advertisement: AdvertisementData) -> None:
            heard(device, advertisement.local_name or device.name)

        where: BlueZScannerArgs = {} if self._adapter is None else {"adapter": self._adapter}
        return self._library.BleakScanner(take, bluez=where)

    def client(self, peripheral: Peripheral, lost: Callable[[], None]) -> Client:
        """A client that is not connected yet."""
        where: BlueZClientArgs = {} if self._adapter is None else {"adapter": self._adapter}
        device = cast("BLEDevice", peripheral)  # it came from our scanner
        return self._library.BleakClient(device, lambda _: lost(), timeout=CONNECT_TIMEOUT_S, bluez=where)


@asynccontextmanager
async def _system_bus() -> AsyncIterator[MessageBus]:
    from dbus_fast import BusType
    from dbus_fast.aio import MessageBus

    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await bus.connect()
    except OSError as error:
        bus.disconnect()
        raise ConnectionError(f"no system D-Bus ({error}); is bluetoothd installed and running?") from error
    try:
        yield bus
    finally:
        bus.disconnect()


async def _devices(bus: MessageBus) -> dict[str, dict[str, object]]:
    """All devices that BlueZ knows: object path to properties."""
    reply = await _call(bus, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    return {
        path: {key: value.value for key, value in interfaces[DEVICE].items()}
        for path, interfaces in (reply[0] if reply else {}).items()
        if DEVICE in interfaces
    }


async def _call(bus: MessageBus, path: str, interface: str, member: str, *objects: str) -> list[Any]:
    """Ask BlueZ; an error reply is an empty list, for then there is nothing to release."""
    from dbus_fast import Message, MessageType

    message = Message("org.bluez", path, interface, member, signature="o" * len(objects), body=[*objects])
    reply = await bus.call(message)
    return [] if reply is None or reply.message_type is MessageType.ERROR else reply.body
