"""A real pseudo-terminal, opened by pyserial as a program would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import serial

from bridge.model import Reading
from bridge.protocols.contract import Message, Options, Payload, load
from bridge.sim.demo import demo_plant
from bridge.sim.device import PtyPack, Wire
from bridge.sim.faults import Fault

PATIENCE_S = 2.0  # for what must come; a busy machine may take its time
SHORT_S = 0.3  # for what must not come
READING: Reading = {"voltage_v": 52.8, "soc_pct": 61.0}


class Talker:
    """Answers each `?` with the voltage, `!` twice, and anything else not at all."""

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        assert isinstance(payload, bytes)
        said = f"<{reading['voltage_v']}>".encode()
        return [said] * (payload.count(b"?") + 2 * payload.count(b"!"))


@contextlib.asynccontextmanager
async def line(
    pack: PtyPack, patience_s: float = PATIENCE_S
) -> AsyncIterator[Callable[[bytes, int], asyncio.Future[bytes]]]:
    """`ask(request, size)`: what arrives within patience_s of the request, at most `size` bytes."""
    port = serial.Serial(pack.path, 9600, timeout=patience_s)

    def ask(request: bytes, size: int) -> asyncio.Future[bytes]:
        def talk() -> bytes:
            port.write(request)
            return bytes(port.read(size))

        return asyncio.get_running_loop().run_in_executor(None, talk)

    try:
        yield ask
    finally:
        port.close()
        pack.kill()


async def until(happened: Callable[[], bool]) -> None:
    """Let the loop run until it has happened, for at most 2 s."""
    async with asyncio.timeout(2.0):
        while not happened():
            await asyncio.sleep(0)


def pty_pack(
    device: Talker | None = None, *, wire: Wire | None = None, stranger: Callable[[], bytes] | None = None
) -> PtyPack:
    return PtyPack(
        device or Talker(), lambda: READING, wire=wire or Wire(turnaround_s=0.01), stranger=stranger
    )


def asked(pack_of: Callable[[], PtyPack], request: bytes, size: int, patience_s: float = PATIENCE_S) -> bytes:
    async def story() -> bytes:
        async with line(pack_of(), patience_s) as ask:
            return await ask(request, size)

    return asyncio.run(story())


def faulty(fault: Fault, stranger: Callable[[], bytes] | None = None) -> PtyPack:
    pack = pty_pack(stranger=stranger)
    pack.fault = fault
    return pack


def test_a_request_is_answered_with_what_the_pack_reads() -> None:
    assert asked(pty_pack, b"?", 6) == b"<52.8>"


def test_all_byte_values_pass_in_both_directions() -> None:
    class Mirror:
        def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
            return [payload]

    every = bytes(range(256))
    answer = asked(lambda: PtyPack(Mirror(), lambda: READING, wire=Wire(turnaround_s=0.0)), every, 256)
    assert answer == every


def test_two_answers_leave_one_after_the_other() -> None:
    assert asked(pty_pack, b"!", 12) == b"<52.8><52.8>"


def test_the_answer_waits_for_the_turnaround() -> None:
    async def story() -> float:
        async with line(pty_pack(wire=Wire(turnaround_s=0.05))) as ask:
            loop = asyncio.get_running_loop()
            begin_s = loop.time()
            assert await ask(b"?", 6) == b"<52.8>"
            return loop.time() - begin_s

    assert asyncio.run(story()) >= 0.05


def test_a_paced_line_takes_as_long_as_its_bytes() -> None:
    async def story() -> float:
        async with line(pty_pack(wire=Wire(turnaround_s=0.0, baudrate=1200))) as ask:
            loop = asyncio.get_running_loop()
            begin_s = loop.time()
            assert await ask(b"?", 6) == b"<52.8>"
            return loop.time() - begin_s

    assert asyncio.run(story()) >= 7 * 10 / 1200


@pytest.mark.parametrize(("baudrate", "piece_bytes"), [(None, 45), (1200, 1), (9600, 1), (115200, 23)])
def test_pieces_are_about_two_milliseconds_long(baudrate: int | None, piece_bytes: int) -> None:
    assert Wire(baudrate=baudrate).piece_bytes(45) == piece_bytes


def test_a_silenced_pack_hears_but_does_not_answer() -> None:
    async def story() -> tuple[bytes, bytes, bytes]:
        pack = pty_pack()
        async with line(pack, SHORT_S) as ask:
            before = await ask(b"?", 6)
            pack.silence()
            during = await ask(b"?", 6)
            pack.silent = False
            return before, during, await ask(b"?", 6)

    assert asyncio.run(story()) == (b"<52.8>", b"", b"<52.8>")


def test_a_killed_pack_is_an_adapter_pulled_out() -> None:
    async def story() -> None:
        pack = pty_pack()
        with contextlib.closing(serial.Serial(pack.path, 9600, timeout=SHORT_S)) as port:
            pack.kill()
            with pytest.raises((serial.SerialException, OSError)):
                port.read(1)
        with pytest.raises(serial.SerialException):
            serial.Serial(pack.path, 9600)
        assert not Path(pack.path).exists()
        assert not pack.alive
        pack.kill()

    asyncio.run(story())


def test_killing_a_pack_forgets_the_answer_that_was_due() -> None:
    async def story() -> list[bool]:
        pack = pty_pack(wire=Wire(turnaround_s=60.0))
        with contextlib.closing(serial.Serial(pack.path, 9600)) as port:
            port.write(b"?")
            await until(lambda: bool(pack._timers))
            due = list(pack._timers)
            pack.kill()
        return [timer.cancelled() for timer in due]

    assert asyncio.run(story()) == [True]


def test_a_program_may_close_the_line_and_open_it_again() -> None:
    async def story() -> bytes:
        pack = pty_pack()
        serial.Serial(pack.path, 9600).close()
        async with line(pack) as ask:
            return await ask(b"?", 6)

    assert asyncio.run(story()) == b"<52.8>"


def test_answers_that_nobody_reads_are_lost_not_waited_for() -> None:
    class Flood:
        def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
            return [bytes(4000)] * 50

    async def story() -> int:
        pack = PtyPack(Flood(), lambda: READING, wire=Wire(turnaround_s=0.0))
        with contextlib.closing(serial.Serial(pack.path, 9600, timeout=0.05)) as port:
            port.write(b"?")
            await until(lambda: pack.lost_bytes > 0)
            pack.kill()
        return pack.lost_bytes

    assert asyncio.run(story()) > 0


def test_noise_replaces_the_answer() -> None:
    answer = asked(lambda: faulty(Fault.NOISE), b"?", 6)
    assert len(answer) == 6
    assert answer != b"<52.8>"


def test_a_truncated_answer_ends_early() -> None:
    answer = asked(lambda: faulty(Fault.TRUNCATION), b"?", 6, SHORT_S)
    assert 0 < len(answer) < 6
    assert b"<52.8>".startswith(answer)


def test_a_slow_answer_comes_after_everybody_gave_up() -> None:
    assert asked(lambda: faulty(Fault.SLOW), b"?", 6, SHORT_S) == b""


def test_the_neighbours_answer_arrives_instead() -> None:
    assert asked(lambda: faulty(Fault.STRANGER, lambda: b"<48.0>"), b"?", 6) == b"<48.0>"


def test_without_a_neighbour_the_answer_before_arrives() -> None:
    async def story() -> tuple[bytes, bytes, bytes]:
        pack = pty_pack()
        async with line(pack) as ask:
            right = await ask(b"?", 6)
            pack.fault = Fault.STRANGER
            late = await ask(b"?", 6)
            return right, late, pack.last_answer

    assert asyncio.run(story()) == (b"<52.8>", b"<52.8>", b"<52.8>")


JBD_BASIC = bytes.fromhex("dda50300fffd77")
JBD_CELLS = bytes.fromhex("dda50400fffc77")


def jbd_answer(request: bytes, fault: Fault | None = None) -> list[Message]:
    """What a JBD decoder makes of the answer of the demo's first pack, and of the pause after it."""
    jbd = load("jbd")
    pack = demo_plant().bank.packs[0]

    def pty() -> PtyPack:
        one = PtyPack(jbd.device(Options()), pack.reading, wire=Wire(turnaround_s=0.0, baudrate=9600))
        one.fault = fault
        return one

    [whole] = jbd.device(Options()).receive(request, pack.reading())
    assert isinstance(whole, bytes)
    patience_s = SHORT_S if fault is Fault.TRUNCATION else PATIENCE_S
    decoder = jbd.decoder()
    found = decoder.feed(asked(pty, request, len(whole), patience_s)) + decoder.reset()
    return [message for message in found if isinstance(message, Message)]


def test_a_jbd_pack_says_what_the_simulated_one_reads() -> None:
    reading = demo_plant().bank.packs[0].reading()
    [basic] = jbd_answer(JBD_BASIC)
    [cells] = jbd_answer(JBD_CELLS)
    assert cells.reading["cell_voltages_v"] == reading["cell_voltages_v"]
    for key in (
        "voltage_v",
        "current_a",
        "remaining_ah",
        "full_ah",
        "cycles",
        "temperatures_c",
        "charge_fet_on",
    ):
        assert basic.reading.get(key) == reading.get(key)


@pytest.mark.parametrize("fault", [Fault.NOISE, Fault.TRUNCATION, Fault.CHECKSUM])
def test_a_spoiled_jbd_answer_gives_no_message(fault: Fault) -> None:
    assert jbd_answer(JBD_CELLS, fault) == []
