"""The demo as a user starts it, in real time: the one test of the whole chain with a clock in it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from bridge.demo import Kill, parse_kill
from bridge.errors import ConfigError

SECONDS = "15"
STORIES = {
    "healthy": (),
    "one killed": ("--kill-pack", "2@6"),
    "all killed": ("--kill-pack", "all@6"),
    "sender stopped": ("--stop-sender", "6"),
    "over RS485": ("--inverter", "srne-pyl"),
}


class Run(NamedTuple):
    code: int
    reports: list[dict[str, Any]]
    errors: str

    def at(self, seconds: float) -> dict[str, Any]:
        """The last report before that time."""
        return [report for report in self.reports if report["t"] < seconds][-1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All stories at once: they wait far more than they work. They write into files, because a pipe that
    nobody empties would hold them up.
    """
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "bridge", "demo", "--seconds", SECONDS, "--json"]
    started = {}
    for name, extra in STORIES.items():
        with (folder / f"{name}.out").open("w") as out, (folder / f"{name}.err").open("w") as errors:
            started[name] = subprocess.Popen([*command, *extra], stdout=out, stderr=errors)
    ended = {}
    for name, process in started.items():
        code = process.wait(timeout=60)
        lines = (folder / f"{name}.out").read_text().splitlines()
        reports = [json.loads(line) for line in lines]
        ended[name] = Run(code, reports, (folder / f"{name}.err").read_text())
    return ended


def limits(report: dict[str, Any]) -> tuple[float, float]:
    return report["limits"]["charge_current_limit_a"], report["limits"]["discharge_current_limit_a"]


@pytest.mark.parametrize("story", STORIES)
def test_it_ends_by_itself_with_exit_code_0_and_one_report_a_second(runs: dict[str, Run], story: str) -> None:
    assert runs[story].code == 0, runs[story].errors
    assert len(runs[story].reports) == int(SECONDS) - 1 + (runs[story].reports[-1]["t"] >= int(SECONDS))


def test_three_healthy_packs_feed_an_inverter_that_has_nothing_to_complain_of(runs: dict[str, Run]) -> None:
    last = runs["healthy"].reports[-1]
    assert [pack["state"] for pack in last["packs"]] == ["active"] * 3
    assert last["inverter"]["fault"] is False
    assert last["inverter"]["alarms"] == []
    assert last["inverter"]["charge_current_limit_a"] == pytest.approx(limits(last)[0], abs=5)


def test_the_soc_moves(runs: dict[str, Run]) -> None:
    reports = runs["healthy"].reports
    assert reports[-1]["bank"]["soc_pct"] != reports[0]["bank"]["soc_pct"]


def test_every_limit_has_a_reason_with_a_text(runs: dict[str, Run]) -> None:
    why = runs["healthy"].reports[-1]["limits"]["why"]
    assert all(why[limit][0]["text"] for limit in why)
    assert len(why) == 4


def test_one_killed_pack_lowers_the_limits_at_once_and_leaves_the_soc_in_place(runs: dict[str, Run]) -> None:
    before, after = runs["one killed"].at(6), runs["one killed"].at(8)
    assert all(low < high for low, high in zip(limits(after), limits(before), strict=True))
    assert [pack["state"] for pack in after["packs"]] == ["active", "stale", "active"]
    assert abs(after["bank"]["soc_pct"] - before["bank"]["soc_pct"]) < 1


def test_with_all_killed_the_inverter_is_held_at_zero_with_an_alarm(runs: dict[str, Run]) -> None:
    for report in runs["all killed"].reports:
        if report["t"] > 8:
            view = report["inverter"]
            assert (view["charge_current_limit_a"], view["discharge_current_limit_a"]) == (0, 0)
            assert (view["charge_enabled"], view["discharge_enabled"]) == (False, False)
            assert view["alarms"] == ["warning_internal_communication"]
            assert view["fault"] is False


def test_a_stopped_sender_takes_the_inverter_to_its_fault_within_the_profiles_time(
    runs: dict[str, Run],
) -> None:
    assert runs["sender stopped"].at(7)["inverter"]["fault"] is False
    assert runs["sender stopped"].at(13)["inverter"]["fault"] is True


def test_an_inverter_that_asks_over_rs485_is_answered_what_was_decided(runs: dict[str, Run]) -> None:
    *_, before, report = runs["over RS485"].reports
    view, line = report["inverter"], report["inverters"]["house"]
    assert (view["fault"], line["silent"], view["charge_enabled"]) == (False, None, True)
    assert view["answered"] > 10
    lately_a = max(limits(before)[0], limits(report)[0])
    assert 0 < view["charge_current_limit_a"] <= lately_a + 0.001
    assert line["asked"] >= line["answers"] > 10


@pytest.mark.parametrize(
    ("text", "kill"),
    [("2@5", Kill("2", 5.0)), ("all@0.5", Kill("all", 0.5)), ("medium@7", Kill("medium", 7.0))],
)
def test_a_kill_is_a_pack_and_a_time(text: str, kill: Kill) -> None:
    assert parse_kill(text) == kill


@pytest.mark.parametrize("text", ["2", "4@5", "all@", "all@x", "all@-1", "@5", "tiny@5"])
def test_any_other_kill_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match=r"as in 2@5"):
        parse_kill(text)


def test_a_kill_that_makes_no_sense_is_misuse_without_a_traceback() -> None:
    command = [sys.executable, "-m", "bridge", "demo", "--kill-pack", "9@1"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "large, medium, small" in ended.stderr
