"""The Bluetooth link through bleak, BlueZ, the kernel and HCI to emulated packs."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from bridge.errors import LinkError
from bridge.links.ble import BleLink, Turn
from bridge.protocols.contract import Ble, load, names
from hil.conftest import Air
from hil.talk import PATIENCE_S, Talk

BY_RADIO = [name for name in names() if load(name).spec.ble is not None]
STREAMS = [name for name in BY_RADIO if load(name).spec.streams]


def test_there_are_protocols_to_try() -> None:
    assert {"jbd", "daly-a5", "jk"} <= set(BY_RADIO)


@pytest.mark.parametrize("bms", BY_RADIO)
def test_a_pack_is_found_by_its_address_and_read(air: Air, bms: str) -> None:
    pack = air.pack(bms, cell_v=3.312)

    async def story() -> None:
        talk = Talk(bms, pack.address)
        talk.open()
        sample = await talk.sampled(3)
        assert sample.cell_voltages_v == pytest.approx([pack.cell_v] * 16)
        await talk.close()

    asyncio.run(story())


@pytest.mark.parametrize(("mtu", "chunk"), [(23, 20), (247, 128), (517, 512)])
def test_a_frame_of_300_bytes_arrives_in_whatever_pieces_the_module_cuts(
    air: Air, mtu: int, chunk: int
) -> None:
    pack = air.pack("jk", mtu=mtu, chunk=chunk)

    async def story() -> None:
        talk = Talk("jk", pack.address)
        talk.open()
        assert (await talk.sampled(3)).cells_complete
        await talk.close()

    asyncio.run(story())


def test_a_pack_is_found_by_its_name(air: Air) -> None:
    pack = air.pack("jbd", prefix="My pack")

    async def story() -> None:
        talk = Talk("jbd", pack.name)
        talk.open()
        await talk.sampled()
        await talk.close()

    asyncio.run(story())


def test_a_device_that_is_not_there_is_named_with_what_was_heard(air: Air) -> None:
    air.pack("jbd")

    async def story() -> str:
        talk = Talk("jbd", "A4:C1:38:FF:FF:FF")
        talk.open()
        return await talk.failed()

    text = asyncio.run(story())
    assert "ble:A4:C1:38:FF:FF:FF: not heard" in text
    assert re.search(r"Heard: .*\(A4:C1:38:", text)  # not all: BlueZ remembers the packs of earlier tests


def test_a_device_of_another_kind_is_named_with_what_it_has(air: Air) -> None:
    pack = air.pack("jbd")

    async def story() -> list[str]:
        talk = Talk("jk", pack.address)
        talk.open()
        first = await talk.failed()
        talk.open()  # BlueZ is told to forget the device first
        return [first, await talk.failed()]

    for text in asyncio.run(story()):
        assert "a service of ffe0 is needed" in text
        assert "ff00" in text


def test_a_polled_pack_that_falls_silent_keeps_its_connection_and_is_heard_again(air: Air) -> None:
    pack = air.pack("jbd")

    async def story() -> None:
        talk = Talk("jbd", pack.address)
        talk.open()
        await talk.sampled(2)
        pack.silence()
        before = len(talk.samples)
        await asyncio.sleep(4)
        assert len(talk.samples) <= before + 1  # what was under way
        pack.silence(silent=False)
        await talk.sampled(2)
        assert talk.ups == 1
        await talk.close()

    asyncio.run(story())


def test_a_stream_that_dries_up_is_noticed_within_a_few_periods_and_opened_anew(air: Air) -> None:
    pack = air.pack("jk")

    async def story() -> None:
        talk = Talk("jk", pack.address)
        talk.open()
        await talk.sampled(2)
        pack.silence()
        start_s = asyncio.get_running_loop().time()
        assert "silent for 3 periods" in await talk.reopened()
        assert asyncio.get_running_loop().time() - start_s < 5.0
        await talk.close()
        pack.silence(silent=False)
        talk.open()
        await talk.sampled(2)
        await talk.close()

    asyncio.run(story())


def test_a_lost_connection_is_noticed_and_made_again(air: Air) -> None:
    pack = air.pack("jbd")

    async def story() -> None:
        talk = Talk("jbd", pack.address)
        talk.open()
        await talk.sampled(2)
        pack.cut()
        assert f"ble:{pack.address}: connection lost" in await talk.failed()
        talk.open()
        await talk.sampled(2)
        assert talk.ups == 2
        await talk.close()

    asyncio.run(story())


def test_a_pack_that_goes_away_and_comes_back_is_found_again(air: Air) -> None:
    pack = air.pack("jbd")

    async def story() -> None:
        talk = Talk("jbd", pack.address)
        talk.open()
        await talk.sampled(2)
        pack.vanish()
        assert "connection lost" in await talk.failed()
        talk.open()
        assert "not heard" in await talk.failed()
        pack.come_back()
        talk.open()
        await talk.sampled(2)
        await talk.close()

    asyncio.run(story())


def test_two_packs_on_one_adapter_stream_side_by_side(air: Air) -> None:
    first, second = air.pack("jbd", cell_v=3.301), air.pack("jk", cell_v=3.402, mtu=247, chunk=128)

    async def story() -> None:
        turn = Turn()
        talks = [Talk(pack.bms, pack.address, turn) for pack in (first, second)]
        for talk in talks:
            talk.open()
        for sample in await asyncio.gather(*(talk.sampled(3) for talk in talks)):
            assert sample.cells_complete
        assert talks[0].samples[-1].cell_max_v == pytest.approx(first.cell_v)
        assert talks[1].samples[-1].cell_max_v == pytest.approx(second.cell_v)
        first.cut()
        await talks[0].failed()
        await talks[1].sampled(3)
        for talk in talks:
            await talk.close()

    asyncio.run(story())


HOLD = """
import asyncio, sys
from bridge.links.ble import BleLink, Turn
from bridge.protocols.contract import load
link = BleLink(sys.argv[1], load("jbd").spec.ble)
asyncio.run(link.run(lambda: print("up", flush=True), lambda payload: None))
"""


def test_the_connection_of_a_killed_process_does_not_keep_the_pack_away(air: Air) -> None:
    pack = air.pack("jbd")

    async def story() -> None:
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLD, pack.address, stdout=asyncio.subprocess.PIPE
        )
        assert killed.stdout is not None
        assert await asyncio.wait_for(killed.stdout.readline(), PATIENCE_S) == b"up\n"
        killed.kill()
        await killed.wait()
        talk = Talk("jbd", pack.address)
        talk.open()
        await talk.sampled(2)
        await talk.close()

    asyncio.run(story())


def test_nothing_is_written_but_what_the_protocol_sends(air: Air) -> None:
    pack = air.pack("jbd")

    async def story() -> None:
        talk = Talk("jbd", pack.address)
        talk.open()
        await talk.sampled(2)
        await talk.close()

    asyncio.run(story())
    reads = {"dda50300fffd77", "dda50400fffc77", "dda50500fffb77", "dda5fa0300001afee977"}
    assert {"dda50300fffd77", "dda50400fffc77"} <= set(pack.written()) <= reads


def test_an_adapter_that_does_not_exist_is_a_link_error(air: Air) -> None:
    ble = Ble(pairs=(("ff00", "ff01", "ff02"),))

    async def story() -> None:
        with pytest.raises(LinkError, match="hci7"):
            await BleLink("A4:C1:38:00:00:01", ble, "hci7").run(lambda: None, lambda _: None)

    asyncio.run(story())
