"""Inverters that share a bank: every part is known, and together they are one bank."""

from __future__ import annotations

import pytest

from bridge.config import parse
from tests.config.samples import GOOD, complaints

SECOND = """
[inverters.barn]
profile = "victron-gx"
interface = "socketcan"
channel = "can1"
"""


def two(house: str = "", barn: str = "", split: str = "") -> str:
    """Two inverters with more keys; split: of the bank."""
    text = GOOD + house + "\n" + SECOND + barn + "\n"
    return text.replace("[bank]\n", f'[bank]\nsplit = "{split}"\n') if split else text


def warned(text: str) -> str:
    return "\n".join(parse(text, "c.toml").warnings)


def test_shares_above_the_whole_bank_are_refused() -> None:
    (text,) = complaints(two("share = 0.6", "share = 0.5"))
    assert "inverters.barn.share: the shares add up to 1.1; allowed: 1 at most" in text


@pytest.mark.parametrize(
    "shares", [("share = 0.6", "share = 0.4"), ("share = 0.6", ""), ("share = 0.1", "share = 0.9")]
)
def test_shares_that_are_the_whole_bank_are_taken_without_a_word(shares: tuple[str, str]) -> None:
    assert complaints(two(*shares)) == []
    assert "share" not in warned(two(*shares))


def test_an_inverter_for_which_nothing_is_left_is_refused() -> None:
    (text,) = complaints(two("share = 1.0"))
    assert "nothing is left for barn" in text


def test_inverters_without_shares_get_equal_parts_and_a_warning() -> None:
    assert complaints(two()) == []
    assert "2 inverters and no share: each is told 1/2" in warned(two())


def test_a_part_that_nobody_is_told_of_is_warned_of() -> None:
    assert "add up to 0.7" in warned(two("share = 0.5", "share = 0.2"))


def test_a_single_inverter_needs_no_share() -> None:
    assert "share" not in warned(GOOD)


def test_who_is_served_first_must_say_what_it_can_carry() -> None:
    problems = complaints(two("priority = 1", "priority = 2", "priority"))
    assert len(problems) == 2
    assert all("inverters.house.max_" in text and "without it takes all" in text for text in problems)
    bounded = "priority = 1\nmax_charge_current_a = 100\nmax_discharge_current_a = 120"
    assert complaints(two(bounded, "priority = 2", "priority")) == []


@pytest.mark.parametrize(
    ("key", "split"), [("share = 0.5", "priority"), ("share = 0.5", "use"), ("priority = 2", "fixed")]
)
def test_a_key_that_the_split_does_not_read_is_refused(key: str, split: str) -> None:
    assert any("has no meaning with" in text for text in complaints(two(barn=key, split=split)))


def test_a_split_by_use_says_that_no_inverter_tells_its_use() -> None:
    assert "the parts will be equal" in warned(two(split="use"))


@pytest.mark.parametrize("path", ["relative.sock", "/" + 107 * "x"])
def test_a_control_path_that_the_kernel_would_not_take_is_refused(path: str) -> None:
    (text,) = complaints(GOOD.replace("[gateway]\n", f'[gateway]\ncontrol = "{path}"\n'))
    assert "gateway.control" in text
    assert "107 bytes" in text


@pytest.mark.parametrize("path", ["/run/packbridge/packbridge.sock", "off"])
def test_a_path_or_off_is_taken(path: str) -> None:
    assert parse(GOOD.replace("[gateway]\n", f'[gateway]\ncontrol = "{path}"\n'), "c").gateway.control == path
