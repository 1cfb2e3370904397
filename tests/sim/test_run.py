"""Simulated packs of every kind, read over real pseudo-terminals and a virtual CAN bus.

All of them run side by side, as they wait far more than they work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from bridge.errors import ConfigError
from bridge.found import Found
from bridge.model import Reading
from bridge.protocols.contract import load, names
from bridge.scanning import find_all
from bridge.search import Search
from bridge.sim.order import Order, Trouble
from bridge.sim.run import Simulation

SERIAL = [name for name in names() if "serial" in load(name).spec.links]
CAN = [name for name in names() if "can" in load(name).spec.links]
TELLS_CELLS = [name for name in SERIAL + CAN if name != "pylontech-can"]
SPOILT = (Trouble.NOISE, Trouble.TRUNCATE, Trouble.CHECKSUM, Trouble.DEAD)
SECONDS = 6.0  # for those that never answer


class Outcome(NamedTuple):
    found: list[Found]
    search: Search
    cells_v: list[set[tuple[float | None, ...]]]
    seconds: float


class Witnessed(Simulation):
    """Keeps what its boards told of their cells."""

    def __init__(self, order: Order) -> None:
        self.cells_v: list[set[tuple[float | None, ...]]] = [set() for _ in range(order.count)]
        super().__init__(order)

    def reading(self, number: int) -> Reading:
        told = super().reading(number)
        self.cells_v[number - 1].add(told["cell_voltages_v"])
        return told


async def _outcome(order: Order, *, single: bool, seconds: float) -> Outcome:
    """Search the ports of a simulation while it lives."""
    loop = asyncio.get_running_loop()
    simulation = Witnessed(order)
    up = asyncio.Event()
    living = asyncio.create_task(simulation.run(up=up.set))
    await up.wait()
    began_s = loop.time()
    known = order.troubles or order.bms in CAN  # where no more than that is to be shown
    search = Search(seconds, bms=(order.bms,) if known else (), single=single)
    try:
        found = await find_all(search, [wiring.port for wiring in simulation.wirings])
        return Outcome(found, search, simulation.cells_v, loop.time() - began_s)
    finally:
        living.cancel()
        await asyncio.wait([living])
        simulation.close()


def _link(bms: str, name: str) -> str:
    return f"can:virtual:sim-{bms}-{name}" if bms in CAN else "pty"


async def _all(orders: Mapping[str, Order], *, single: bool, seconds: float) -> dict[str, Outcome]:
    outcomes = await asyncio.gather(
        *(_outcome(order, single=single, seconds=seconds) for order in orders.values())
    )
    return dict(zip(orders, outcomes, strict=True))


@pytest.fixture(scope="module")
def healthy() -> dict[str, Outcome]:
    """One pack of each kind; on a serial port, looked for without a word about what it is."""
    orders = {
        bms: Order(bms=bms, link=_link(bms, "one"), cells=15, soc=0.8, current_a=20.0) for bms in SERIAL + CAN
    }
    return asyncio.run(_all(orders, single=True, seconds=30.0))


@pytest.fixture(scope="module")
def troubled() -> dict[str, Outcome]:
    """One pack of each kind with each trouble, looked for as what it is."""
    orders = {
        f"{bms} {trouble}": Order(bms=bms, link=_link(bms, trouble), troubles={0: trouble})
        for bms in SERIAL
        for trouble in Trouble
    }
    return asyncio.run(_all(orders, single=True, seconds=SECONDS))


def same(found: Found, cells_v: set[tuple[float | None, ...]]) -> bool:
    """Whether the cells are those that the board measured at some moment, to the millivolt."""
    return any(found.meeting.sample.cell_voltages_v == pytest.approx(one, abs=0.0011) for one in cells_v)


@pytest.mark.parametrize("bms", SERIAL + CAN)
def test_a_pack_is_found_by_itself_in_seconds(healthy: dict[str, Outcome], bms: str) -> None:
    outcome = healthy[bms]
    assert [one.way.bms for one in outcome.found] == [bms], outcome.search.account(_link(bms, "one"))
    assert outcome.seconds < 8.0


@pytest.mark.parametrize("bms", TELLS_CELLS)
def test_its_cells_are_those_of_the_model(healthy: dict[str, Outcome], bms: str) -> None:
    (found,) = healthy[bms].found
    assert found.cells == 15
    assert same(found, healthy[bms].cells_v[0])


@pytest.mark.parametrize("bms", SERIAL + CAN)
def test_its_state_is_that_of_the_model(healthy: dict[str, Outcome], bms: str) -> None:
    sample = healthy[bms].found[0].meeting.sample
    assert sample.soc == pytest.approx(0.8, abs=0.011)
    assert sample.current_a == pytest.approx(20.0, abs=1.5)
    assert sample.voltage_v == pytest.approx(15 * 3.35, abs=0.6)
    assert (sample.charge_allowed, sample.discharge_allowed) == (True, True)


@pytest.mark.parametrize("bms", SERIAL)
@pytest.mark.parametrize("trouble", SPOILT)
def test_spoiled_or_missing_answers_give_no_sample(
    troubled: dict[str, Outcome], bms: str, trouble: Trouble
) -> None:
    assert troubled[f"{bms} {trouble}"].found == []


@pytest.mark.parametrize("bms", SERIAL)
@pytest.mark.parametrize("trouble", [Trouble.SLOW, Trouble.STRANGER, Trouble.ASLEEP])
def test_late_and_old_answers_give_a_right_sample_or_none(
    troubled: dict[str, Outcome], bms: str, trouble: Trouble
) -> None:
    outcome = troubled[f"{bms} {trouble}"]
    assert all(same(found, outcome.cells_v[0]) for found in outcome.found)


@pytest.mark.parametrize("bms", [bms for bms in SERIAL if load(bms).spec.sleeps_after_s is not None])
def test_a_pack_that_sleeps_is_woken_and_read(troubled: dict[str, Outcome], bms: str) -> None:
    assert len(troubled[f"{bms} asleep"].found) == 1


@pytest.mark.parametrize("bms", SERIAL)
def test_what_was_heard_in_place_of_an_answer_is_counted(troubled: dict[str, Outcome], bms: str) -> None:
    search = troubled[f"{bms} noise"].search
    (heard,) = search.heard.values()
    assert sum(count for kinds in heard.values() for count in kinds.values()) > 0


@pytest.fixture(scope="module")
def several() -> dict[str, Outcome]:
    """Several packs of a kind, on a wire each or on one pair."""
    orders = {
        "jbd": Order(bms="jbd", count=2),
        "daly-a5": Order(bms="daly-a5", count=2),
        "jk-pb": Order(bms="jk-pb", count=3),
        "dead": Order(bms="jk-modbus", count=3, troubles={2: Trouble.DEAD}),
        "stranger": Order(bms="jk-pb", count=2, troubles={2: Trouble.STRANGER}),
    }
    return asyncio.run(_all(orders, single=False, seconds=15.0))


@pytest.mark.parametrize(
    ("name", "bms", "addresses"),
    [("jbd", "jbd", [None, None]), ("daly-a5", "daly-a5", [1, 2]), ("jk-pb", "jk-pb", [1, 2, 3])],
)
def test_several_packs_of_several_makers_are_all_found_at_once(
    several: dict[str, Outcome], name: str, bms: str, addresses: list[int | None]
) -> None:
    outcome = several[name]
    assert [(one.way.bms, one.way.options().address) for one in outcome.found] == [
        (bms, address) for address in addresses
    ]
    assert all(same(found, told) for found, told in zip(outcome.found, outcome.cells_v, strict=True))
    assert outcome.seconds < 12.0


def test_a_dead_pack_on_a_pair_hides_no_other(several: dict[str, Outcome]) -> None:
    assert [one.way.options().address for one in several["dead"].found] == [1, 3]


def test_the_neighbours_answer_on_a_pair_is_nobodys_sample(several: dict[str, Outcome]) -> None:
    assert [one.way.options().address for one in several["stranger"].found] == [1]


def test_a_paced_line_is_read_at_its_own_speed() -> None:
    outcome = asyncio.run(_outcome(Order(bms="jbd", baudrate=9600), single=True, seconds=10.0))
    assert [one.way.bms for one in outcome.found] == ["jbd"]


def test_a_pack_lives_while_it_is_read() -> None:
    async def story() -> tuple[float, float]:
        simulation = Simulation(Order(bms="jbd", current_a=-100.0))
        before = simulation.packs[0].soc
        await simulation.run(1.2)
        simulation.close()
        return before, simulation.packs[0].soc

    before, after = asyncio.run(story())
    assert after < before


def test_a_line_has_the_name_that_was_asked_for_as_long_as_it_is_there(tmp_path: Path) -> None:
    async def story() -> tuple[list[str], bool]:
        simulation = Simulation(Order(bms="jbd", count=2, link=f"pty:{tmp_path}/battery"))
        ports = [wiring.port for wiring in simulation.wirings]
        there = all(Path(port).is_char_device() for port in ports)
        simulation.close()
        return ports, there

    ports, there = asyncio.run(story())
    assert ports == [f"{tmp_path}/battery0", f"{tmp_path}/battery1"]
    assert there
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_a_killed_simulation_left_behind_is_taken_over(tmp_path: Path) -> None:
    name = tmp_path / "battery"
    name.symlink_to(tmp_path / "gone")

    async def story() -> bool:
        simulation = Simulation(Order(bms="jbd", link=f"pty:{name}"))
        there = name.is_char_device()
        simulation.close()
        return there

    assert asyncio.run(story())


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    name = tmp_path / "battery"
    name.write_text("mine")

    async def story() -> None:
        Simulation(Order(bms="jbd", link=f"pty:{name}"))

    with pytest.raises(ConfigError, match="File exists"):
        asyncio.run(story())
    assert name.read_text() == "mine"


def test_packs_with_addresses_share_a_wire_and_others_do_not() -> None:
    async def story(bms: str) -> list[tuple[int | None, ...]]:
        simulation = Simulation(Order(bms=bms, count=2))
        shares = [wiring.addresses for wiring in simulation.wirings]
        simulation.close()
        return shares

    assert asyncio.run(story("jk-pb")) == [(1, 2)]
    assert asyncio.run(story("jbd")) == [(None,), (None,)]
