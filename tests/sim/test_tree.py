from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sim.circuit import Circuit
from bridge.sim.lumped import LumpedPack
from bridge.sim.split import DIODE_V, Branch, split
from bridge.sim.tree import Leaf, Node, Parallel, Series, carry, parts
from tests.sim.scenarios import lumped, side_by_side


def locked(pack: LumpedPack, *, charge: bool = False, discharge: bool = False) -> LumpedPack:
    pack.bms.lock(charge=charge, discharge=discharge)
    return pack


def currents(node: Node) -> list[float]:
    return [leaf.current_a for leaf in node.leaves()]


@st.composite
def trees(draw: st.DrawFn, depth: int = 2) -> Node:
    kind = draw(st.sampled_from(["leaf", "series", "parallel"])) if depth else "leaf"
    if kind == "leaf":
        pack = lumped(
            cells=8,
            soc=draw(st.floats(0.2, 0.8)),
            path_ohm=draw(st.floats(0.002, 0.02)),
            capacity_ah=draw(st.floats(50, 300)),
        )
        charge, discharge = (
            draw(st.tuples(st.booleans(), st.booleans())) if draw(st.booleans()) else (False, False)
        )
        return Leaf(locked(pack, charge=charge, discharge=discharge))
    children = draw(st.lists(trees(depth=depth - 1), min_size=1, max_size=3))
    return Series(*children) if kind == "series" else Parallel(*children)


def obeys_the_laws(node: Node, current_a: float) -> bool:
    """Whether every node below carries what it must; what it carries itself is current_a."""
    if isinstance(node, Leaf):
        low_a, high_a = node.reach_a()
        return low_a - 1e-6 <= node.current_a <= high_a + 1e-6 and abs(node.current_a - current_a) < 1e-6
    if isinstance(node, Series):
        return all(obeys_the_laws(child, current_a) for child in node.children)
    below = [through(child) for child in node.children]
    return abs(sum(below) - current_a) < 1e-3 and all(
        obeys_the_laws(child, part_a) for child, part_a in zip(node.children, below, strict=True)
    )


def through(node: Node) -> float:
    if isinstance(node, Leaf):
        return node.current_a
    return through(node.children[0]) if isinstance(node, Series) else sum(map(through, node.children))


@given(trees(), st.floats(-200, 200))
def test_currents_add_up_in_every_tree(node: Node, demand_a: float) -> None:
    flows_a = carry(node, demand_a)
    low_a, high_a = node.reach_a()
    assert flows_a == min(max(demand_a, low_a), high_a)
    assert obeys_the_laws(node, flows_a)


@given(trees(), st.floats(1, 100))
def test_voltage_rises_with_current_in_every_tree(node: Node, step_a: float) -> None:
    low_a, high_a = node.reach_a()
    first_a = max(low_a, -50.0)
    second_a = min(high_a, first_a + step_a)
    assert node.voltage_at(second_a) >= node.voltage_at(first_a) - 1e-6


@given(trees(), st.floats(-100, 100))
def test_a_voltage_gives_back_its_current(node: Node, demand_a: float) -> None:
    flows_a = carry(node, demand_a)
    if abs(flows_a) > 0.1:
        assert node.current_at(node.voltage_at(flows_a)) == pytest.approx(flows_a, abs=1e-3)


def brute_current_a(node: Node, voltage_v: float) -> float:
    """By the laws alone: of a pack its branch, in parallel a sum, in series the current that fits."""
    if isinstance(node, Leaf):
        return node.pack.branch().current_a(voltage_v)
    if isinstance(node, Parallel):
        return sum(brute_current_a(child, voltage_v) for child in node.children)
    return halved(lambda amps: sum(brute_voltage_v(child, amps) for child in node.children), voltage_v, 1e4)


def brute_voltage_v(node: Node, current_a: float) -> float:
    if isinstance(node, Series):
        return sum(brute_voltage_v(child, current_a) for child in node.children)
    return halved(lambda volts: brute_current_a(node, volts), current_a, 500.0)


def halved(rising: Callable[[float], float], wanted: float, most: float) -> float:
    low, high = -most, most
    for _ in range(48):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


@settings(max_examples=60)
@given(trees(depth=1), st.floats(-150, 150))
def test_a_trees_currents_are_those_of_the_laws_alone(node: Node, demand_a: float) -> None:
    flows_a = carry(node, demand_a)
    if not isinstance(node, Parallel):
        assert all(leaf.current_a == pytest.approx(flows_a) for leaf in node.leaves())
        return
    bus_v = brute_voltage_v(node, flows_a)
    if abs(flows_a) > 0.1:
        assert node.voltage_at(flows_a) == pytest.approx(bus_v, abs=1e-6)
        expected = [brute_current_a(child, bus_v) for child in node.children]
        assert currents(node) == pytest.approx(expected, abs=1e-4)


@settings(max_examples=15)
@given(trees(depth=2), st.floats(-150, 150))
def test_packs_side_by_side_in_a_tree_have_one_voltage(node: Node, demand_a: float) -> None:
    flows_a = carry(node, demand_a)
    for one in below(node):
        if not isinstance(one, Parallel) or abs(through(one)) < 0.1:
            continue
        bus_v = brute_voltage_v(one, through(one))
        for child in one.children:
            assert through(child) == pytest.approx(brute_current_a(child, bus_v), abs=1e-2)
    assert through(node) == pytest.approx(flows_a, abs=1e-3)


