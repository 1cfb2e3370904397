from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.config import parse
from bridge.events import Finish, Save, Stop, Tick
from bridge.gateway import SAVE_EVERY_S, Gateway
from bridge.state import Keeper, StateFile, directory

NOW = 1_795_000_000.0  # November 2026
STATE = {"charge": {"stage": "float", "since_full_s": 3600}}
CONFIG = """
[packs.a]
bms = "jbd"
port = "/dev/ttyUSB0"
cells = 16
capacity_ah = 280
rated_current_a = 140
"""


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def kept(folder: Path, text: str) -> StateFile:
    file = StateFile(folder, "cellar", Clock())
    file.path.write_text(text)
    return file


def test_what_is_kept_comes_back_with_its_age(tmp_path: Path) -> None:
    clock = Clock()
    file = StateFile(tmp_path / "new" / "folder", "cellar", clock)
    file.save(STATE)
    clock.now += 90_000

    found = file.load()
    assert (found.state, found.away_s, found.problem) == (STATE, 90_000.0, None)


def test_the_file_is_its_owners_alone_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state", "cellar")
    file.save(STATE)
    file.save(STATE)

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["cellar.json"]


def test_the_first_day_is_no_problem(tmp_path: Path) -> None:
    found = StateFile(tmp_path / "nowhere", "cellar").load()

    assert (found.state, found.away_s, found.problem) == ({}, 0.0, None)


def test_a_clock_that_was_set_back_makes_no_negative_absence(tmp_path: Path) -> None:
    clock = Clock()
    file = StateFile(tmp_path, "cellar", clock)
    file.save(STATE)
    clock.now = 0.0

    assert file.load().away_s == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 1}',
        '{"version": 1, "saved_utc": "2026-11-23T05:00:00Z", "state": []}',
        '{"version": 1, "saved_utc": "yesterday", "state": {}}',
        '{"version": 1, "saved_utc": 5, "state": {}}',
        '{"version": 1, "state": {}}',
        '{"version": 2, "saved_utc": "2026-11-23T05:00:00Z", "state": {}}',
        "[" * 100_000,
        " " * 2_000_000,
        "\udcff",
    ],
)
def test_what_cannot_be_read_is_put_aside_and_said(tmp_path: Path, text: str) -> None:
    file = StateFile(tmp_path, "cellar", Clock())
    file.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    found = file.load()

    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("cellar.json.corrupt-2026")
    assert aside.read_bytes() == text.encode("utf-8", "surrogateescape")
    assert found.state == {}
    assert found.problem is not None
    assert aside.name in found.problem
    file.save(STATE)
    assert file.load().state == STATE


def test_a_file_that_may_not_be_read_is_only_said(tmp_path: Path) -> None:
    file = StateFile(tmp_path, "cellar", Clock())
    file.path.mkdir()

    found = file.load()
    assert found.state == {}
    assert found.problem is not None
    assert str(file.path) in found.problem


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = StateFile(tmp_path, "cellar", Clock())
    file.save(STATE)
    with pytest.raises(ValueError, match="JSON"):
        file.save({"charge": float("nan")})

    assert file.load().state == STATE
    assert [path.name for path in tmp_path.iterdir()] == ["cellar.json"]


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        ("/srv/state", {"STATE_DIRECTORY": "/var/lib/packbridge"}, "/srv/state"),
        (None, {"STATE_DIRECTORY": "/var/lib/packbridge", "HOME": "/root"}, "/var/lib/packbridge"),
        (None, {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        (None, {"XDG_STATE_HOME": "/home/ada/state", "HOME": "/home/ada"}, "/home/ada/state/packbridge"),
        (None, {"HOME": "/home/ada"}, "/home/ada/.local/state/packbridge"),
    ],
)
def test_state_is_kept_where_it_belongs(
    asked: str | None, environment: Mapping[str, str], expected: str
) -> None:
    assert directory(asked, environment) == Path(expected)


def test_the_last_of_many_states_is_what_is_kept(tmp_path: Path) -> None:
    file = StateFile(tmp_path, "cellar")
    complaints: list[str] = []

    async def keep() -> None:
        keeper = Keeper(file, complaints.append)
        for number in range(20):
            keeper.keep({"number": number})
        await keeper.finish()

    asyncio.run(keep())
    assert (file.load().state, complaints) == ({"number": 19}, [])


def test_a_folder_that_cannot_be_written_is_complained_of_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    file = StateFile(tmp_path / "file" / "below", "cellar")
    complaints: list[str] = []

    async def keep() -> None:
        keeper = Keeper(file, complaints.append)
        for _ in range(3):
            keeper.keep(STATE)
            await keeper.finish()

    asyncio.run(keep())
    assert len(complaints) == 1
    assert str(file.path) in complaints[0]


def test_the_engine_asks_to_keep_its_state_once_a_minute_and_at_the_end() -> None:
    gateway = Gateway(parse(CONFIG, "test"), {}, 0.0)
    times_s = [
        number
        for number in range(1, 200)
        if any(isinstance(action, Save) for action in gateway.handle(Tick(), float(number)))
    ]
    last = gateway.handle(Stop(), 200.0)

    assert times_s == [SAVE_EVERY_S, 2 * SAVE_EVERY_S, 3 * SAVE_EVERY_S]
    assert [type(action) for action in last] == [Save]
    assert not any(isinstance(action, Finish) for action in last[1:])
    json.dumps([action.state for action in last if isinstance(action, Save)], allow_nan=False)


def test_a_fault_is_kept_at_once_and_so_is_that_it_was_cleared() -> None:
    def kept(gateway: Gateway, now: float) -> list[object]:
        actions = gateway.handle(Tick(), now)
        return [action.state["faults"] for action in actions if isinstance(action, Save)]

    fault = {"pack": "garage", "alarm": "fire", "text": "garage: fire"}
    gateway = Gateway(parse(CONFIG, "test"), {}, 0.0)
    assert kept(gateway, 1.0) == []

    gateway.aggregator.restore({"faults": [fault]}, 1.5, 0.0)  # as if it had just been latched
    assert [kept(gateway, now) for now in (2.0, 3.0)] == [[[fault]], []]

    gateway.aggregator.clear_faults()
    assert [kept(gateway, now) for now in (4.0, 5.0)] == [[[]], []]


def test_a_fault_that_was_restored_is_not_written_again_at_once() -> None:
    gateway = Gateway(parse(CONFIG, "test"), {}, 0.0)
    gateway.restore({"faults": [{"pack": "garage", "alarm": "fire", "text": "garage: fire"}]}, 0.0, 0.0)

    assert not any(isinstance(action, Save) for action in gateway.handle(Tick(), 1.0))


def test_what_one_run_kept_the_next_one_goes_on_from(tmp_path: Path) -> None:
    file = StateFile(tmp_path, "cellar")
    first = Gateway(parse(CONFIG, "test"), {}, 0.0)
    first.restore(STATE, 0.0, 0.0)
    for action in first.handle(Stop(), 10.0):
        if isinstance(action, Save):
            file.save(action.state)
    second = Gateway(parse(CONFIG, "test"), {}, 50_000.0)
    found = file.load()
    second.restore(found.state, 50_000.0, found.away_s)
    second.handle(Tick(), 50_001.0)

    assert second.decision is not None
    assert second.decision.stage == "float"
    assert [path.name for path in tmp_path.iterdir()] == ["cellar.json"]
