from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bridge.battery.topology import normal, units, without
from bridge.errors import BridgeBug
from bridge.model import PackSettings
from tests.battery.story import pack
from tests.battery.wiring import FOUR, GROUPS, IN_SERIES, STRINGS, parallel, series


def test_a_part_is_called_as_the_user_does_or_by_how_it_is_wired() -> None:
    assert STRINGS.name == "(a+b)|(c+d)"
    assert series(parallel("a", "b", name="cellar"), "c").name == "cellar+c"
    assert GROUPS.packs == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    "topology",
    [
        parallel("a", "b", "c", "d"),
        parallel(parallel("a", "b"), parallel("c", "d")),
        series(parallel(series("a"), "b", "c", "d")),
        series("a"),
    ],
)
def test_what_comes_to_packs_in_parallel_is_no_tree(topology: object) -> None:
    assert normal(topology) is None  # type: ignore[arg-type]  # all of them are


def test_what_is_wired_alike_is_one_part() -> None:
    assert normal(series("a", series("b", "c"), parallel("d"))) == series("a", "b", "c", "d")
    assert normal(parallel(parallel("a", series("b", "c")), "d")) == parallel("a", series("b", "c"), "d")


def test_a_string_has_all_cells_and_what_its_weakest_pack_has() -> None:
    weak = replace(
        FOUR[1],
        capacity_ah=85.0,
        rated_charge_current_a=30.0,
        fuse_a=60.0,
        cell_charge_v=3.40,
        cell_min_v=3.0,
    )
    (own,) = units(IN_SERIES, [FOUR[0], weak, *FOUR[2:]])
    assert (own.name, own.cells, own.capacity_ah) == ("a+b+c+d", 16, 85.0)
    assert (own.rated_charge_current_a, own.rated_discharge_current_a, own.fuse_a) == (30.0, 80.0, 60.0)
    assert (own.cell_charge_v, own.cell_max_v, own.cell_min_v) == (3.40, 3.55, 3.0)


def test_a_string_trips_with_its_first_bms_and_resists_with_all() -> None:
    said = replace(FOUR[0], path_mohm=3.0, ocp_a=120.0, ocp_fast_a=300.0, ocp_delay_s=10.0)
    (own,) = units(series("a", "b"), [said, FOUR[1]])
    assert (own.path_mohm, own.ocp_a, own.ocp_fast_a, own.ocp_delay_s) == (None, 1.1 * 80, 160.0, None)
    (own,) = units(series("a", "b"), [said, replace(said, name="b", ocp_delay_s=5.0)])
    assert (own.path_mohm, own.ocp_a, own.ocp_fast_a, own.ocp_delay_s) == (6.0, 120.0, 300.0, 5.0)
    (own,) = units(series("a", "b"), FOUR[:2])
    assert (own.path_mohm, own.ocp_a, own.ocp_fast_a, own.ocp_delay_s) == (None, None, None, None)


def test_a_group_has_the_cells_of_one_and_what_all_carry_within_their_fuses() -> None:
    fused = replace(FOUR[0], fuse_a=50.0)
    (own,) = units(GROUPS, [fused, *FOUR[1:]])
    assert (own.cells, own.capacity_ah, own.rated_charge_current_a) == (8, 200.0, 130.0)


def test_single_packs_and_strings_may_hang_side_by_side() -> None:
    long = pack("long", 50, 40, cells=8)
    assert [own.name for own in units(parallel("long", series("a", "b")), [long, *FOUR[:2]])] == [
        "long",
        "a+b",
    ]
    assert units(None, FOUR) == list(FOUR)


def test_what_is_out_of_service_is_out_of_the_wiring_and_a_string_goes_as_a_whole() -> None:
    assert without(STRINGS, {"a", "b"}) == parallel(series("c", "d"))
    assert without(GROUPS, {"a"}) == series(parallel("b"), parallel("c", "d"))
    assert without(IN_SERIES, {"a"}) is None
    assert without(parallel("a", "b"), {"a", "b"}) is None


@pytest.mark.parametrize("topology", [series("a", "b", "c"), series("a", "a", "b", "c", "d"), parallel("x")])
def test_a_pack_that_is_not_wired_once_is_a_bug(topology: object) -> None:
    with pytest.raises(BridgeBug):
        units(topology, FOUR)  # type: ignore[arg-type]  # all of them are


FOLDED = {
    "name", "cells", "capacity_ah", "rated_charge_current_a", "rated_discharge_current_a", "fuse_a",
    "series_rated", "cell_charge_v", "cell_max_v", "cell_min_v", "temperature_min_charge_c",
    "temperature_max_charge_c", "temperature_min_discharge_c", "temperature_max_discharge_c", "period_s",
    "lost_after_s", "charge_fuse_a", "discharge_fuse_a", "port_kind", "bus_on", "soc_source",
    "path_mohm", "ocp_a", "ocp_fast_a", "ocp_delay_s",
}  # fmt: skip
ALIKE = {"chemistry", "curves", "excluded"}


def test_it_is_decided_for_every_setting_of_a_pack_what_it_is_for_a_string() -> None:
    """A new one would be taken from a string's first pack alone: say in `as_one` what becomes of it."""
    assert {item.name for item in fields(PackSettings)} == FOLDED | ALIKE
