"""Searching ports, buses and the air, in virtual time; and everything that a search can ever send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass

import pytest

from bridge.errors import ConfigError, LinkError
from bridge.found import Found
from bridge.links.link import Link
from bridge.links.radio import Client, Peripheral, Radio
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import NoReply, Options, Payload, Script, Spec, load, names
from bridge.scanning import find, find_all
from bridge.search import Search
from bridge.survey import Plan, Report, survey
from tests.protocols.helpers import fed, messages
from tests.wires import Board, World, board, play, reading

PORT = "/dev/ttyTEST"
BUS = "can:virtual:test"
MAC = "A4:C1:38:00:00:01"
AIR = f"ble:{MAC}"
SERIAL = [name for name in names() if "serial" in load(name).spec.links]
SHARED = [name for name in SERIAL if load(name).spec.shared]
CAN = [name for name in names() if "can" in load(name).spec.links]
BLE = [name for name in names() if "ble" in load(name).spec.links]

# What each protocol's sessions may send, in hex; a check sum is four or two digits that are not looked
# at. Nothing here has a writing function, but for the read trigger of JK's PB series.
READS: Mapping[str, str] = {
    "daly-a5": r"a5(4.|80)(50|59|5[ab]|6[23]|9[02-8])08(aa|00){8}..",
    "daly-can": r"18(50|59|5[ab]|6[23]|9[02-8])(0[1-9a-f]|10)40#(00){8}",
    "daly-d2": r"d203.{8}....",
    "daly-p81": r"(8[1-9a-f]|90)03.{8}....",
    "jbd": r"dda5(03|04|05|aa)00....77|dda5fa03.{6}....77|dd..a5(03|04|05|aa)00....77|dd..a5fa03.{6}....77",
    "jbd-up16s": r"(0[1-9a-f]|10)(78|45).{8}0000....",
    "jk": r"aa5590eb(96|97)00(00){13}..",
    "jk-can": r"(?!)",
    "jk-modbus": r"0[1-9a-f]03.{8}....",
    "jk-nw": r"4e57001300000000060300000000000068(00){2}....",
    "jk-pb": r"0[1-9a-f]1016(20|1e|1c)0001020000....",
    "neey": r"aa551101(01|02|04).*ff",
    "pylontech-can": r"(?!)",
    # ~ 20, an address, 46, and one of 42 44 47 51 92 93: in letters
    "pylontech-rs485": r"7e3230(3\d|4[1-6]){2}3436(3432|3434|3437|3531|3932|3933)([34].){8,10}0d",
}


def hexed(payload: Payload) -> str:
    if isinstance(payload, CanFrame):
        assert payload.extended
        return f"{payload.can_id:08x}#{payload.data.hex()}"
    return payload.hex()


def protocols_of(payload: Payload) -> list[str]:
    """The protocols in which this is a read."""
    return [name for name, form in READS.items() if re.fullmatch(form, hexed(payload))]


def searched(
    world: World, port: str = PORT, seconds: float = 600.0, **only: object
) -> tuple[list[Found], Search, float]:
    """What is found on a port, the search, and how long it took."""

    async def story() -> tuple[list[Found], Search, float]:
        search = Search(seconds, links=world.link, **only)  # type: ignore[arg-type]  # a test's own keywords
        began_s = asyncio.get_running_loop().time()
        found = await find(search, port)
        return found, search, asyncio.get_running_loop().time() - began_s

    return play(story())


def ways(found: Sequence[Found]) -> list[str]:
    return [str(one.way) for one in found]


# Everything that can be sent


def said_by(script: Script[object], world: World, bms: str) -> list[Payload]:
    """All that a script sends to a pack that answers, or to nobody."""
    decoder, boards = load(bms).decoder(), world.ports.get(PORT, ())
    found: list[Payload] = []
    with suppress(StopIteration, NoReply):
        request = next(script)
        while len(found) < 100:
            found.append(request.data)
            decoder.sent(request.data)
            heard = messages(fed(decoder, [one for each in boards for one in each.answers(request.data)]))
            answers = [one for one in heard if one.name == request.reply]
            request = script.send(answers[0]) if answers else script.throw(NoReply("silence"))
    return found


def test_the_reads_of_every_protocol_are_listed_here() -> None:
    assert sorted(READS) == names()


def asked(bms: str, address: int | None, world: World, rounds: int) -> list[Payload]:
    """All that a session sends in so many rounds; settings are read again only now and then."""
    session = load(bms).session(Options(address=address, mac=MAC))
    said: list[Payload] = []
    for _ in range(rounds):
        for script in (session.open(), session.info(), session.poll()):
            said += said_by(script, world, bms)
    return said


@pytest.mark.parametrize("bms", names())
def test_a_session_sends_only_reads(bms: str) -> None:
    usual = load(bms).spec.address
    said = asked(bms, usual, World({PORT: [board(bms)]}), 70)
    for address in [*(load(bms).spec.addresses or (None,))][:17]:
        said += asked(bms, address, World({}), 2) + asked(
            bms, address, World({PORT: [board(bms, address)]}), 2
        )
    assert {hexed(payload) for payload in said if bms not in protocols_of(payload)} == set()


@pytest.mark.parametrize("port", [PORT, BUS, AIR])
def test_a_search_sends_only_reads_whatever_is_there(port: str) -> None:
    kind = {PORT: "serial", BUS: "can", AIR: "ble"}[port]
    here = [name for name in names() if kind in load(name).spec.links]
    for boards in ([], *([board(bms)] for bms in here)):
        world = World({port: boards})
        searched(world, port)
        for said in world.said:
            assert set(protocols_of(said.payload)) & set(here), hexed(said.payload)


def test_on_a_dead_port_everything_was_asked_at_the_rate_that_it_is_spoken_at() -> None:
    world = World({})
    found, _, seconds = searched(world)
    assert found == []
    assert seconds < 90.0
    asked = {(name, said.rate) for said in world.said for name in protocols_of(said.payload)}
    assert {(name, rate) for name in SERIAL for rate in load(name).spec.baudrates} <= asked


# Serial ports


@pytest.mark.parametrize("bms", SERIAL)
def test_a_pack_is_found_in_a_few_seconds_by_its_own_protocol(bms: str) -> None:
    found, _, seconds = searched(World({PORT: [board(bms)]}), single=True)
    assert [one.way.bms for one in found] == [bms]
    assert found[0].way.rate == load(bms).spec.baudrate
    assert found[0].cells == 16
    assert seconds < 5.0


@pytest.mark.parametrize("bms", SHARED)
def test_all_packs_on_a_pair_are_found(bms: str) -> None:
    addresses = [2, 3, 5, 13] if bms == "pylontech-rs485" else [1, 2, 5, 15]
    found, _, _ = searched(World({PORT: [board(bms, address, packs=4) for address in addresses]}))
    assert [one.way.options().address for one in found] == addresses
    assert {one.way.bms for one in found} == {bms}


@pytest.mark.parametrize("bms", [name for name in SHARED if name != "jbd-up16s"])
def test_a_pack_with_an_unusual_address_is_found(bms: str) -> None:
    found, _, seconds = searched(World({PORT: [board(bms, 7)]}), single=True)
    assert [(one.way.bms, one.way.address) for one in found] == [(bms, 7)]
    assert seconds < 25.0


@pytest.mark.parametrize(("bms", "rate"), [("jk-modbus", 9600), ("jbd-up16s", 19200)])
def test_a_pack_at_another_rate_is_found_there(bms: str, rate: int) -> None:
    pack = board(bms)
    pack.rate = rate
    found, _, _ = searched(World({PORT: [pack]}), single=True)
    assert ways(found) == [f"{bms} at {rate}"]


@pytest.mark.parametrize("bms", ["jbd", "daly-a5", "daly-d2", "daly-p81"])
@pytest.mark.parametrize("deaf", [1, 3])
def test_a_board_that_sleeps_is_woken(bms: str, deaf: int) -> None:
    pack = board(bms)
    pack.deaf = deaf
    found, _, _ = searched(World({PORT: [pack]}), single=True)
    assert [one.way.bms for one in found] == [bms]


def noise(answer: Payload) -> Payload:
    return b"\x5a" * len(answer) if isinstance(answer, bytes) else answer


def cut(answer: Payload) -> Payload:
    return answer[: len(answer) // 2] if isinstance(answer, bytes) else answer


def flipped(answer: Payload) -> Payload:
    assert isinstance(answer, bytes)
    middle = len(answer) // 2
    return answer[:middle] + bytes([answer[middle] ^ 0x10]) + answer[middle + 1 :]


@pytest.mark.parametrize("bms", [name for name in SERIAL if name != "jk"])
@pytest.mark.parametrize("spoil", [noise, cut, flipped])
def test_spoiled_answers_are_no_find_and_are_counted(bms: str, spoil: Callable[[Payload], Payload]) -> None:
    pack = board(bms)
    pack.spoil = spoil
    found, search, _ = searched(World({PORT: [pack]}), seconds=20.0, bms=(bms,))
    assert found == []
    assert any("silence" not in line for line in search.account(PORT))


@pytest.mark.parametrize("bms", SERIAL)
def test_a_pack_that_answers_too_late_is_never_taken_for_another(bms: str) -> None:
    pack = board(bms)
    pack.late_s = 1.6
    found, _, _ = searched(World({PORT: [pack]}))
    assert {one.way.bms for one in found} <= {bms}
    assert {one.meeting.sample.cell_voltages_v for one in found} <= {(3.3,) * 16}


def test_a_search_keeps_its_time() -> None:
    world = World({})
    _, _, seconds = searched(world, seconds=7.0)
    assert 7.0 <= seconds < 8.0


def test_only_what_is_asked_for_is_tried() -> None:
    world = World({PORT: [board("jbd")]})
    found, search, _ = searched(world, bms=("daly-a5",))
    assert found == []
    assert {name for said in world.said for name in protocols_of(said.payload)} == {"daly-a5"}
    assert list(search.heard) == [PORT]


def test_an_address_and_a_rate_that_were_named_are_the_only_ones() -> None:
    world = World({PORT: [board("jk-pb", 3)]})
    found, _, _ = searched(world, address=3, baudrate=115200, bms=("jk-pb",))
    assert ways(found) == ["jk-pb at 115200, address 3"]
    assert {said.payload[:1] for said in world.said if isinstance(said.payload, bytes)} == {b"\x03"}
    assert {said.rate for said in world.said} == {115200}


def test_a_port_that_cannot_be_opened_is_a_problem_and_no_error() -> None:
    found, search, _ = searched(World({}, missing={PORT: 99}))
    assert found == []
    assert search.problems == {PORT: f"{PORT}: no such port"}


def test_ports_are_searched_side_by_side() -> None:
    world = World({f"/dev/tty{bms}": [board(bms)] for bms in SERIAL})

    async def story() -> tuple[set[str], float]:
        search = Search(60.0, single=True, links=world.link)
        found = await find_all(search, world.ports)
        return {one.way.bms for one in found}, asyncio.get_running_loop().time()

    kinds, seconds = play(story())
    assert kinds == set(SERIAL)
    assert seconds < 6.0


# Who else is on the wire


class Meter:
    """Any Modbus device: answers reads of its own registers with an error, and takes writes to heart."""

    def __init__(self) -> None:
        self.written = 0

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        assert isinstance(payload, bytes)
        if payload[:2] == b"\x01\x03":
            return [bytes.fromhex("018302c0f1")]
        self.written += payload[:2] == b"\x01\x10"
        return []


def test_a_foreign_modbus_device_never_sees_what_it_would_take_for_a_write() -> None:
    meter = Meter()
    world = World({PORT: [Board(meter, rate=115200)]})
    found, _, _ = searched(world)
    assert found == []
    assert meter.written == 0
    assert "jk-pb" not in {name for said in world.said for name in protocols_of(said.payload)}


class MasterAndSlaves:
    """A JK pack with DIP 0 that asks the packs with 1 and 2, twice a second."""

    def __init__(self) -> None:
        self._packs = [load("jk-pb").device(Options(address=address)) for address in (0, 1, 2)]
        self._turn = 0

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        return []

    def tick(self, reading: Reading) -> list[Payload]:
        self._turn += 1
        pack = self._packs[self._turn % 3]
        tick = getattr(pack, "tick")  # noqa: B009  # a talker's
        return list(tick(reading))


def test_beside_another_master_packs_are_listened_to_and_not_asked() -> None:
    world = World({PORT: [Board(MasterAndSlaves(), rate=115200, tick_s=0.4)]})
    found, _, _ = searched(world)
    assert [one.way.options().address for one in found] == [0, 1, 2]
    assert {one.way.extra for one in found} == {(("listen", True),)}
    assert all("another master" in (one.remark or "") for one in found)
    assert "jk-pb" not in {name for said in world.said for name in protocols_of(said.payload)}


# CAN buses


@pytest.mark.parametrize("bms", CAN)
def test_a_pack_on_can_is_found(bms: str) -> None:
    pack = board(bms)
    pack.tick_s = pack.tick_s and 0.1
    found, _, seconds = searched(World({BUS: [pack]}), BUS)
    assert [one.way.bms for one in found] == [bms]
    assert found[0].meeting.sample.voltage_v == pytest.approx(52.8, abs=0.1)
    assert seconds < 15.0


def test_packs_that_talk_are_found_at_all_addresses_by_listening_alone() -> None:
    packs = [board("jk-can", address) for address in (0, 3, 15)]
    for pack in packs:
        pack.tick_s = 0.1
    world = World({BUS: packs})
    found, _, _ = searched(world, BUS)
    assert [one.way.address for one in found] == [0, 3, 15]
    assert world.said == []


def test_packs_on_can_that_only_answer_are_found_at_all_addresses() -> None:
    world = World({BUS: [board("daly-can", address) for address in (1, 4, 16)]})
    found, _, _ = searched(world, BUS)
    assert [one.way.options().address for one in found] == [1, 4, 16]


def test_nothing_is_said_on_a_bus_before_it_was_listened_to() -> None:
    world = World({BUS: [board("daly-can")]})
    searched(world, BUS)
    assert min(said.time_s for said in world.said) > 3.0


# The air


@dataclass(frozen=True)
class Heard:
    address: str


class Air:
    """A radio that hears these names, and connects to nothing."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, called: Mapping[str, str], broken: bool = False) -> None:
        self._called = called
        self._broken = broken

    async def release(self, device: str, ours: Collection[str], *, forget: bool) -> None:
        """There is nothing to release."""

    def scanner(self, heard: Callable[[Peripheral, str | None], None]) -> AbstractAsyncContextManager[object]:
        if self._broken:
            raise OSError("no adapter")
        for address, name in self._called.items():
            heard(Heard(address), name)
        return nullcontext()

    def client(self, peripheral: Peripheral, lost: Callable[[], None]) -> Client:
        raise AssertionError("links are made elsewhere")


