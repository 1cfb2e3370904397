"""The Bluetooth link over a radio of a few lines, in an event loop whose waits take no time."""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from bridge.errors import ConfigError, LinkError
from bridge.links.ble import BleAddress, BleLink, Turn, channels, parse
from bridge.links.radio import Bleak, Client, Peripheral
from bridge.protocols.contract import Ble, Payload

T = TypeVar("T")
BASE = "-0000-1000-8000-00805f9b34fb"
MAC = "A4:C1:38:00:00:01"
UART = Ble(pairs=(("ff00", "ff01", "ff02"), ("fff0", "fff1", "fff2")))
BOTH_WAYS = ("write", "write-without-response")


class Leaping(asyncio.SelectorEventLoop):
    """An event loop that leaps to its next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.leapt_s = 0.0
        super().__init__(_NeverWaits(self))

    def time(self) -> float:
        return self.leapt_s


class _NeverWaits(selectors.DefaultSelector):
    def __init__(self, loop: Leaping) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits for something that will never come"
        self._loop.leapt_s += timeout
        return super().select(0)


def play(story: Coroutine[object, object, T]) -> T:
    with asyncio.Runner(loop_factory=Leaping) as runner:
        return runner.run(story)


@dataclass(frozen=True)
class Value:
    """A characteristic; its handle is its place in the device."""

    handle: int
    uuid: str
    properties: Sequence[str]
    max_write_without_response_size: int = 20


@dataclass(frozen=True)
class Group:
    uuid: str
    characteristics: Sequence[Value]


def uart(service: str, notify: str, write: str, ways: Sequence[str] = BOTH_WAYS, size: int = 20) -> Group:
    return Group(
        f"0000{service}{BASE}",
        (
            Value(int(notify, 16), f"0000{notify}{BASE}", ("read", "notify")),
            Value(int(write, 16), f"0000{write}{BASE}", ways, size),
        ),
    )


@dataclass
class Module:
    """A radio module in a pack, and what was done to it."""

    address: str = MAC
    name: str | None = "JBD-1"
    services: Sequence[Group] = (uart("ff00", "ff01", "ff02"),)
    connect_s: float = 2.0
    refuses: frozenset[int] = frozenset()
    writes: list[tuple[int, bytes, bool]] = field(default_factory=list)
    connecting: bool = False
    connected: bool = False
    notify: Callable[[object, bytearray], None] | None = None
    lost: Callable[[], None] | None = None

    def say(self, chunk: bytes) -> None:
        assert self.notify is not None
        self.notify(None, bytearray(chunk))

    def vanish(self) -> None:
        assert self.lost is not None
        self.connected = False
        self.lost()

    async def connect(self) -> None:
        self.connecting = True
        await asyncio.sleep(self.connect_s)
        self.connecting, self.connected = False, True

    async def disconnect(self) -> None:
        self.connected = False

    async def start_notify(self, handle: int, heard: Callable[[object, bytearray], None], /) -> None:
        if handle in self.refuses:
            raise OSError("Not permitted")
        self.notify = heard

    async def write_gatt_char(self, handle: int, data: bytes, /, *, response: bool) -> None:
        self.writes.append((handle, data, response))


class Air:
    """An adapter that hears the modules at once, and complains when two links use it at a time."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, *modules: Module) -> None:
        self.modules = {module.address: module for module in modules}
        self.released: list[tuple[str, bool, frozenset[str]]] = []
        self.busy = 0

    async def release(self, device: str, ours: Collection[str], *, forget: bool) -> None:
        self.released.append((device, forget, frozenset(ours)))

    def scanner(self, heard: Callable[[Peripheral, str | None], None]) -> AbstractAsyncContextManager[object]:
        return self._scan(heard)

    @asynccontextmanager
    async def _scan(self, heard: Callable[[Peripheral, str | None], None]) -> AsyncIterator[None]:
        assert not any(module.connecting for module in self.modules.values()), "a scan while connecting"
        self.busy += 1
        assert self.busy == 1, "two scans at a time"
        for module in self.modules.values():
            heard(module, module.name)
        yield
        self.busy -= 1

    def client(self, peripheral: Peripheral, lost: Callable[[], None]) -> Client:
        module = self.modules[peripheral.address]
        module.lost = lost
        return module


