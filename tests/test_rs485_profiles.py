"""Profiles of inverters that ask over RS485: what is refused, by file and key; and what all of them have."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge import profiles
from bridge.errors import ConfigError
from bridge.responders import contract
from bridge.sinks.quantities import QUANTITIES
from bridge.sinks.rs485 import port_of

NAMES = [name for name in profiles.names() if name not in profiles.can()]
every_profile = pytest.mark.parametrize("name", NAMES)
TEXT = profiles.find("axpert-pyl").path.read_text("utf-8")


def problems(folder: Path, old: str, new: str) -> list[str]:
    """What is said of the Axpert's profile with one text replaced, without the file's name."""
    assert old in TEXT
    path = folder / "acme.toml"
    path.write_text(TEXT.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError) as caught:
        profiles.find(str(path))
    assert all(problem.startswith(f"{path}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def test_the_families_of_each_dialect_are_there() -> None:
    assert {profiles.asking(name).dialect for name in NAMES} == set(contract.names())
    assert len(NAMES) >= 13


@every_profile
def test_a_profile_fits_its_dialect_and_says_where_its_facts_are_from(name: str) -> None:
    profile = profiles.asking(name)
    entry, port = port_of(profile)
    assert entry.responder(port).required <= QUANTITIES.keys()
    assert {*profile.unknown, *profile.ranges} <= QUANTITIES.keys()
    assert profile.sources
    assert profile.menu
    assert profile.wiring.pins


@every_profile
def test_the_longest_silence_of_ours_is_shorter_than_what_the_inverter_bears(name: str) -> None:
    profile = profiles.asking(name)
    assert profile.turnaround_s + profile.answer_within_s < 0.1
    assert 2 * profile.poll_s < profile.comm_fault_s
    assert profile.dead_man_s <= 3.0


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("poll_s = 1.0", "pol_s = 1.0", 'Did you mean "poll_s"?'),
        ("poll_s = 1.0", "bitrate = 500_000\npoll_s = 1.0", "bitrate: unknown key; known: "),
        ("poll_s = 1.0", "poll_s = 0", "poll_s: 0 should be greater than 0"),
        ("baudrate = 9600", "baudrate = 300", "baudrate: 300 should be greater than or equal to 1200"),
        ("baudrate = 9600", 'baudrate = 9600\nparity = "mark"', "parity: 'mark' should be"),
        ("baudrate = 9600", "baudrate = 1200", "turnaround_s: 0.005 is less than 3.5 characters (0.0292)"),
        ("dead_man_s", "answer_within_s = 0.2\ndead_man_s", "answer_within_s: 0.2 is more than 0.05"),
        ("dead_man_s", "turnaround_s = 0.06\ndead_man_s", "turnaround_s: 0.06 leaves no time"),
        ("comm_fault_s = 60.0", "comm_fault_s = 0.5", "comm_fault_s: 0.5 would pass between two polls"),
        ("silence_after_s = 30.0\n", "", "silence_after_s: missing; zeros are not to be said for ever"),
        ('stale = "zeros"', 'stale = "silence"', "silence_after_s: there is silence at once"),
        ('stale = "zeros"', 'stale = "last"', "stale: 'last' should be 'zeros' or 'silence'"),
        ('transport = "rs485"', 'transport = "rs232"', "transport: 'rs232' should be 'can' or 'rs485'"),
        ('transport = "rs485"\n', "", "transport: missing; write 'can' or 'rs485'"),
        ("[unknown]", "[unknown]\ncharge_current_limit_a = 5", "unknown.charge_current_limit_a: a limit is"),
        (
            "[unknown]",
            "[ranges]\ncharge_current_limit_a = { min = 5 }\n[unknown]",
            "ranges.charge_current_limit_a: min 5.0 would turn no current into more than 0.1 A",
        ),
        ('termination = "', 'terminator = "', 'Did you mean "termination"?'),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert complaint in "\n".join(problems(tmp_path, old, new))


def test_what_is_for_one_kind_of_line_does_not_take_the_other() -> None:
    with pytest.raises(ConfigError, match="axpert-pyl is on RS485, where the inverter asks; this is for CAN"):
        profiles.load("axpert-pyl")
    with pytest.raises(ConfigError, match="deye-lv is on CAN; this is for inverters that ask over RS485"):
        profiles.asking("deye-lv")


@pytest.mark.parametrize(
    ("bits", "changes"),
    [(10, {}), (11, {"parity": "even"}), (11, {"stop_bits": 2}), (12, {"parity": "odd", "stop_bits": 2})],
)
def test_a_byte_takes_its_start_and_stop_bits_too(bits: int, changes: dict[str, object]) -> None:
    assert profiles.asking("axpert-pyl").model_copy(update=changes).bits_per_byte == bits