def surveyed(world: World, radio: Callable[[], Radio], **plan: object) -> Report:
    async def story() -> Report:
        whole = Plan(seconds=120.0, **plan)  # type: ignore[arg-type]  # a test's own keywords
        return await survey(whole, lambda _port, _what: None, links=world.link, radio=radio)

    return play(story())


@pytest.mark.parametrize(
    ("name", "bms"),
    [("JBD-SP04S034", "jbd"), ("JK-B2A24S", "jk"), ("DL-40D2110017F4", "daly-d2"), ("GW-24S4EB", "neey")],
)
def test_a_module_that_calls_itself_like_a_pack_is_read(name: str, bms: str) -> None:
    pack = board(bms)
    pack.rate, pack.tick_s = None, pack.tick_s and 0.5
    report = surveyed(
        World({AIR: [pack]}),
        lambda: Air({MAC: name, "11:22:33:44:55:66": "TV"}),
        ports=["/dev/ttyX"],
        ble=True,
    )
    assert [(one.way.bms, one.way.port) for one in report.found] == [(bms, AIR)]
    assert report.found[0].accessory == (bms == "neey")


def test_a_name_alone_is_no_find() -> None:
    report = surveyed(World({}), lambda: Air({MAC: "JBD-SP04S034"}), ports=["/dev/ttyX"], ble=True)
    assert report.found == []
    assert AIR in report.searched


