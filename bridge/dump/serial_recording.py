"""Listening on a serial line: what passes, with its time, and not a byte sent.

What arrives without a pause is one chunk, so that a frame is mostly a line.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from bridge.conversation import held
from bridge.dump.serial_capture import Chunk
from bridge.links.link import Link

PAUSE_S = 0.02  # three and a half characters at 2400 baud; adapters hold bytes back for 16 ms


async def record(
    link: Link,
    seconds: float,
    take: Callable[[Chunk], None],
    *,
    loop_time: Callable[[], float],
    clock_offset_s: float,
) -> int:
    """Hand over what passes for so long; how many chunks it was. Raises LinkError.

    clock_offset_s: from the loop's clock to that of the capture.
    """
    numbers = count(1)
    chunks = 0
    async with held(link) as line:
        end_s = loop_time() + seconds
        heard = await line.next(end_s)
        while heard is not None:
            data, since_s = heard
            assert isinstance(data, bytes)
            last_s = since_s
            while (more := await line.next(min(end_s, last_s + PAUSE_S))) is not None:
                assert isinstance(more[0], bytes)
                data, last_s = data + more[0], more[1]
            take(Chunk(next(numbers), since_s + clock_offset_s, sent=False, data=data))
            chunks += 1
            heard = await line.next(end_s)
    return chunks
