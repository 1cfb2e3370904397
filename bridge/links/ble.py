"""Bluetooth packs as byte links: a radio module bridges the BMS's UART to notifications and writes.

One idea: an adapter does one thing at a time. Scanning and connecting disturb each other, so links take
turns until each is connected; connections that stand run side by side. All else is as on a wire: where
a notification ends means nothing, and whether the pack still answers is the driver's to notice, not
the link's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

from bridge.errors import ConfigError, LinkError
from bridge.links.radio import Bleak, Characteristic, Client, Peripheral, Radio, Service
from bridge.protocols.contract import Ble, Payload

SCAN_S = 10.0  # modules advertise every 0.1 to 2 s; some adapters hear one in three
NAMESAKES_S = 1.5  # how long to listen on for a second device of the same name
TURN_TIMEOUT_S = 45.0  # a stuck daemon may not keep the other packs from their turn for ever
NOTIFY_TIMEOUT_S = 10.0
SETTLE_S = 0.2  # the first request sooner than this after enabling notifications may get no answer
WRITE_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0  # BlueZ takes 2 s
SMALLEST_WRITE_BYTES = 20  # the least ATT MTU is 23
SHOWN_DEVICES = 8

FORM = '"ble:AA:BB:CC:DD:EE:FF" or "ble:NAME", with "?adapter=hci1" behind it to choose an adapter'
_MAC = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
_LIKE_A_MAC = re.compile(r"[0-9A-F]{1,2}([:-][0-9A-F]{1,2}){2,}", re.IGNORECASE)
_BASE_UUID = "-0000-1000-8000-00805f9b34fb"


@dataclass(frozen=True, slots=True)
class BleAddress:
    """device: a Bluetooth address in capitals, or a name. adapter: "hci1", or None for the system's."""

    device: str
    adapter: str | None = None

    @property
    def is_mac(self) -> bool:
        """Whether the device is named by its address."""
        return _MAC.fullmatch(self.device) is not None


def parse(port: str) -> BleAddress:
    """What a `ble:` port means. Raises ConfigError with what was found and what is allowed."""
    scheme, _, rest = port.partition(":")
    device, _, query = rest.partition("?")
    if scheme != "ble" or not device.strip() or device.startswith("//"):
        raise ConfigError(f'found "{port}"; write {FORM}')
    if _LIKE_A_MAC.fullmatch(device):
        device = device.upper().replace("-", ":")
        if not _MAC.fullmatch(device):
            raise ConfigError(f'found "{port}"; a Bluetooth address has six pairs of digits; write {FORM}')
    adapter = re.fullmatch(r"adapter=(hci\d+)", query)
    if adapter is None and "?" in rest:
        raise ConfigError(f'found "?{query}" in "{port}"; only ?adapter=hci0, hci1, ... may stand there')
    return BleAddress(device, adapter[1] if adapter else None)


@dataclass(frozen=True, slots=True)
class Channel:
    """The two directions of a module's UART."""

    notify: Characteristic
    write: Characteristic
    response: bool


def channels(services: Iterable[Service], ble: Ble) -> list[Channel]:
    """The pairs of `ble` that a device has, in their order.

    One UUID may stand twice in a service, once to notify and once to be written (JK modules), so what a
    characteristic can do decides, not its UUID alone.
    """
    found = []
    services = list(services)
    for service_id, notify_id, write_id in ble.pairs:
        for service in (one for one in services if one.uuid.lower() == _long(service_id)):
            notify = _able(service, notify_id, {"notify", "indicate"})
            write = _able(service, write_id, {"write", "write-without-response"})
            if notify is not None and write is not None:
                found.append(Channel(notify, write, _with_response(write, wanted=ble.write_response)))
    return found


def _able(service: Service, uuid: str, wanted: set[str]) -> Characteristic | None:
    fitting = (one for one in service.characteristics if one.uuid.lower() == _long(uuid))
    return next((one for one in fitting if wanted & set(one.properties)), None)


def _with_response(write: Characteristic, *, wanted: bool) -> bool:
    if "write" not in write.properties:
        return False
    return wanted or "write-without-response" not in write.properties


def _long(uuid: str) -> str:
    return f"0000{uuid.lower()}{_BASE_UUID}" if len(uuid) == 4 else uuid.lower()


def _short(uuid: str) -> str:
    return uuid[4:8] if uuid.endswith(_BASE_UUID) else uuid


