"""The commands that ask a running gateway, as the shell runs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.cli.durations import seconds, shown
from bridge.cli.main import main
from bridge.control import paths
from bridge.errors import ConfigError
from tests.control.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "control.sock") as running:
        yield running


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: Served) -> Run:
    """`packbridge ... --socket PATH`: exit code, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr("sys.argv", ["packbridge", *arguments, "--socket", str(served.path)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return command


def test_why_prints_a_limit_with_the_binding_reason_on_top(run: Run) -> None:
    code, out, _ = run("why", "ccl")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("CCL is 1")
    assert "house is told" in lines[0]
    assert "rating" in lines[4]


def test_faults_are_cleared_by_a_word(run: Run) -> None:
    assert run("clear-faults")[:2] == (0, "there was no latched fault\n")


@pytest.mark.parametrize("word", ["hand-over", "take-over"])
def test_a_gateway_without_a_twin_says_that_it_is_alone(run: Run, word: str) -> None:
    code, _, err = run(word)
    assert (code, "this gateway is alone" in err) == (2, True)


def test_why_without_a_limit_prints_all_four(run: Run) -> None:
    _, out, _ = run("why")
    assert [line.split()[0] for line in out.splitlines() if " is " in line[:8]] == [
        "CCL",
        "DCL",
        "CVL",
        "DVL",
    ]


def test_why_as_json_is_what_the_gateway_said(run: Run) -> None:
    _, out, _ = run("why", "cvl", "--json")
    (found,) = json.loads(out)
    assert (found["limit"], found["value"], found["unit"]) == ("cvl", 55.2, "V")


def test_status_shows_packs_and_limits(run: Run) -> None:
    _, out, _ = run("status")
    assert "large" in out
    assert "2 of 2 packs online" in out
    _, out, _ = run("status", "--json")
    assert json.loads(out)["bank"]["packs_online"] == 2


def test_a_lease_is_granted_listed_and_dropped(run: Run) -> None:
    assert run("lease", "ccl", "50", "--ttl", "15m", "--reason", "tariff", "--name", "night") == (
        0, "night: CCL at most 50 A for 15m: tariff\n", "",
    )  # fmt: skip
    assert run("lease", "dcl", "0", "--ttl", "90s")[1] == "cli: DCL at most 0 A for 1m 30s\n"
    assert run("lease", "cvl", "54.4", "--ttl", "1h")[1] == "cli: CVL at most 54.4 V for 1h\n"
    assert len(run("lease", "list")[1].splitlines()) == 3
    assert len(json.loads(run("lease", "list", "--json")[1])) == 3
    assert len(run("lease", "drop", "cli")[1].splitlines()) == 2
    assert run("lease", "drop", "night")[0] == 0
    assert run("lease", "list")[1] == "nothing is leased\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ("lease", "ccl", "50", "--ttl", "15"),
            "--ttl: found 15; write a time with its unit: 90s, 15m or 1h30m",
        ),
        (("lease", "ccl", "50", "--ttl", "25h"), "86400 s (24 h); renew it by asking again"),
        (("lease", "cvl", "12", "--ttl", "1h"), "found 12; allowed for CVL: from 52.8 to 56.8 V"),
        (("lease", "drop", "x"), "no lease is called x; there are: none"),
        (("pack", "leave", "smal"), 'no pack is called smal; there are: large, small. Did you mean "small"'),
        (("pack", "return", "small"), "small was not asked to leave"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert complaint in err


def test_leave_waits_until_the_pack_is_empty(
    run: Run, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.currents_a["small"] = -12.0
    served.run(1)

    def look(_: float) -> None:
        served.run(3)
        served.currents_a["small"] = 0.0

    monkeypatch.setattr("bridge.cli.pack.sleep", look)
    code, out, _ = run("pack", "leave", "small", "--for", "10m")
    assert code == 0
    assert out.splitlines()[0] == "small is to leave: the bank goes to 0 A, for 10m at most"
    assert "small is active and carries -12.0 A" in out
    assert out.splitlines()[-1] == "small may be switched off now; the bank stays at 0 A until it is off"
    assert run("pack", "return", "small")[1] == "small counts again; it is active\n"


def test_leave_without_waiting_only_asks(run: Run) -> None:
    assert len(run("pack", "leave", "small", "--no-wait")[1].splitlines()) == 1


def test_ctrl_c_leaves_the_request_standing_and_says_how_to_take_it_back(
    run: Run, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.cli.pack.sleep", interrupt)
    code, _, err = run("pack", "leave", "small")
    assert code == 130
    assert "packbridge pack return small" in err
    assert len(served.gateway.aggregator.leaving.standing()) == 1


def test_a_request_that_ends_before_the_pack_is_empty_is_said(
    run: Run, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.currents_a["small"] = -12.0
    served.run(1)
    monkeypatch.setattr("bridge.cli.pack.sleep", lambda _: served.run(5))
    code, _, err = run("pack", "leave", "small", "--for", "8s")
    assert code == 1
    assert "was not empty in time" in err


def test_without_a_gateway_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "candidates", list)
    monkeypatch.setattr("sys.argv", ["packbridge", "why"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "no gateway is running here as this user" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "expected_s"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2h5s", 7205)])
def test_a_time_is_read_with_its_units(text: str, expected_s: float) -> None:
    assert seconds(text, "--ttl") == expected_s


@pytest.mark.parametrize("text", ["", "15", "m", "1.5h", "-3m", "5m1h", "1d"])
def test_a_time_without_units_is_none(text: str) -> None:
    with pytest.raises(ConfigError):
        seconds(text, "--ttl")


@pytest.mark.parametrize(
    ("seconds_", "expected"), [(0.2, "0s"), (59.6, "1m"), (3725, "1h 2m 5s"), (-1, "0s")]
)
def test_a_time_is_shown_as_it_is_said(seconds_: float, expected: str) -> None:
    assert shown(seconds_) == expected
