"""An inverter that asks, on a line: a pseudo-terminal that a gateway opens, or a port of this machine.

On a pseudo-terminal bytes would arrive at once; here they take the time of the line both ways, so that
a gateway is given the moments that it will have in a cellar. Runs in an asyncio loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.protocols.contract import Payload
from bridge.sim.device import Terminal, Wire
from bridge.sim.polling import PollingInverter

LOOK_EVERY_S = 0.1


class AskingTerminal:
    """An inverter at the far end of a pseudo-terminal. path: what a gateway opens."""

    def __init__(self, inverter: PollingInverter, baudrate: int) -> None:
        self._inverter = inverter
        self._terminal = Terminal(Wire(baudrate=baudrate))
        self._terminal.attach(self._hear)
        self._loop = asyncio.get_running_loop()
        self._heard_until_s = 0.0

    @property
    def path(self) -> str:
        """What a gateway opens."""
        return self._terminal.path

    async def run(self) -> None:
        """Ask until cancelled."""
        await converse(self._inverter, self._say)

    def close(self) -> None:
        """Pull out the adapter."""
        self._terminal.close()

    def _say(self, question: bytes) -> None:
        wire = self._terminal.wire
        start_s = self._terminal.reserve(self._loop.time(), len(question))
        size = wire.piece_bytes(len(question))
        for begin in range(0, len(question), size):
            piece = question[begin : begin + size]
            self._loop.call_at(start_s + wire.seconds(begin + len(piece)), self._terminal.write, piece)

    def _hear(self, chunk: bytes) -> None:
        """What was written at once arrives as slowly as on the line."""
        start_s = max(self._loop.time(), self._heard_until_s)
        self._heard_until_s = start_s + self._terminal.wire.seconds(len(chunk))
        self._loop.call_at(self._heard_until_s, self._arrived, chunk)

    def _arrived(self, chunk: bytes) -> None:
        self._inverter.received(chunk, self._loop.time())


async def converse(inverter: PollingInverter, say: Callable[[bytes], None]) -> None:
    """Ask by `say` whenever the inverter wants to, until cancelled; somebody else hands it what is heard."""
    loop = asyncio.get_running_loop()
    while True:
        if question := inverter.asks(loop.time()):
            say(question)
        wait_s = inverter.next_s() - loop.time()
        await asyncio.sleep(min(LOOK_EVERY_S, max(0.001, wait_s)))


async def ask_on_port(inverter: PollingInverter, port: str, baudrate: int) -> None:
    """Be the inverter on a serial port of this machine. Raises LinkError if it fails."""
    from bridge.links.serial import SerialLink

    link = SerialLink(port, baudrate)
    loop = asyncio.get_running_loop()

    def hear(payload: Payload) -> None:
        if isinstance(payload, bytes):
            inverter.received(payload, loop.time())

    talk = asyncio.create_task(converse(inverter, link.write))
    try:
        await link.run(lambda: None, hear)
    finally:
        talk.cancel()