def test_a_port_on_which_an_inverter_asks_is_spared() -> None:
    world = World({PORT: [board("jbd")]})
    report = surveyed(world, lambda: Air({}), ports=[PORT, "/dev/ttyX"], spared=[PORT])
    assert (report.found, report.searched) == ([], ["/dev/ttyX"])


def test_a_radio_that_does_not_work_is_a_problem_beside_the_other_finds() -> None:
    world = World({PORT: [board("jbd")]})
    report = surveyed(world, lambda: Air({}, broken=True), ports=[PORT], ble=True)
    assert [one.way.bms for one in report.found] == ["jbd"]
    assert report.problems == ["Bluetooth: no adapter"]


def test_without_the_library_bluetooth_is_left_out_unless_it_was_asked_for() -> None:
    def missing() -> Radio:
        raise ConfigError("pip install bleak")

    with pytest.raises(ConfigError, match="pip install"):
        surveyed(World({}), missing, ports=["/dev/ttyX"], ble=True)


@pytest.mark.parametrize("bms", BLE)
def test_a_module_without_a_name_is_tried_in_every_protocol(bms: str) -> None:
    pack = board(bms)
    pack.rate, pack.tick_s = None, pack.tick_s and 0.5
    found, _, _ = searched(World({AIR: [pack]}), AIR)
    assert [one.way.bms for one in found] == [bms]


def test_a_module_of_another_kind_than_the_first_is_still_read() -> None:
    class Picky(World):
        def link(self, port: str, spec: Spec, rate: int | None) -> Link:
            if spec.maker != "JK":
                raise LinkError("no such pack: a service of ff00 is needed")
            return super().link(port, spec, rate)

    pack = board("jk")
    pack.rate = None
    found, search, _ = searched(Picky({AIR: [pack]}), AIR)
    assert [one.way.bms for one in found] == ["jk"]
    assert search.problems == {}


def test_reading_is_what_the_pack_says() -> None:
    found, _, _ = searched(World({PORT: [board("jbd")]}))
    sample, said = found[0].meeting.sample, reading()
    assert sample.cell_voltages_v == said["cell_voltages_v"]
    assert (sample.voltage_v, sample.current_a) == (said["voltage_v"], said["current_a"])
