"""What a running gateway tells of an RS485 pair, as findings."""

from __future__ import annotations

import json
import sys

import pytest

from bridge.doctor import Verdict
from bridge.line_watch import HELP, LineTrouble
from tests.doctor.machine import SERIAL, USB, Machine, case

ASKING = '\n[inverters.house]\nprofile = "axpert-pyl"\nport = "/dev/ttyUSB7"\n'
COMMAND = f"{sys.executable} -m bridge status --json --gateway packbridge"
QUIET: dict[str, object] = {
    "asked": 40, "answers": 40, "reply_max_ms": 7.5, "troubles": [], "addresses": [], "foreign": 0,
    "garbage": 0, "framing_errors": 0, "collisions": 0, "busy": 0, "twins": 0, "late": 0, "refused": 0,
}  # fmt: skip


def told(machine: Machine, **line: object) -> list[tuple[Verdict, str, str]]:
    machine.outputs[COMMAND] = json.dumps({"inverters": {"house": QUIET | line}})
    found = machine.look("rs485_lines", case(SERIAL + ASKING))
    assert all(one.looked_at == "house (/dev/ttyUSB7)" for one in found)
    return [(one.verdict, one.saw, one.do) for one in found]


def test_a_line_that_works_is_told_with_its_slowest_answer(machine: Machine) -> None:
    assert told(machine) == [(Verdict.OK, "40 of 40 questions answered, the slowest of late in 7.5 ms", "")]


@pytest.mark.parametrize(
    ("trouble", "line", "verdict", "saw"),
    [
        (LineTrouble.BAUD_RATE, {"garbage": 90}, Verdict.PROBLEM, "90 bytes that make no sense, 0 framing"),
        (LineTrouble.NOISE, {"framing_errors": 3}, Verdict.ADVICE, "3 framing errors"),
        (LineTrouble.ADDRESS, {"foreign": 9, "addresses": [3, 4]}, Verdict.PROBLEM, "9 questions, to 3, 4"),
        (LineTrouble.SECOND_MASTER, {"collisions": 5}, Verdict.PROBLEM, "5 questions into our answers"),
        (LineTrouble.SECOND_BATTERY, {"twins": 2}, Verdict.PROBLEM, "2 answers from our address"),
        (LineTrouble.LATE, {"late": 6}, Verdict.ADVICE, "6 answers dropped"),
        (LineTrouble.UNKNOWN_REQUESTS, {"refused": 8}, Verdict.PROBLEM, "8 questions that the dialect"),
        (LineTrouble.NOTHING_HEARD, {"asked": 0}, Verdict.ADVICE, "nothing was heard for a minute"),
    ],
)
def test_each_trouble_is_a_finding_with_its_evidence_and_what_to_do(
    machine: Machine, trouble: LineTrouble, line: dict[str, object], verdict: Verdict, saw: str
) -> None:
    troubles = [{"trouble": trouble.value, "help": HELP[trouble]}]
    ((found, text, do),) = told(machine, troubles=troubles, **line)
    assert (found, do) == (verdict, HELP[trouble])
    assert text.startswith(f"{trouble.value}: ")
    assert saw in text


def test_a_line_on_which_nothing_was_heard_yet_is_not_called_well(machine: Machine) -> None:
    assert told(machine, asked=0, answers=0)[0][0] is Verdict.UNKNOWN


@pytest.mark.parametrize("output", [None, "", "7", '{"inverters": 3}', '{"inverters": {"house": 1}}'])
def test_without_a_gateway_that_tells_nothing_is_claimed(machine: Machine, output: str | None) -> None:
    if output is not None:
        machine.outputs[COMMAND] = output
    (found,) = machine.look("rs485_lines", case(SERIAL + ASKING))
    assert (found.verdict, found.saw) == (Verdict.UNKNOWN, "no gateway called packbridge tells what it hears")


def test_where_no_inverter_asks_there_is_nothing_to_look_at(machine: Machine) -> None:
    assert machine.look("rs485_lines", case()) == []


def test_the_inverters_port_is_one_of_the_serial_ports_in_use() -> None:
    assert set(case(SERIAL + ASKING).serial_ports()) == {USB, "/dev/ttyUSB7"}
