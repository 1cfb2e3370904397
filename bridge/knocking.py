"""One question to whoever may be on a wire, and an ear for who answers.

The one idea: an answer takes milliseconds, a protocol's time-out half a second. So a question is waited
for only shortly, and its decoder keeps listening while the next ones are asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.conversation import Line
from bridge.meeting import Way
from bridge.protocols.contract import Decoder, Dropped, Message, NoReply, Payload, Request
from bridge.sources.bus import BITS_PER_BYTE, LONGEST_REPLY_S


@dataclass(slots=True)
class Knock:
    """A session's first question, and whoever may answer it.

    heard: what came instead, by kind, for as long as nobody else was asked.
    """

    way: Way
    request: Request
    decoder: Decoder
    heard: Counter[str]

    def send(self, line: Line) -> float:
        """Ask. How long the question itself takes on the wire, s."""
        data, rate = self.request.data, self.way.rate
        self.decoder.sent(data)
        line.write(data)
        return len(data) * BITS_PER_BYTE / rate if isinstance(data, bytes) and rate else 0.0

    def answered(self, payload: Payload | None, *, newest: bool) -> bool:
        """Whether this brings the answer; None is the silence behind what came."""
        items = self.decoder.reset() if payload is None else self.decoder.feed(payload)
        answers = [item for item in items if self._answers(item)]
        if newest:
            others = [item for item in items if not self._answers(item)]
            self.heard.update("message" if isinstance(one, Message) else one.reason.value for one in others)
        return bool(answers)

    def _answers(self, item: Message | Dropped) -> bool:
        if not isinstance(item, Message) or item.name != self.request.reply:
            return False
        return self.request.address in {None, item.address}


def knock_of(way: Way, heard: Counter[str]) -> Knock | None:
    """The first question of a pack's session; None if it has none."""
    session = way.entry.session(way.options())
    for script in (session.open(), session.poll()):
        try:
            request = next(script)
        except (StopIteration, NoReply):
            continue
        script.close()
        return Knock(way, request, way.entry.decoder(), heard)
    return None


async def listen_for(line: Line, knocks: Sequence[Knock], wait_s: float, until_s: float) -> Knock | None:
    """Whose question is answered. Waits wait_s for the first bytes, and longer while more come.

    Raises LinkError.
    """
    loop = asyncio.get_running_loop()
    silence_s = knocks[-1].way.spec.silence_s
    ends_s = min(loop.time() + wait_s, until_s)
    latest_s = min(ends_s + LONGEST_REPLY_S, until_s)
    heard_any = False
    while (heard := await line.next(ends_s)) is not None:
        heard_any = True
        payload, at_s = heard
        ends_s = min(latest_s, max(ends_s, at_s + silence_s))
        if (knock := _who(knocks, payload)) is not None:
            return knock
        if loop.time() >= latest_s:  # somebody here never stops talking
            break
    return _who(knocks, None) if heard_any else None


def _who(knocks: Sequence[Knock], payload: Payload | None) -> Knock | None:
    """All of them get to read it; the newest question is the likeliest to have been answered."""
    answered = [knock for knock in knocks if knock.answered(payload, newest=knock is knocks[-1])]
    return answered[-1] if answered else None
