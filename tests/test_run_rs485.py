"""`packbridge run` as its user starts it, between a board and an inverter that asks over RS485."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.protocols.contract import Options, load
from tests.test_run import CELLS, LONG_S, Terminal, reading

CONFIG = """
[gateway]
state_dir = "{folder}/state"
control = "off"

[bank]
rise_after_s = 1
rise_pct_per_s = 100

[packs.only]
bms = "jbd"
port = "{board}"
cells = 16
capacity_ah = 100
rated_current_a = 100

[inverters.house]
profile = "growatt-spf-rs485"
port = "{port}"
"""
STATUS_TO_LIMIT = bytes.fromhex("010300130010B5C3")
ANSWER_BYTES = 37
OTHER_SLAVE = bytes.fromhex("020300130010B5F0")
OUTPUTS = 0x60  # both permitted


@dataclass
class Asking:
    """The inverter's end of the pair, and the gateway at the other."""

    near: int
    process: subprocess.Popen[bytes]

    def ask(self, question: bytes = STATUS_TO_LIMIT, wait_s: float = 0.3) -> bytes:
        """The whole answer; what there is of it when nothing more comes."""
        os.write(self.near, question)
        answer = b""
        while len(answer) < ANSWER_BYTES and select.select([self.near], [], [], wait_s)[0]:
            answer += os.read(self.near, 512)
        return answer

    def until(self, wanted: Callable[[bytes], bool]) -> bytes:
        end_s = time.monotonic() + LONG_S
        while not wanted(answer := self.ask()):
            assert time.monotonic() < end_s, answer.hex()
            assert self.process.poll() is None
            time.sleep(0.1)
        return answer


def word(answer: bytes, address: int) -> int:
    """A register of the block that begins at 0x0013."""
    at = 3 + 2 * (address - 0x13)
    return int.from_bytes(answer[at : at + 2], "big")


def permits(answer: bytes) -> bool:
    whole = len(answer) == ANSWER_BYTES
    return whole and word(answer, 0x13) & OUTPUTS == OUTPUTS and word(answer, 0x19) > 4000


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    device = load("jbd").device(Options(cells=CELLS))

    def board(chunk: bytes) -> bytes:
        return b"".join(one for one in device.receive(chunk, reading()) if isinstance(one, bytes))

    serial = Terminal(board)
    near, far = os.openpty()
    tty.setraw(far)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(folder=tmp_path, board=serial.path, port=os.ttyname(far)))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "bridge", "run", str(config)], stderr=log)
    try:
        yield Asking(near, process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        serial.close()
        os.close(near)
        os.close(far)


def test_it_is_answered_and_a_question_for_another_slave_is_not(asking: Asking) -> None:
    answer = asking.until(permits)
    assert (word(answer, 0x15), word(answer, 0x16)) == (60, 5280)
    assert asking.ask(OTHER_SLAVE) == b""
    assert permits(asking.until(permits))


def test_sigterm_is_heard_as_no_current_before_the_silence(asking: Asking) -> None:
    asking.until(permits)
    asking.process.send_signal(signal.SIGTERM)
    answers = []
    while asking.process.poll() is None:
        answers.append(asking.ask(wait_s=0.1))
    assert asking.process.wait(LONG_S) == 0
    (*_, last) = [one for one in answers if len(one) == ANSWER_BYTES]
    assert (word(last, 0x13) & OUTPUTS, word(last, 0x19)) == (0, 0)


def test_a_gateway_that_hangs_answers_nothing_and_goes_on_when_it_is_back(asking: Asking) -> None:
    asking.until(permits)
    asking.process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)  # the signal arrives, and what was being said is said
    asking.ask(wait_s=0.1)
    assert asking.ask() == b""
    asking.process.send_signal(signal.SIGCONT)
    asking.until(permits)