class Running:
    """A link that runs until the test ends, and what it said."""

    def __init__(self, link: BleLink) -> None:
        self.received: list[Payload] = []
        self.up = asyncio.Event()
        self.task = asyncio.create_task(link.run(self.up.set, self.received.append))

    async def opened(self) -> None:
        waiting = asyncio.create_task(self.up.wait())
        await asyncio.wait([self.task, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert not self.task.done(), self.task.exception()

    async def ended(self) -> str:
        await asyncio.wait([self.task])
        error = self.task.exception()
        assert isinstance(error, LinkError)
        return str(error)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled()


def failure(*modules: Module, device: str = MAC, ble: Ble = UART) -> str:
    """How the attempt to open a link ends."""

    async def story() -> str:
        return await Running(BleLink(device, ble, radio=Air(*modules))).ended()

    return play(story())


def test_notifications_arrive_as_they_are_cut() -> None:
    module = Module()

    async def story() -> list[Payload]:
        running = Running(BleLink(MAC, UART, radio=Air(module)))
        await running.opened()
        for chunk in (b"\xdd\x03\x00", b"\x1b", b""):
            module.say(chunk)
        await running.close()
        return running.received

    assert play(story()) == [b"\xdd\x03\x00", b"\x1b", b""]


@pytest.mark.parametrize(
    ("size", "pieces"), [(20, [20, 20, 5]), (244, [45]), (0, [20, 20, 5])], ids=["least", "large", "unknown"]
)
def test_a_request_is_split_to_what_fits_one_packet(size: int, pieces: list[int]) -> None:
    module = Module(services=[uart("ff00", "ff01", "ff02", size=size)])

    async def story() -> None:
        link = BleLink(MAC, UART, radio=Air(module))
        running = Running(link)
        await running.opened()
        link.write(bytes(range(45)))
        await asyncio.sleep(1)
        await running.close()

    play(story())
    assert [len(data) for _, data, _ in module.writes] == pieces
    assert b"".join(data for _, data, _ in module.writes) == bytes(range(45))
    assert {handle for handle, _, _ in module.writes} == {0xFF02}


@pytest.mark.parametrize(
    ("ways", "wanted", "response"),
    [
        (("write", "write-without-response"), False, False),
        (("write", "write-without-response"), True, True),
        (("write",), False, True),
        (("write-without-response",), True, False),
    ],
)
def test_writes_ask_for_a_response_as_the_module_allows(
    ways: tuple[str, ...], wanted: bool, response: bool
) -> None:
    ble = Ble(pairs=UART.pairs, write_response=wanted)
    found = channels([uart("ff00", "ff01", "ff02", ways)], ble)
    assert [channel.response for channel in found] == [response]


def test_of_two_values_with_one_uuid_each_is_used_for_what_it_can_do() -> None:
    service = Group(
        f"0000ffe0{BASE}",
        (
            Value(3, f"0000FFE1{BASE}", ("write-without-response",)),
            Value(5, f"0000ffe1{BASE}", ("notify",)),
        ),
    )
    (channel,) = channels([service], Ble(pairs=(("ffe0", "ffe1", "ffe1"),)))
    assert (channel.notify.handle, channel.write.handle) == (5, 3)


def test_the_protocols_first_pair_is_preferred_wherever_it_stands_in_the_device() -> None:
    found = channels([uart("fff0", "fff1", "fff2"), uart("ff00", "ff01", "ff02")], UART)
    assert [channel.write.handle for channel in found] == [0xFF02, 0xFFF2]


def test_a_pair_that_refuses_to_notify_gives_way_to_the_next() -> None:
    both = [uart("ff00", "ff01", "ff02"), uart("fff0", "fff1", "fff2")]
    module = Module(services=both, refuses=frozenset({0xFF01}))

    async def story() -> None:
        link = BleLink(MAC, UART, radio=Air(module))
        running = Running(link)
        await running.opened()
        link.write(b"?")
        await asyncio.sleep(1)
        await running.close()

    play(story())
    assert module.writes == [(0xFFF2, b"?", False)]


def test_a_module_that_refuses_all_notifications_is_an_error_with_its_words() -> None:
    module = Module(refuses=frozenset({0xFF01}))
    assert failure(module) == f"ble:{MAC}: notifications refused: Not permitted"
    assert not module.connected


def test_packs_of_one_adapter_are_connected_one_at_a_time() -> None:
    modules = [Module(f"A4:C1:38:00:00:0{number}", f"JBD-{number}") for number in range(3)]
    air = Air(*modules)

    async def story() -> list[float]:
        turn = Turn()
        links = [Running(BleLink(module.address, UART, turn=turn, radio=air)) for module in modules]
        opened_s = []
        for link in links:
            await link.opened()
            opened_s.append(asyncio.get_running_loop().time())
        assert all(module.connected for module in modules)
        for link in links:
            await link.close()
        return opened_s

    assert play(story()) == pytest.approx([2.2, 4.2, 6.2])


def test_a_pack_that_is_not_there_gives_its_turn_to_the_next() -> None:
    async def story() -> None:
        turn, air = Turn(), Air(Module())
        absent = Running(BleLink("A4:C1:38:00:00:99", UART, turn=turn, radio=air))
        present = Running(BleLink(MAC, UART, turn=turn, radio=air))
        await present.opened()
        assert "not heard" in await absent.ended()
        await present.close()

    play(story())


def test_what_other_links_hold_is_not_released_even_if_it_has_the_wanted_name() -> None:
    first, second = Module(name="JBD"), Module("A4:C1:38:00:00:02", "JBD-2")
    air = Air(first, second)

    async def story() -> None:
        turn = Turn()
        held = Running(BleLink(MAC, UART, turn=turn, radio=air))
        await held.opened()
        await Running(BleLink("JBD-2", UART, turn=turn, radio=air)).opened()
        await held.close()
        await Running(BleLink(MAC, UART, turn=turn, radio=air)).opened()

    play(story())
    assert [ours for _, _, ours in air.released] == [frozenset(), {MAC}, {second.address}]


def test_a_lost_connection_ends_the_run_with_the_device_named() -> None:
    module = Module()

    async def story() -> str:
        running = Running(BleLink(MAC, UART, radio=Air(module)))
        await running.opened()
        module.vanish()
        return await running.ended()

    assert play(story()).startswith(f"ble:{MAC}: connection lost")


def test_a_connection_that_is_lost_before_it_is_used_ends_the_run_too() -> None:
    module = Module()

    async def story() -> str:
        running = Running(BleLink(MAC, UART, radio=Air(module)))
        while module.notify is None:
            await asyncio.sleep(0.1)
        module.vanish()
        return await running.ended()

    assert "connection lost" in play(story())


def test_a_module_that_only_keeps_silent_keeps_the_link_open() -> None:
    module = Module()

    async def story() -> None:
        running = Running(BleLink(MAC, UART, radio=Air(module)))
        await running.opened()
        await asyncio.sleep(86_400)
        assert not running.task.done()
        await running.close()

    play(story())


def test_closing_disconnects() -> None:
    module = Module()

    async def story() -> tuple[bool, bool]:
        link = BleLink(MAC, UART, radio=Air(module))
        running = Running(link)
        await running.opened()
        before = module.connected
        await running.close()
        link.write(b"lost")
        await asyncio.sleep(1)
        return before, module.connected

    assert play(story()) == (True, False)
    assert module.writes == []


def test_closing_while_connecting_gives_the_turn_back() -> None:
    async def story() -> None:
        turn, module = Turn(), Module()
        running = Running(BleLink(MAC, UART, turn=turn, radio=Air(module)))
        await asyncio.sleep(1)
        assert turn.lock.locked()
        await running.close()
        assert not turn.lock.locked()
        assert not module.connected

    play(story())


def test_a_disconnect_that_hangs_does_not_hold_up_the_end() -> None:
    class Stuck(Module):
        async def disconnect(self) -> None:
            await asyncio.sleep(3600)

    async def story() -> float:
        running = Running(BleLink(MAC, UART, radio=Air(Stuck())))
        await running.opened()
        await running.close()
        return asyncio.get_running_loop().time()

    assert play(story()) < 10


def test_a_write_that_hangs_ends_the_run() -> None:
    class Stuck(Module):
        async def write_gatt_char(self, handle: int, data: bytes, /, *, response: bool) -> None:
            await asyncio.sleep(3600)

    async def story() -> str:
        link = BleLink(MAC, UART, radio=Air(Stuck()))
        running = Running(link)
        await running.opened()
        link.write(b"?")
        return await running.ended()

    assert play(story()) == f"ble:{MAC}: no answer in time"


def test_an_adapter_that_hangs_gives_the_turn_back() -> None:
    module = Module(connect_s=3600.0)
    assert failure(module) == f"ble:{MAC}: no answer in time"


def test_a_device_without_the_service_is_an_error_that_names_what_it_has() -> None:
    other = Group(f"0000180f{BASE}", ())
    vendor = Group("6e400001-b5a3-f393-e0a9-e50e24dcca9e", ())
    text = failure(Module(services=[other, vendor]))
    assert "a service of ff00, fff0 is needed" in text
    assert "the device has 180f, 6e400001-b5a3-f393-e0a9-e50e24dcca9e" in text


def test_after_services_were_missing_the_next_attempt_forgets_the_device_first() -> None:
    module = Module(services=[])
    air = Air(module)

    async def story() -> None:
        link = BleLink(MAC, UART, radio=air)
        assert "the device has none" in await Running(link).ended()
        module.services = [uart("ff00", "ff01", "ff02")]
        running = Running(link)
        await running.opened()
        await running.close()
        running = Running(link)
        await running.opened()
        await running.close()

    play(story())
    assert [(device, forget) for device, forget, _ in air.released] == [
        (MAC, False),
        (MAC, True),
        (MAC, False),
    ]


def test_a_device_that_is_not_heard_is_an_error_that_names_who_was() -> None:
    text = failure(Module("A4:C1:38:00:00:02", "JK-B2A16S"), Module("A4:C1:38:00:00:03", None))
    assert text.startswith(f"ble:{MAC}: not heard for 10 s")
    assert text.endswith("Heard: JK-B2A16S (A4:C1:38:00:00:02)")


def test_a_device_is_found_by_its_name() -> None:
    async def story() -> None:
        running = Running(BleLink("My pack", UART, radio=Air(Module(name="My pack"))))
        await running.opened()
        await running.close()

    play(story())


def test_a_name_that_two_devices_have_is_an_error_that_names_both() -> None:
    text = failure(Module(), Module("A4:C1:38:00:00:02"), device="JBD-1")
    assert f"several devices have this name: {MAC}, A4:C1:38:00:00:02" in text


def test_part_of_a_name_is_not_the_name() -> None:
    assert "not heard" in failure(Module(name="JBD-10"), device="JBD-1")


def test_without_bleak_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bleak", None)
    with pytest.raises(ConfigError, match=r'pip install "packbridge\[ble\]"'):
        BleLink(MAC, UART)


def test_without_a_bluetooth_daemon_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dbus_fast")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")

    async def story() -> str:
        return await Running(BleLink(MAC, UART, radio=Bleak(None))).ended()

    assert "is bluetoothd installed and running?" in asyncio.run(story())


PORTS: Mapping[str, BleAddress] = {
    "ble:A4:C1:38:00:00:01": BleAddress(MAC),
    "ble:a4-c1-38-00-00-01": BleAddress(MAC),
    "ble:a4:c1:38:00:00:01?adapter=hci1": BleAddress(MAC, "hci1"),
    "ble:JBD SP04S": BleAddress("JBD SP04S"),
    "ble:DL-401234567890?adapter=hci0": BleAddress("DL-401234567890", "hci0"),
}


@pytest.mark.parametrize("port", PORTS)
def test_a_port_names_a_device_and_perhaps_an_adapter(port: str) -> None:
    assert parse(port) == PORTS[port]


def test_an_address_is_told_from_a_name() -> None:
    assert parse("ble:a4:c1:38:00:00:01").is_mac
    assert not parse("ble:JBD-1").is_mac


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("ble:", "write"),
        ("ble: ", "write"),
        ("ble://A4:C1:38:00:00:01", "write"),
        ("/dev/ttyUSB0", "write"),
        ("ble:A4:C1:38:00:00", "six pairs of digits"),
        ("ble:A4:C1:38:00:00:01:02", "six pairs of digits"),
        ("ble:A4:C1:38:00:00:1", "six pairs of digits"),
        ("ble:JBD-1?adapter=1", "only ?adapter=hci0"),
        ("ble:JBD-1?", "only ?adapter=hci0"),
        ("ble:JBD-1?pin=1234", "only ?adapter=hci0"),
    ],
)
def test_a_port_that_cannot_be_meant_is_refused_with_what_was_found(port: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(port)
    assert port in str(caught.value)
    assert said in str(caught.value)
