"""Every protocol's two halves against each other through the driver, in virtual time."""

from __future__ import annotations

import pytest

from bridge.protocols.contract import Options, Payload, Talker, load, names
from bridge.sources.bus import Bus, Informed, Output, Sampled, Unit, Write
from tests.wires import reading

TURNAROUND_S = 0.02
SAYS_LIMITS = {
    "jbd-up16s", "daly-a5", "daly-can", "daly-d2", "daly-p81", "jk", "jk-modbus", "jk-nw", "jk-pb",
    "pylontech-rs485",
}  # fmt: skip
SAYS_ITS_NAME = SAYS_LIMITS | {"jbd", "neey"}
NEVER_SPEAKS_FIRST = {"jk-can", "pylontech-can"}


def meet(bms: str, seconds: float, **extra: bool) -> list[Output]:
    """What the driver gives out while a board of this kind is connected to it."""
    entry = load(bms)
    options = Options(address=entry.spec.address, cells=16, extra=extra)
    session, device = entry.session(options), entry.device(options)
    machine = Bus(entry.spec, entry.decoder(), [Unit("pack", session, 1.0)])
    queue: list[tuple[float, Payload]] = []
    seen: list[Output] = []
    talker = device if isinstance(device, Talker) and session.streams else None
    outputs, now, tick_s = machine.link_up(0.0), 0.0, 0.0
    while now < seconds:
        seen += outputs
        for one in outputs:
            if isinstance(one, Write):
                answers = device.receive(one.payload, reading())
                queue += [(now + TURNAROUND_S, answer) for answer in answers]
        now = min([machine.next_wakeup(), *([tick_s] if talker else []), *(at for at, _ in queue)])
        if talker and now >= tick_s:
            tick_s += talker.tick_s
            queue += [(now, said) for said in talker.tick(reading())]
        arrived = [payload for at, payload in queue if at <= now]
        queue = [(at, payload) for at, payload in queue if at > now]
        outputs = [one for payload in arrived for one in machine.received(payload, now)] + machine.wake(now)
    return seen


@pytest.mark.parametrize("bms", names())
def test_every_pack_gives_samples_and_what_it_knows_of_itself(bms: str) -> None:
    seen = meet(bms, 60.0)
    infos = [one.info for one in seen if isinstance(one, Informed)]
    assert len([one for one in seen if isinstance(one, Sampled)]) > 20
    assert bool(infos) is (bms in SAYS_ITS_NAME)
    ratings = infos[-1].ratings if infos else None
    assert (ratings is not None and ratings.cell_ovp_v is not None) is (bms in SAYS_LIMITS)


@pytest.mark.parametrize("bms", sorted(NEVER_SPEAKS_FIRST))
def test_a_pack_that_only_talks_is_sent_nothing(bms: str) -> None:
    assert not [one for one in meet(bms, 1300.0) if isinstance(one, Write)]


def test_beside_a_master_nothing_is_sent_but_limits_are_overheard() -> None:
    seen = meet("jk-pb", 1300.0, listen=True)
    infos = [one.info for one in seen if isinstance(one, Informed)]
    assert not [one for one in seen if isinstance(one, Write)]
    assert infos[-1].ratings.cell_ovp_v is not None


def test_limits_are_read_again_every_ten_minutes() -> None:
    requests = [one.payload for one in meet("jk", 1300.0) if isinstance(one, Write)]
    # Name and settings: to open the stream, once it runs, after ten minutes and after twenty.
    assert len(requests) == 2 * 4
