from __future__ import annotations

import uuid

import can
import pytest

from bridge.errors import LinkError
from bridge.links.can_wire import CanWire, SystemClock
from bridge.model import CanFrame


def test_frames_of_every_kind_go_out_and_come_in() -> None:
    name = f"test-{uuid.uuid4()}"
    wire = CanWire("virtual", name, 500_000)
    with can.Bus(interface="virtual", channel=name, ignore_config=True) as peer:
        wire.send(CanFrame(0x351, b"\x01\x02"))
        wire.send(CanFrame(0x4210, b"", extended=True))
        wire.send(CanFrame(0x305, b""), remote=True)
        got = [peer.recv(1) for _ in range(3)]
        assert [(one.arbitration_id, bytes(one.data), one.is_extended_id) for one in got if one] == [
            (0x351, b"\x01\x02", False), (0x4210, b"", True), (0x305, b"", False),
        ]  # fmt: skip
        assert [one.is_remote_frame for one in got if one] == [False, False, True]
        assert wire.heard() == []
        peer.send(can.Message(arbitration_id=0x305, data=bytes(8), is_extended_id=False))
        peer.send(can.Message(arbitration_id=0x306, is_remote_frame=True, is_extended_id=False))
        peer.send(can.Message(is_error_frame=True))
        assert wire.heard() == [CanFrame(0x305, bytes(8))]
    wire.close()
    with pytest.raises(LinkError, match="virtual"):
        wire.send(CanFrame(0x351, b""))


def test_a_bus_that_cannot_be_opened_is_said() -> None:
    with pytest.raises(LinkError, match="nonsense:can0"):
        CanWire("nonsense", "can0", 500_000)


def test_the_clock_waits_for_what_is_to_come_and_not_for_what_is_over() -> None:
    clock = SystemClock()
    before_s = clock.now()
    clock.wait_until(before_s - 100.0)
    clock.wait_until(before_s + 0.01)
    assert clock.now() >= before_s + 0.01
