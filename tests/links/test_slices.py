"""What is asked of the kernel's scheduler, read back from it."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from bridge.links import slices

T = TypeVar("T")

GET_ATTRIBUTES = {"x86_64": 315, "aarch64": 275}  # __NR_sched_getattr of linux: asm/unistd.h
ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr of linux/sched/types.h

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in GET_ATTRIBUTES,
    reason="no such call here",
)


def attributes() -> tuple[int, int, int]:
    """Of this thread: its class, its nice value, and its slice in ns (0 before Linux 6.12)."""
    buffer = ctypes.create_string_buffer(ATTRIBUTES.size)
    call = GET_ATTRIBUTES[platform.machine()]
    assert ctypes.CDLL(None).syscall(call, 0, buffer, ATTRIBUTES.size, 0) == 0
    _, policy, _, nice, _, runtime_ns, _, _ = ATTRIBUTES.unpack(buffer.raw)
    return policy, nice, runtime_ns


def in_a_thread(work: Callable[[], T]) -> T:
    """A thread of its own, so that nothing of it stays."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


def test_a_thread_is_given_short_slices_and_is_else_what_it_was() -> None:
    def asking() -> tuple[tuple[int, int, int], bool, tuple[int, int, int]]:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 3)
        return attributes(), slices.ask_for(0.0002), attributes()

    before, taken, after = in_a_thread(asking)
    assert taken
    assert after[:2] == before[:2] == (os.SCHED_OTHER, 3)
    assert after[2] in {0, before[2], 200_000}
    if tuple(map(int, platform.release().split(".")[:2])) >= (6, 12):
        assert after[2] == 200_000


def test_a_class_that_somebody_chose_stays() -> None:
    def asking() -> tuple[bool, tuple[int, int, int]]:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return slices.ask_for(), attributes()

    taken, after = in_a_thread(asking)
    assert not taken
    assert after[0] == os.SCHED_BATCH


def test_where_there_is_no_such_call_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert not in_a_thread(slices.ask_for)
