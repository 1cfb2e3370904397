from __future__ import annotations

import uuid

import can
import pytest

from bridge.errors import LinkError
from bridge.links.listening import listen


def test_every_frame_of_a_bus_is_heard_and_silence_too() -> None:
    channel = f"test-{uuid.uuid4()}"
    heard = listen("virtual", channel, 500_000)
    assert next(heard) is None
    with can.Bus(interface="virtual", channel=channel, ignore_config=True) as bus:
        bus.send(can.Message(arbitration_id=0x351, is_extended_id=False, data=b"\x11"))
    message = next(heard)
    assert message is not None
    assert (message.arbitration_id, bytes(message.data)) == (0x351, b"\x11")
    heard.close()


def test_a_bus_that_there_is_not_is_named() -> None:
    with pytest.raises(LinkError, match="nothing:can0"):
        next(listen("nothing", "can0", 500_000))