@dataclass(slots=True)
class Turn:
    """What links share: who may scan and connect at the moment, and the addresses that are connected.

    One for each adapter, or one for all: which adapter is the system's own choice can't be known here.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connected: set[str] = field(default_factory=set)


class BleLink:
    """One pack's radio module. `run` holds the connection; its loss ends `run` with LinkError.

    device: address in capitals, or exact name. Raises ConfigError if bleak is not installed.
    """

    def __init__(
        self,
        device: str,
        ble: Ble,
        adapter: str | None = None,
        *,
        turn: Turn | None = None,
        radio: Radio | None = None,
    ) -> None:
        self.address = BleAddress(device, adapter)
        self._ble = ble
        self._turn = turn or Turn()
        self._radio = radio or Bleak(adapter)
        self._outgoing: asyncio.Queue[bytes | None] | None = None
        self._forget = False

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        """Find the device, connect, subscribe, call `up`; then hand over what it notifies."""
        outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        try:
            async with AsyncExitStack() as held:
                client = await self._connect(held, lambda: outgoing.put_nowait(None))
                channel = await self._subscribe(client, receive)
                await asyncio.sleep(SETTLE_S)
                self._outgoing = outgoing
                up()
                await _write_all(client, channel, outgoing)
        except self._radio.failures as error:
            raise self._error(str(error) or "no answer in time") from error
        finally:
            self._outgoing = None
        raise self._error("connection lost: out of range, switched off, or ended by the module")

    def write(self, payload: Payload) -> None:
        """Queue bytes; while there is no connection they are lost, as on a cut wire."""
        if self._outgoing is not None and isinstance(payload, bytes):
            self._outgoing.put_nowait(payload)

    async def _connect(self, held: AsyncExitStack, lost: Callable[[], None]) -> Client:
        """A connection, when it is our turn; `held` ends it."""
        async with self._turn.lock, asyncio.timeout(TURN_TIMEOUT_S):
            await self._radio.release(self.address.device, self._turn.connected, forget=self._forget)
            peripheral = await self._find()
            client = self._radio.client(peripheral, lost)
            held.push_async_callback(self._close, client, peripheral.address)
            await client.connect()
            self._turn.connected.add(peripheral.address)
        return client

    async def _find(self) -> Peripheral:
        """The device, once it is heard; a name must belong to one device only."""
        wanted = self.address.device
        found: dict[str, Peripheral] = {}
        others: dict[str, str] = {}
        hit = asyncio.Event()

        def heard(peripheral: Peripheral, name: str | None) -> None:
            if wanted in {peripheral.address.upper(), name}:
                found[peripheral.address] = peripheral
                hit.set()
            elif name:
                others[peripheral.address] = f"{name} ({peripheral.address})"

        async with self._radio.scanner(heard):
            with suppress(TimeoutError):
                await asyncio.wait_for(hit.wait(), SCAN_S)
            if found and not self.address.is_mac:
                await asyncio.sleep(NAMESAKES_S)
        if len(found) > 1:
            raise self._error(f"several devices have this name: {', '.join(sorted(found))}; write an address")
        if not found:
            near = ", ".join(sorted(others.values())[:SHOWN_DEVICES]) or "nothing else either"
            raise self._error(
                f"not heard for {SCAN_S:g} s; out of range, asleep, or connected to a phone? Heard: {near}"
            )
        return next(iter(found.values()))

    async def _subscribe(self, client: Client, receive: Callable[[Payload], None]) -> Channel:
        """Notifications on the first pair that the device has and does not refuse."""
        found = channels(client.services, self._ble)
        self._forget = not found  # the services that BlueZ remembers of a device may be wrong
        if not found:
            wanted = ", ".join(dict.fromkeys(service for service, _, _ in self._ble.pairs))
            has = ", ".join(_short(service.uuid.lower()) for service in client.services) or "none"
            raise self._error(f"no such pack: a service of {wanted} is needed; the device has {has}")
        for channel in found:
            try:
                async with asyncio.timeout(NOTIFY_TIMEOUT_S):
                    await client.start_notify(channel.notify.handle, lambda _, data: receive(bytes(data)))
            except self._radio.failures as error:
                refused = error
            else:
                return channel
        raise self._error(f"notifications refused: {refused}") from refused

    async def _close(self, client: Client, address: str) -> None:
        self._turn.connected.discard(address)
        with suppress(*self._radio.failures):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await client.disconnect()

    def _error(self, what: str) -> LinkError:
        return LinkError(f"ble:{self.address.device}: {what}")


async def _write_all(client: Client, channel: Channel, outgoing: asyncio.Queue[bytes | None]) -> None:
    """Write what is queued, in pieces that fit one packet, until the connection is lost (None)."""
    while (payload := await outgoing.get()) is not None:
        size = max(SMALLEST_WRITE_BYTES, channel.write.max_write_without_response_size)
        for at in range(0, len(payload), size):
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                piece = payload[at : at + size]
                await client.write_gatt_char(channel.write.handle, piece, response=channel.response)
