"""How soon the kernel runs a thread that has something to do, while other threads are at work.

Since Linux 6.12 its scheduler lets a thread ask for short slices of time: when it wakes, it comes before
those that run in longer ones, also on the processor that they run on, and gets no more of it all in all. No
privilege is needed. Without that, a thread whose moment has come may wait for some milliseconds, although
another processor is idle. An older kernel takes the request and does nothing; other systems have no
such call.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

MOMENT_S = 0.0001  # the kernel's least, for a thread that has little to do and a moment to do it at

# __NR_sched_setattr, by machine, of a process as wide as the kernel (linux: asm/unistd.h).
_CALLS = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}
_CALLS_32 = {"armv6l": 380, "armv7l": 380, "armv8l": 380, "aarch64": 380, "i686": 351, "x86_64": 351}


class _Attributes(ctypes.Structure):
    """struct sched_attr of linux/sched/types.h, in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    )


def ask_for(slice_s: float = MOMENT_S) -> bool:
    """Ask for such slices for this thread and those that it starts; whether the kernel took it.

    A thread in a real-time class, or in one for what has no hurry, stays as it is: somebody chose that.
    """
    calls = _CALLS if sys.maxsize > 2**32 else _CALLS_32
    call = calls.get(platform.machine())
    if not sys.platform.startswith("linux") or call is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    wanted = _Attributes(
        size=ctypes.sizeof(_Attributes),
        policy=os.SCHED_OTHER,
        nice=os.getpriority(os.PRIO_PROCESS, threading.get_native_id()),
        runtime_ns=round(1e9 * slice_s),
    )
    try:
        return bool(ctypes.CDLL(None).syscall(call, 0, ctypes.byref(wanted), 0) == 0)
    except (OSError, AttributeError):
        return False
