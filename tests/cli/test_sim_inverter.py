"""`packbridge sim inverter` as its user starts it, with and without a battery at the other end."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bridge import profiles
from bridge.sinks.rs485 import Rs485Sink
from tests.sinks.asking import guarded, member
from tests.sinks.helpers import decision

COMMAND = [sys.executable, "-m", "bridge", "sim", "inverter"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_it_says_where_it_is_and_understands_what_it_is_answered() -> None:
    sink = Rs485Sink("house", profiles.asking("axpert-pyl"))
    command = [*COMMAND, "axpert-pyl", "--seconds", "8", "--json"]  # about twelve questions
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        place = json.loads(process.stdout.readline())
        assert place["inverter"] == "axpert-pyl"
        line = os.open(place["port"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        now, views = 0.0, []
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None:
            try:
                chunk = os.read(line, 512)
            except (BlockingIOError, OSError):
                chunk = b""
            now += 0.001
            sink.decided(decision(time_s=now, bank={"remaining_ah": 160.0, "full_ah": 280.0, "cycles": 3}))
            for reply in sink.received(chunk, now, now, guarded(now, member(now=now))) if chunk else ():
                os.write(line, reply.data)
        views = [json.loads(text) for text in (process.stdout.read() or "").splitlines()]
        os.close(line)
    assert process.returncode == 0
    assert views[-1]["answered"] > 5
    assert (views[-1]["soc_pct"], views[-1]["fault"]) == (pytest.approx(57.0, abs=0.2), False)
    assert views[-1]["charge_current_limit_a"] == 100.0


def test_without_a_battery_it_gets_no_answer_and_says_so() -> None:
    done = run("srne-pyl", "--seconds", "2.5")
    assert done.returncode == 0
    assert "answered 0 of" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["srne-pyl", "--link", "/dev/no-such-port"], 1, "/dev/no-such-port"),
        (["deye-lv"], 2, "deye-lv is on CAN"),
        (["axprt-pyl"], 2, 'Did you mean "axpert-pyl"?'),
        (["axpert-pyl", "--address", "200"], 2, "address: 200; allowed for pylontech-rs485"),
    ],
)
def test_what_can_not_be_is_said_in_a_sentence(arguments: list[str], code: int, text: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