def below(node: Node) -> list[Node]:
    return [node] if isinstance(node, Leaf) else [node, *(n for child in node.children for n in below(child))]


def test_in_series_resistances_and_voltages_add() -> None:
    packs = [lumped(cells=4, path_ohm=0.002), lumped(cells=4, path_ohm=0.003, soc=0.6)]
    line = Series(*map(Leaf, packs)).line()
    assert line is not None
    assert line.emf_v == pytest.approx(sum(pack.emf_v for pack in packs))
    assert line.resistance_ohm == pytest.approx(sum(pack.resistance_ohm for pack in packs))


def test_strings_in_parallel_share_by_their_whole_resistance() -> None:
    stiff = Series(Leaf(lumped(cells=8, path_ohm=0.002)), Leaf(lumped(cells=8, path_ohm=0.002)))
    soft = Series(Leaf(lumped(cells=8, path_ohm=0.01)), Leaf(lumped(cells=8, path_ohm=0.01)))
    bank = Parallel(stiff, soft)
    carry(bank, -100.0)
    one, two = stiff.line(), soft.line()
    assert one is not None
    assert two is not None
    share = two.resistance_ohm / (one.resistance_ohm + two.resistance_ohm)
    assert currents(bank) == pytest.approx([-100 * share] * 2 + [-100 * (1 - share)] * 2)


def test_one_open_board_takes_its_string_off_the_bus() -> None:
    bank = Parallel(
        Series(Leaf(lumped(cells=8)), Leaf(locked(lumped(cells=8), charge=True, discharge=True))),
        Series(Leaf(lumped(cells=8)), Leaf(lumped(cells=8))),
    )
    assert carry(bank, -80.0) == -80.0
    assert currents(bank) == pytest.approx([0.0, 0.0, -80.0, -80.0])


def test_a_group_with_an_open_board_carries_its_current_through_the_others() -> None:
    bank = Series(
        Parallel(Leaf(lumped(cells=8)), Leaf(locked(lumped(cells=8), charge=True, discharge=True))),
        Parallel(Leaf(lumped(cells=8)), Leaf(lumped(cells=8))),
    )
    assert carry(bank, 60.0) == 60.0
    assert currents(bank) == pytest.approx([60.0, 0.0, 30.0, 30.0])


def test_a_one_way_string_conducts_after_all_its_diodes() -> None:
    string = Series(*(Leaf(locked(lumped(cells=8), charge=True)) for _ in range(2)))
    branch = string.branch()
    assert branch is not None
    assert branch.kink_v == pytest.approx(branch.emf_v - 2 * DIODE_V)
    assert carry(string, 50.0) == 0.0
    assert carry(string, -50.0) == -50.0


def test_a_string_of_opposite_diodes_conducts_nothing() -> None:
    string = Series(Leaf(locked(lumped(), charge=True)), Leaf(locked(lumped(), discharge=True)))
    assert carry(string, 50.0) == carry(string, -50.0) == 0.0


def test_parts_are_slopes_and_leave_the_tree_as_it_was() -> None:
    bank = Parallel(Leaf(lumped(path_ohm=0.004)), Leaf(lumped(path_ohm=0.012, soc=0.6)))
    carry(bank, -70.0)
    before = currents(bank)
    found = parts(bank)
    assert currents(bank) == before
    assert sum(per_a for per_a, _ in found) == pytest.approx(1.0)
    assert sum(idle_a for _, idle_a in found) == pytest.approx(0.0, abs=1e-9)
    assert before == pytest.approx([idle_a - 70.0 * per_a for per_a, idle_a in found])


@given(
    st.lists(
        st.tuples(st.floats(0.2, 0.9), st.floats(0.002, 0.02), st.integers(0, 3)), min_size=1, max_size=4
    )
)
def test_the_short_cut_for_packs_side_by_side_is_the_exact_division(
    drawn: list[tuple[float, float, int]],
) -> None:
    packs = [
        locked(lumped(soc=soc, path_ohm=ohm), charge=state == 1, discharge=state == 2)
        for soc, ohm, state in drawn
    ]
    circuit = side_by_side(*packs)
    expected = split([pack.branch() for pack in packs], -60.0)
    flows_a = circuit.carry(-60.0)
    assert flows_a == pytest.approx(expected.total_a)
    assert [leaf.current_a for leaf in circuit.leaves] == pytest.approx(list(expected.currents_a), abs=1e-6)
    if abs(flows_a) > 0:
        assert circuit.bus_v == pytest.approx(expected.bus_v)
        assert circuit.current_at(circuit.bus_v) == pytest.approx(flows_a, abs=1e-6)
    for found, exact in zip(circuit.parts(), parts(circuit.root), strict=True):
        assert found == pytest.approx(exact, abs=1e-6)


def test_a_single_pack_is_a_circuit() -> None:
    circuit = Circuit(Leaf(lumped()))
    assert circuit.carry(-20.0) == -20.0
    assert circuit.leaves[0].current_a == -20.0


def test_an_open_string_stores_the_drop_of_its_diodes() -> None:
    branch = replace(Branch(emf_v=50.0, resistance_ohm=0.01, charge_on=False), diode_v=1.4)
    assert branch.current_a(48.6) == 0.0
    assert branch.current_a(48.5) == pytest.approx(-10.0)
