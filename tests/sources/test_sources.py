"""A balancer completes its pack's samples, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge import config
from bridge.model import PackSample
from bridge.sources.bus import Sampled
from bridge.sources.sources import Sources

CONFIG = """
[packs.garage]
bms = "jbd"
port = "/dev/ttyUSB0"
cells = 4
capacity_ah = 100
rated_current_a = 100

[packs.garage.balancer]
bms = "neey"
port = "ble:AA:BB:CC:DD:EE:FF"

[packs.shed]
bms = "jbd"
port = "/dev/ttyUSB1"
cells = 4
capacity_ah = 100
rated_current_a = 100
"""

CELLS_V = (3.30, 3.31, 3.32, 3.33)
BARE = PackSample(time_s=10.0, voltage_v=13.26, current_a=5.0)
BALANCER = PackSample(time_s=9.0, cell_voltages_v=CELLS_V, balancing=True)


@pytest.fixture
def sources() -> Sources:
    return Sources(config.parse(CONFIG, "test").packs)


def given(sources: Sources, *outputs: Sampled) -> list[tuple[str, PackSample]]:
    found = sources.completed(outputs)
    return [(one.pack, one.sample) for one in found if isinstance(one, Sampled)]


def test_a_balancers_cells_complete_a_sample_that_has_none(sources: Sources) -> None:
    seen = given(sources, Sampled("garage/balancer", BALANCER), Sampled("garage", BARE))
    assert seen == [("garage", replace(BARE, time_s=9.0, cell_voltages_v=CELLS_V, balancing=True))]


def test_a_balancer_alone_is_no_pack(sources: Sources) -> None:
    assert given(sources, Sampled("garage/balancer", BALANCER)) == []


def test_what_the_bms_itself_says_of_its_cells_stands(sources: Sources) -> None:
    own = replace(BARE, cell_voltages_v=(3.2,) * 4)
    assert given(sources, Sampled("garage/balancer", BALANCER), Sampled("garage", own)) == [("garage", own)]


def test_old_cells_complete_nothing(sources: Sources) -> None:
    late = replace(BARE, time_s=20.0)
    assert given(sources, Sampled("garage/balancer", BALANCER), Sampled("garage", late)) == [("garage", late)]


def test_a_balancer_is_of_its_own_pack_only(sources: Sources) -> None:
    assert given(sources, Sampled("garage/balancer", BALANCER), Sampled("shed", BARE)) == [("shed", BARE)]


def test_a_lost_balancer_is_no_lost_pack(sources: Sources) -> None:
    assert sources.packs_on("AA:BB:CC:DD:EE:FF") == []
    assert sources.packs_on("ble:AA:BB:CC:DD:EE:FF") == []
    assert sources.packs_on("/dev/ttyUSB0") == ["garage"]
