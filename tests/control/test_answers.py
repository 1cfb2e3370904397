"""What a running gateway says when it is asked, and what it then does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.battery.leases import LeaseRequest
from bridge.control import client
from bridge.control.requests import (
    ClearFaults,
    Departures,
    DropLease,
    GiveCycle,
    Hello,
    Leave,
    ListLeases,
    Request,
    Return,
    SetLease,
    Status,
    TakeCycle,
    Why,
)
from bridge.errors import ConfigError
from bridge.events import Answer, Asked
from bridge.model import Limit
from tests.control.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "control.sock") as running:
        yield running


def ask(served: Served, request: Request) -> Any:
    return client.ask(served.path, request)


def lease(limit: Limit = Limit.CCL, value: float = 20.0, ttl_s: float = 900.0) -> SetLease:
    return SetLease(LeaseRequest(name="tariff", limit=limit, value=value, ttl_s=ttl_s, reason="dear"))


def test_it_says_who_it_is(served: Served) -> None:
    assert ask(served, Hello())["name"] == "cellar"


def test_why_gives_every_reason_of_a_limit_the_binding_one_first(served: Served) -> None:
    (found,) = ask(served, Why(Limit.CCL))
    values = [one["value"] for one in found["constraints"]]
    assert found["limit"] == "ccl"
    assert values == sorted(values)
    assert len(values) >= 3
    assert found["value"] == pytest.approx(values[0], abs=0.1)
    assert {"rule", "text"} <= found["constraints"][0].keys()


def test_why_without_a_limit_gives_all_four_and_what_each_inverter_was_told(served: Served) -> None:
    found = ask(served, Why())
    assert [one["limit"] for one in found] == ["ccl", "dcl", "cvl", "dvl"]
    ccl = found[0]
    assert ccl["inverters"]["house"] == pytest.approx(0.6 * ccl["value"], abs=0.1)
    assert sum(ccl["inverters"].values()) <= ccl["value"] + 1e-9


def test_status_is_the_snapshot_with_what_was_sent(served: Served) -> None:
    found = ask(served, Status())
    assert [pack["name"] for pack in found["packs"]] == ["large", "small"]
    assert found["inverters"]["barn"]["sent"]["charge_enabled"] is True


def test_a_lease_holds_at_once_and_ends_when_it_is_dropped(served: Served) -> None:
    granted = ask(served, lease())
    assert (granted["value"], granted["left_s"], granted["reason"]) == (20.0, 900.0, "dear")
    assert ask(served, Why(Limit.CCL))[0]["constraints"][0]["rule"] == "lease"
    assert len(ask(served, ListLeases())) == 1
    ask(served, DropLease("tariff"))
    assert ask(served, ListLeases()) == []
    served.run(60)
    assert ask(served, Why(Limit.CCL))[0]["value"] > 20.0


def test_a_lease_that_cannot_be_is_refused_in_a_sentence(served: Served) -> None:
    with pytest.raises(ConfigError, match="found 3000; allowed for CCL: from 0 to 2000 A"):
        ask(served, lease(value=3000.0))


def test_a_pack_leaves_and_returns(served: Served) -> None:
    served.currents_a["small"] = -10.0
    served.run(2)
    assert ask(served, Leave("small", 600.0))["phase"] == "emptying"
    assert ask(served, Why(Limit.DCL))[0]["value"] == 0
    served.currents_a["small"] = 0.0
    served.run(8)
    (found,) = ask(served, Departures())
    assert (found["pack"], found["phase"], found["state"]) == ("small", "ready", "active")
    ask(served, Return("small"))
    assert ask(served, Departures()) == []


def test_faults_that_were_latched_are_named_and_cleared(served: Served) -> None:
    assert ask(served, ClearFaults()) == {"cleared": []}


@pytest.mark.parametrize("request_", [GiveCycle(), TakeCycle()])
def test_a_gateway_that_is_alone_has_nobody_to_change_places_with(
    served: Served, request_: GiveCycle | TakeCycle
) -> None:
    with pytest.raises(ConfigError, match="this gateway is alone"):
        ask(served, request_)


def test_what_happens_is_in_the_log(served: Served) -> None:
    ask(served, lease(ttl_s=3.0))
    ask(served, Leave("small", 600.0))
    served.run(10)
    said = [(one.event, one.fields.get("phase") or one.fields.get("lease")) for one in served.reports]
    assert ("lease", "tariff") in said
    assert ("lease_ended", "tariff") in said
    assert [phase for event, phase in said if event == "pack_leaving"] == ["emptying", "ready"]


def test_the_same_requests_at_the_same_times_get_the_same_answers(tmp_path: Path) -> None:
    """A recording replays: nothing in an answer comes from anywhere but the engine's state."""
    answers = []
    for number in range(2):
        made = Served(tmp_path / f"{number}.sock")
        with made:
            found = [made.gateway.handle(Asked(1, one), made.now) for one in (lease(), Status(), Why())]
        answers.append([[a for a in actions if isinstance(a, Answer)] for actions in found])
    assert answers[0] == answers[1]
