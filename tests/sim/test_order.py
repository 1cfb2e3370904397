"""What can be ordered of a simulation, and what is said of the rest."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.protocols.contract import load
from bridge.sim.order import ALL, Order, Trouble, addresses, check, parse_extra, parse_troubles


def test_an_ordinary_order_is_right() -> None:
    assert check(Order(bms="jbd")).name == "jbd"


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (Order(bms="jdb"), 'Did you mean "jbd"'),
        (Order(bms="jbd", cells=0), "--cells 0: allowed are 1 to 32"),
        (Order(bms="jbd", cells=33), "--cells 33"),
        (Order(bms="jbd", soc=50), "--soc 50: a share"),
        (Order(bms="jbd", soc=float("nan")), "--soc nan"),
        (Order(bms="jbd", capacity_ah=0), "--capacity-ah 0"),
        (Order(bms="jbd", link="tty"), "--link tty: write pty"),
        (Order(bms="jbd", link="can:can0"), "jbd runs over serial or ble; use --link pty"),
        (Order(bms="jk-can"), "jk-can runs over can; use --link can:"),
        (Order(bms="pylontech-can", link="can:can0", count=2), "only one pylontech-can pack"),
        (Order(bms="jbd", troubles={2: Trouble.DEAD}), "--fault 2:dead: packs are counted from 1 to 1"),
        (Order(bms="jk-pb", address=14, count=3), "need 16; allowed: 1 to 15"),
        (Order(bms="jk-nw", address=1), "jk-nw has no addresses"),
    ],
)
def test_what_cannot_be_simulated_is_said_with_what_can(order: Order, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(order)
    assert complaint in str(raised.value)


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        check(Order(bms="jbd", cells=0, soc=2, capacity_ah=-1))
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize(
    ("bms", "address", "expected"),
    [
        ("jk-pb", None, [1, 2, 3]),
        ("jk-pb", 5, [5, 6, 7]),
        ("jk-can", None, [0, 1, 2]),
        ("jbd", None, [None] * 3),
        ("jbd", 4, [4] * 3),
        ("jk", None, [None] * 3),
    ],
)
def test_packs_that_share_a_wire_have_addresses_in_a_row(
    bms: str, address: int | None, expected: list[int | None]
) -> None:
    assert addresses(Order(bms=bms, count=3, address=address), load(bms)) == expected


def test_a_trouble_is_of_all_packs_or_of_one() -> None:
    troubles = parse_troubles(["noise", "2:dead"])
    assert troubles == {ALL: Trouble.NOISE, 2: Trouble.DEAD}
    order = Order(bms="jbd", count=3, troubles=troubles)
    assert [order.trouble(number) for number in (1, 2, 3)] == [Trouble.NOISE, Trouble.DEAD, Trouble.NOISE]


@pytest.mark.parametrize("text", ["nois", "0:dead", "x:dead", ":dead", "2:", "dead:2", "-1:dead"])
def test_any_other_trouble_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match="as in 2:noise"):
        parse_troubles([text])


def test_settings_of_a_simulator_are_numbers_switches_and_texts() -> None:
    said = parse_extra(["variant=JK04", "packs=3", "max_charge_a=1.5", "xored=true", "name=a=b"])
    assert said == {"variant": "JK04", "packs": 3, "max_charge_a": 1.5, "xored": True, "name": "a=b"}


@pytest.mark.parametrize("text", ["variant", "=3", ""])
def test_a_setting_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_extra([text])
