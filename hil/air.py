"""The air around the guest's adapter: emulated packs with radio modules. Run as a program of its own.

Opening /dev/vhci makes an adapter appear in the kernel, which BlueZ takes for a real one. bumble plays
that adapter's hardware and the packs' radio modules; what the packs say comes from the simulators of
our own protocols. Orders come as lines of JSON on standard input, and each is answered with a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, PhysicalTransport
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address, HCI_ErrorCode, LeFeatureMask, OwnAddressType
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport import open_transport

from bridge.model import Reading
from bridge.protocols.contract import Options, Payload, load

ADAPTER = "C0:00:00:00:00:01"
STREAM_PERIOD_S = 0.5
CELLS = 16


@runtime_checkable
class Streaming(Protocol):
    """A protocol's device that talks by itself."""

    def tick(self, reading: Reading) -> list[Payload]:
        """What it says every half second."""


class Air(LocalLink):
    """What carries packets between the controllers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves its annotation out

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Data of a connection, from the address under which the sender entered it.

        bumble 0.0.236 takes the sender's random address; the kernel and our packs connect with their
        public ones, so that the receiver would know no such connection.
        """
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            loop = asyncio.get_running_loop()
            loop.call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def cut(self, address: Address) -> None:
        """End all connections of a module, for both sides, as when it is carried out of range."""
        for controller in self.controllers:
            for connection in list(controller.le_connections.values()):
                if address in {connection.self_address, connection.peer_address}:
                    controller.on_le_disconnected(connection, HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSpec:
    """What a pack is. mtu: the largest that its module agrees to. chunk: bytes of one notification."""

    bms: str
    name: str
    address: str
    cell_v: float
    mtu: int
    chunk: int


class Pack:
    """A pack with a radio module: a UART to the BMS behind a GATT service."""

    def __init__(self, air: Air, spec: PackSpec) -> None:
        entry = load(spec.bms)
        assert entry.spec.ble is not None
        service, notify, write = entry.spec.ble.pairs[0]
        self._cell_v = spec.cell_v
        self._measured = 0
        self.silent = False
        self.written: list[str] = []
        self.address = Address(spec.address, Address.PUBLIC_DEVICE_ADDRESS)
        self._air = air
        self._bms = entry.device(Options(mac=spec.address, cells=CELLS))
        self._chunk = spec.chunk
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        host = Host()
        host.controller = Controller(spec.name, link=air, public_address=spec.address)
        self._module = Device(name=spec.name, address=self.address, host=host)
        self._module.gatt_server.max_mtu = spec.mtu
        self._notify = self._serve(service, notify, write)
        self._advertise(spec.name, service)
        self._tasks: list[asyncio.Task[None]] = []

    async def appear(self) -> None:
        """Come into range."""
        await self._module.power_on()
        await self.advertise()
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._stream())]

    async def advertise(self) -> None:
        """Be heard, whenever nobody is connected."""
        await self._module.start_advertising(auto_restart=True, own_address_type=OwnAddressType.PUBLIC)

    async def vanish(self) -> None:
        """Go out of range."""
        await self._module.stop_advertising()
        self._air.cut(self.address)

    def _serve(self, service: str, notify: str, write: str) -> Characteristic[bytes]:
        """The UART's two directions; with one UUID for both they are still two values, as JK has it."""
        says = Characteristic(
            notify.upper(),
            Characteristic.Properties.READ | Characteristic.Properties.NOTIFY,
            Characteristic.READABLE,
            b"",
        )
        hears: Characteristic[bytes] = Characteristic(
            write.upper(),
            Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            Characteristic.WRITEABLE,
            CharacteristicValue(write=self._heard),
        )
        self._module.add_service(Service(UUID(service.upper()), [hears, says]))
        return says

    def _advertise(self, name: str, service: str) -> None:
        self._module.advertising_data = bytes(
            AdvertisingData([
                (AdvertisingData.FLAGS, b"\x06"),
                (AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()),
                (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes.fromhex(service)[::-1]),
            ])
        )  # fmt: skip

    def _heard(self, connection: Connection, value: bytes) -> None:
        del connection
        self.written.append(value.hex())
        self._say(self._bms.receive(value, self._reading()))

    def _say(self, payloads: list[Payload]) -> None:
        for payload in payloads:
            if isinstance(payload, bytes) and not self.silent:
                for at in range(0, len(payload), self._chunk):
                    self._outgoing.put_nowait(payload[at : at + self._chunk])

    def _reading(self) -> Reading:
        """What it measures: never quite the same twice, for who measures nothing is not believed."""
        self._measured += 1
        return reading(self._cell_v, -10.0 - self._measured % 2 / 10)

    async def _speak(self) -> None:
        while True:
            await self._module.notify_subscribers(self._notify, await self._outgoing.get())

    async def _stream(self) -> None:
        while isinstance(self._bms, Streaming):
            await asyncio.sleep(STREAM_PERIOD_S)
            self._say(self._bms.tick(self._reading()))


def reading(cell_v: float, current_a: float) -> Reading:
    """A pack of 16 cells that are all at one voltage."""
    return Reading(
        voltage_v=cell_v * CELLS,
        current_a=current_a,
        soc_pct=50.0,
        remaining_ah=50.0,
        full_ah=100.0,
        design_ah=100.0,
        cycles=10,
        cell_count=CELLS,
        cell_voltages_v=(cell_v,) * CELLS,
        temperatures_c=(20.0, 21.0),
        mosfet_temperature_c=25.0,
        charge_fet_on=True,
        discharge_fet_on=True,
        charge_allowed=True,
        discharge_allowed=True,
        balancing=False,
        protections=frozenset(),
        warnings=frozenset(),
    )


class Stage:
    """All packs, and what can be asked of them."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._packs: dict[str, Pack] = {}

    async def obey(self, order: Mapping[str, object]) -> object:
        """Carry out one order; its answer."""
        fields = dict(order)
        verb, address = fields.pop("do"), str(fields["address"])
        if verb == "appear":
            self._packs[address] = Pack(self._air, PackSpec(**fields))  # type: ignore[arg-type]  # from JSON
            await self._packs[address].appear()
            return None
        pack = self._packs[address]
        match verb:
            case "cut":
                self._air.cut(pack.address)
            case "vanish":
                await pack.vanish()
            case "return":
                await pack.advertise()
            case "silence":
                pack.silent = bool(fields["silent"])
            case "written":
                return pack.written
        return None


async def main() -> None:
    """Make the adapter, then obey until standard input ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    air = Air()
    stage = Stage(air)
    async with await open_transport("vhci") as kernel:
        adapter = Controller("kernel", kernel.source, kernel.sink, link=air, public_address=ADAPTER)
        # bumble promises privacy and extended advertising, but never sends the "enhanced" connection
        # event that the kernel then waits for: it cancels, and can't disconnect any more.
        adapter.le_features = LeFeatureMask.LE_ENCRYPTION
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while line := await orders.readline():
            answer = await stage.obey(json.loads(line))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
