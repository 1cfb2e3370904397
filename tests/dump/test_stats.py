"""Statistics of a log: periods beside numpy's own, the load beside a calculation by hand."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dump.block import ERROR, Block, block_of, joined
from bridge.dump.spread import BINS, Spread
from bridge.dump.stats import TIMED_IDS, record, statistics
from bridge.model import CanFrame
from tests.dump.test_bits import sent

START_S = 1_700_000_000.0


def regular(can_id: int, period_s: float, count: int, data: bytes = bytes(8)) -> list[tuple[float, CanFrame]]:
    return [(START_S + number * period_s, CanFrame(can_id, data)) for number in range(count)]


def in_parts(block: Block, size: int) -> list[Block]:
    return [block.take(slice(at, at + size)) for at in range(0, len(block), size)]


@given(
    times_s=st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=200), part=st.sampled_from([0.01, 0.5, 0.99])
)
def test_a_quantile_is_numpys_to_one_percent(times_s: list[float], part: float) -> None:
    spread = Spread()
    for time_s in times_s:
        spread.add(np.array([time_s]))
    exact = np.quantile(times_s, part, method="inverted_cdf")
    assert spread.quantile(part) == pytest.approx(exact, rel=0.0101)
    assert (spread.minimum_s, spread.maximum_s) == (min(times_s), max(times_s))
    assert spread.deviation_s == pytest.approx(np.std(times_s), rel=1e-3, abs=1e-3 * max(times_s))


def test_equal_times_have_exact_quantiles() -> None:
    spread = Spread()
    spread.add(np.full(1000, 1.0))
    assert (spread.quantile(0.5), spread.quantile(0.99), spread.deviation_s) == (1.0, 1.0, 0.0)


def test_no_times_have_no_quantile() -> None:
    assert (Spread().quantile(0.5), Spread().deviation_s) == (None, None)


def test_times_of_any_size_have_a_place() -> None:
    spread = Spread()
    spread.add(np.array([0.0, 1e-9, 1e12]))
    assert spread.count == 3
    assert len(spread._counts) == BINS


def test_periods_gaps_and_counts_are_told() -> None:
    frames = regular(0x351, 1.0, 100)
    del frames[50:52]
    (found,) = statistics([block_of(frames)]).values()
    (limits,) = cast("list[dict[str, float]]", record(found, 500_000)["ids"])
    assert limits["count"] == 98
    assert (limits["period_p50_s"], limits["period_max_s"], limits["period_min_s"]) == (1.0, 3.0, 1.0)
    assert limits["jitter_s"] == pytest.approx(np.std([1.0] * 96 + [3.0]), abs=1e-6)


def test_the_load_counts_every_bit_over_the_time() -> None:
    frames = regular(0x351, 0.01, 1001)
    (found,) = statistics([block_of(frames)]).values()
    bits = 1001 * sent(CanFrame(0x351, bytes(8)))
    assert found.load(500_000) == pytest.approx(bits / 500_000 / 10)
    assert found.load(250_000) == pytest.approx(2 * bits / 500_000 / 10)


def test_the_peak_is_the_busiest_second_wherever_blocks_end() -> None:
    quiet, busy = (
        regular(0x351, 0.1, 100),
        [(START_S + 5 + n / 1000, CanFrame(0x356, b"")) for n in range(900)],
    )
    block = block_of(sorted([*quiet, *busy], key=lambda one: one[0]))
    whole = statistics([block])["can0"].peak_bits
    assert whole == 900 * sent(CanFrame(0x356, b"")) + 10 * sent(CanFrame(0x351, bytes(8)))
    assert statistics(in_parts(block, 7))["can0"].peak_bits == whole


@given(size=st.integers(1, 60))
def test_blocks_of_any_size_give_the_same(size: int) -> None:
    frames = [*regular(0x351, 1.0, 30), *regular(0x18FF0001 & 0x7FF, 0.3, 40), *regular(0x356, 0.7, 30)]
    block = block_of(sorted(frames, key=lambda one: one[0]))
    whole, parts = statistics([block])["can0"], statistics(in_parts(block, size))["can0"]
    assert record(parts, 500_000) == record(whole, 500_000)


def test_every_channel_is_counted_by_itself() -> None:
    one, other = block_of(regular(0x351, 1.0, 5)), block_of(regular(0x356, 0.5, 7))
    both = joined([one, other])
    channel = np.array([0] * 5 + [1] * 7, np.uint16)
    block = Block(
        time_s=both.time_s, can_id=both.can_id, flags=both.flags, length=both.length, data=both.data,
        channel=channel, line=both.line, channels=("can0", "can1"),
    )  # fmt: skip
    found = statistics([block])
    assert {name: sorted(stats.ids) for name, stats in found.items()} == {"can0": [0x351], "can1": [0x356]}


def test_a_log_without_times_is_counted() -> None:
    block = block_of([(float("nan"), CanFrame(0x351, bytes(8)))] * 3)
    (found,) = statistics([block]).values()
    said = record(found, 500_000)
    assert (said["frames"], said["duration_s"], said["load_pct"], said["peak_load_pct"]) == (
        3,
        None,
        None,
        None,
    )


def test_error_frames_are_counted_but_are_no_identifier() -> None:
    block = block_of(
        [(START_S, CanFrame(0x351, b"")), (START_S + 1, CanFrame(4, bytes(8)))], flags=[0, ERROR]
    )
    (found,) = statistics([block]).values()
    assert (found.errors, list(found.ids)) == (1, [0x351])


def test_time_that_goes_back_is_counted_and_no_period() -> None:
    frames = [(START_S + at, CanFrame(0x351, b"")) for at in (0.0, 1.0, 0.5, 1.5)]
    (found,) = statistics([block_of(frames)]).values()
    assert found.backwards == 1
    periods = found.ids[0x351].periods
    assert periods is not None
    assert periods.count == 2


def test_memory_is_bounded_whatever_the_identifiers() -> None:
    frames = [(START_S + n, CanFrame(n, b"", extended=True)) for n in range(TIMED_IDS + 50)]
    (found,) = statistics([block_of(frames)]).values()
    assert len(found.ids) == TIMED_IDS + 50
    assert sum(one.periods is not None for one in found.ids.values()) == TIMED_IDS
