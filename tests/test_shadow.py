"""Beside an existing battery: everything is computed, nothing is sent, and what differs is said."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, cast

import can
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import config, profiles
from bridge.assembly import assemble_shadow
from bridge.comparison import STEADY, Comparison, tolerance
from bridge.events import (
    Action,
    Alive,
    Arm,
    Finish,
    HealthChanged,
    Level,
    LinkDown,
    LinkUp,
    Received,
    Report,
    Stop,
)
from bridge.gateway import Gateway
from bridge.links import bcm, cyclic
from bridge.model import Bank, CanFrame, Decision
from bridge.protocols.contract import Options, load
from bridge.shadow import Shadow
from bridge.sim.device import PtyPack
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from tests.test_gateway import CAN, World, reading, world
from tests.test_run import CELLS, CONFIG, LONG_S, Terminal

DIALECT = dialects.load(profiles.dialect_path(profiles.load("deye-lv")))
SIGNALS = {signal.name: signal for message in DIALECT.messages.values() for signal in message.signals}


def battery(ccl_a: float = 100.0, soc: float = 0.6, current_a: float = 10.0) -> tuple[CanFrame, ...]:
    """One cycle of an existing battery, made by our own encoder from numbers of its own."""
    decision = Decision(
        time_s=0.0,
        bank=Bank(
            voltage_v=52.8, current_a=current_a, soc=soc, soh=1.0, temperature_c=25.0, remaining_ah=100.0,
            full_ah=200.0, pack_count=2, packs_online=2,
        ),
        charge_voltage_limit_v=55.2,
        discharge_voltage_limit_v=46.4,
        charge_current_limit_a=ccl_a,
        discharge_current_limit_a=ccl_a,
        charge_enabled=True,
        discharge_enabled=True,
    )  # fmt: skip
    return CanSink("house", profiles.load("deye-lv")).frames(decision, lambda one: one)


def compared(ours: tuple[CanFrame, ...], theirs: list[tuple[CanFrame, ...]]) -> list[tuple[str, bool]]:
    comparison = Comparison(DIALECT)
    comparison.ours(ours)
    return [
        (one.signal, one.differs)
        for second, cycle in enumerate(theirs)
        for frame in cycle
        for one in comparison.theirs(frame, float(second))
    ]


def test_a_difference_is_news_once_when_it_starts_and_once_when_it_ends() -> None:
    strange, same = battery(ccl_a=40.0), battery()
    assert compared(same, [same] * 5 + [strange] * 20 + [same] * 20) == [
        ("charge_current_limit_a", True),
        ("discharge_current_limit_a", True),
        ("charge_current_limit_a", False),
        ("discharge_current_limit_a", False),
    ]


def test_what_is_within_two_good_shunts_is_no_difference() -> None:
    assert compared(battery(current_a=10.0, soc=0.6), [battery(current_a=10.8, soc=0.61)] * 10) == []


def test_what_was_seen_only_for_a_moment_is_no_difference() -> None:
    same, strange = battery(), battery(soc=0.2)
    flicker = [same, *[strange] * (STEADY - 1), same] * 5
    assert compared(same, flicker) == []


def test_what_they_say_and_we_would_not_differs() -> None:
    ours = tuple(frame for frame in battery() if frame.can_id != 0x359)
    differing = {name for name, _ in compared(ours, [battery()] * 5)}
    assert differing == {name for name in differing if name in _names(0x359)} != set()


def _names(can_id: int) -> set[str]:
    return {signal.name for signal in DIALECT.messages[can_id, False].signals}


def test_frames_beside_the_cycle_count_and_a_battery_with_another_address_is_understood() -> None:
    comparison = Comparison(DIALECT, id_offset=0x10)
    for frame in battery():
        comparison.also(replace(frame, can_id=frame.can_id + 0x10))
    theirs = [replace(frame, can_id=frame.can_id + 0x10) for frame in battery(soc=0.1)]
    found = [one.signal for _ in range(5) for frame in theirs for one in comparison.theirs(frame, 0.0)]
    assert found == ["soc_pct"]
    assert comparison.is_theirs(theirs[0])
    assert not comparison.is_theirs(battery()[0])


def test_while_we_would_be_silent_nothing_is_compared() -> None:
    assert compared((), [battery()] * 10) == []


def test_every_number_has_a_tolerance_that_is_not_below_its_own_step() -> None:
    numbers = [signal for signal in SIGNALS.values() if signal.unit in {"V", "A", "%", "degC", "Ah"}]
    assert len(numbers) > 5
    assert all(tolerance(signal, 1.0) >= signal.scale for signal in numbers)


@given(st.lists(st.sampled_from([0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E, 0x305, 0x123])), st.data())
@settings(max_examples=50, deadline=None)
def test_no_frame_of_any_length_breaks_the_comparison(ids: list[int], data: st.DataObject) -> None:
    comparison = Comparison(DIALECT)
    comparison.ours(battery())
    for can_id in ids:
        comparison.theirs(CanFrame(can_id, data.draw(st.binary(max_size=8))), 0.0)
    assert all(row.differing <= row.readings for row in comparison.rows())


# The engine


def shadow(tell: Callable[[Report], None] | None = None) -> World:
    made = world(connect=False)
    engine = Shadow(made.gateway) if tell is None else Shadow(made.gateway, tell)
    watched = World(cast(Gateway, engine), made.ports)
    for link in (*made.ports, CAN):
        watched.event(LinkUp(link))
    return watched


def hear(made: World, cycle: tuple[CanFrame, ...], seconds: int) -> None:
    for _ in range(seconds):
        for frame in cycle:
            made.event(Received(CAN, frame))
        made.run(1.0)


def said(made: World, event: str) -> list[dict[str, object]]:
    return [dict(report.fields) for report in made.reports if report.event == event]


def test_no_action_that_sends_ever_leaves_it() -> None:
    made = shadow()
    sent: list[Action] = []
    made._do = sent.extend  # type: ignore[method-assign, assignment]
    hear(made, battery(), 20)
    made.event(LinkDown(CAN, "unplugged"))
    made.event(LinkUp(CAN))
    made.event(HealthChanged(CAN, "bus-off"))
    made.event(Stop())
    assert any(isinstance(action, Alive) for action in sent)
    assert [action for action in sent if isinstance(action, Arm | Finish)] == []
    assert [action for action in sent if getattr(action, "link", None) == CAN] == []


def test_it_says_what_differs_and_takes_nobody_for_a_rival() -> None:
    told: list[Report] = []
    made = shadow(told.append)
    hear(made, battery(soc=0.3), 25)
    assert [one["signal"] for one in said(made, "shadow_differs") if one["signal"] == "soc_pct"] == [
        "soc_pct"
    ]
    assert said(made, "other_sender") == []
    assert said(made, "shadow_battery") == [{"inverter": "house", "heard": True}]
    assert [report for report in made.reports if report.event.startswith("shadow_")] == told


def test_a_battery_that_falls_silent_is_missed() -> None:
    made = shadow()
    hear(made, battery(), 5)
    made.run(10)
    assert [one["heard"] for one in said(made, "shadow_battery")] == [True, False]


def test_a_bus_without_a_battery_is_said_once() -> None:
    made = shadow()
    made.run(60)
    (report,) = [report for report in made.reports if report.event == "shadow_battery"]
    assert (report.level, report.fields["heard"]) == (Level.WARNING, False)


# On a bus


def test_with_a_whole_runtime_there_is_no_sender_and_not_a_frame_on_the_bus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a sender was made")

    monkeypatch.setattr(cyclic.CyclicSender, "__init__", refuse)
    monkeypatch.setattr(bcm.BcmSender, "__init__", refuse)
    name = f"test-{uuid.uuid4()}"

    async def story() -> tuple[Shadow, can.Message | None]:
        pack = PtyPack(load("jbd").device(Options(cells=CELLS)), reading)
        text = CONFIG.replace('interface = "slcan"', 'interface = "virtual"')
        runtime = assemble_shadow(
            config.parse(text.format(board=pack.path, adapter=name, state="unused", control="off"), "test")
        )
        assert runtime.senders == {}
        assert isinstance(runtime.engine, Shadow)
        with can.Bus(interface="virtual", channel=name, ignore_config=True) as peer:
            asyncio.get_running_loop().call_later(4.0, runtime.stop)
            playing = asyncio.create_task(_play(peer))
            assert await runtime.run(signals=False) == 0
            playing.cancel()
            heard = peer.recv(0)
        pack.kill()
        return runtime.engine, heard

    engine, heard = asyncio.run(story())
    assert heard is None
    rows = {row["signal"]: row for row in engine.summary()["house"]}
    assert (rows["soc_pct"]["theirs"], rows["soc_pct"]["ours"]) == (30, 60)
    assert rows["soc_pct"]["differs"] is True


async def _play(peer: can.BusABC) -> None:
    while True:
        for frame in battery(soc=0.3):
            peer.send(can.Message(arbitration_id=frame.can_id, data=frame.data, is_extended_id=False))
        await asyncio.sleep(0.2)


class Player(Terminal):
    """An SLCAN adapter on a bus where a battery talks each 0.2 s. said: what it was told to do."""

    def __init__(self) -> None:
        self.said = ""
        self._next_s = time.monotonic()
        super().__init__(self._told)

    def _told(self, chunk: bytes) -> bytes:
        self.said += chunk.decode("ascii")
        return b"\r" * chunk.count(b"\r")

    def idle(self) -> bytes:
        if time.monotonic() < self._next_s:
            return b""
        self._next_s += 0.2
        frames = battery(soc=0.3)
        return "".join(
            f"t{one.can_id:03X}{len(one.data)}{one.data.hex().upper()}\r" for one in frames
        ).encode()


def test_the_command_prints_json_lines_and_tells_the_adapter_not_even_to_acknowledge(tmp_path: Path) -> None:
    device, player = load("jbd").device(Options(cells=CELLS)), Player()
    board = Terminal(lambda chunk: b"".join(cast(list[bytes], device.receive(chunk, reading()))))
    path = tmp_path / "config.toml"
    path.write_text(
        CONFIG.format(board=board.path, adapter=player.path, state=tmp_path, control=tmp_path / "control")
    )
    command = [sys.executable, "-m", "bridge", "run", "--shadow", "--json", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline())]
        while lines[-1].get("signal") != "soc_pct":
            lines.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=LONG_S)
    finally:
        process.kill()
        process.communicate()
        board.close()
        player.close()
    assert process.returncode == 0
    assert lines[0] == {"event": "shadow_battery", "inverter": "house", "heard": True}
    last = json.loads(rest.splitlines()[-1])
    assert last["event"] == "shadow_summary"
    assert {"signal", "theirs", "ours", "tolerance", "differing"} <= last["inverters"]["house"][0].keys()
    assert "L\r" in player.said
    assert "t3" not in player.said
