from __future__ import annotations

from bridge.sim.demand import alternating, fixed


def test_a_fixed_demand_never_changes() -> None:
    assert [fixed(-30.0)(elapsed_s) for elapsed_s in (0.0, 7.0, 1e6)] == [-30.0, -30.0, -30.0]


def test_charging_and_discharging_take_turns() -> None:
    demand = alternating(100.0, 50.0, block_s=10.0)
    wanted_a = [demand(elapsed_s) for elapsed_s in (0.0, 9.9, 10.0, 19.9, 20.0)]
    assert [current_a > 0 for current_a in wanted_a] == [True, True, False, False, True]
    assert all(60.0 <= current_a <= 100.0 for current_a in wanted_a if current_a > 0)
    assert all(-50.0 <= current_a <= -30.0 for current_a in wanted_a if current_a < 0)


def test_each_turn_is_drawn_anew_and_constant_within_itself() -> None:
    demand = alternating(100.0, 50.0, block_s=10.0)
    assert demand(1.0) == demand(9.0)
    assert demand(1.0) != demand(21.0)


def test_the_seed_alone_decides() -> None:
    moments = [float(elapsed_s) for elapsed_s in range(0, 100, 7)]
    first, again, other = (alternating(100.0, 50.0, seed=seed) for seed in (1, 1, 2))
    forwards = [first(moment) for moment in moments]
    backwards = [again(moment) for moment in reversed(moments)]
    assert forwards == backwards[::-1]
    assert forwards != [other(moment) for moment in moments]
