"""Boots a throw-away Linux under QEMU and runs one command in it as root.

One idea: the guest's root is the host's own, read-only, under a layer of RAM. So the guest has the
same project, virtual environment and programs, and what it writes is forgotten. What it prints comes
through one virtual port, its exit status through another.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

QEMU = "qemu-system-x86_64"
MARK = "PACKBRIDGE_GUEST"
MEMORY_MIB = 1024
KERNEL_LINE = (
    "console=ttyS0 quiet panic=-1 audit=0 lsm= nokaslr mitigations=off rodata=off"
    " random.trust_cpu=on cryptomgr.notests=1 rdinit=/init"
)  # a throw-away kernel on an emulated processor: no protection against anybody, no tests of itself
NOT_PASSED_ON = re.compile(r"DBUS_.*|XDG_RUNTIME_DIR|PATH|PWD|OLDPWD|SHLVL|_")

EXIT_TIMEOUT = 124
EXIT_BROKEN = 125  # the guest itself failed; the command's status is unknown


def missing(cache: Path) -> str | None:
    """Why no guest can be started here, or None."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed"
    if not Path("/usr/libexec/bluetooth/bluetoothd").exists():
        return "BlueZ is not installed"
    return None if (cache / "initrd").exists() else f"there is no kernel in {cache}"


def run(command: Sequence[str], cache: Path, timeout_s: float) -> int:
    """Run a command in a new guest, in the current directory; its exit status."""
    with tempfile.TemporaryDirectory(prefix="packbridge-hil-") as name:
        job = Path(name)
        shutil.copy(Path(__file__).with_name("session.sh"), job / "session")
        (job / "command").write_text(_script(command, os.environ))
        started_s = time.monotonic()
        with subprocess.Popen(
            _emulator(cache, job), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as emulator:
            timer = threading.Timer(timeout_s, emulator.kill)
            timer.start()
            try:
                _pass_on(emulator)
            finally:
                timer.cancel()
                emulator.kill()
        if time.monotonic() - started_s >= timeout_s:
            say(f"no end after {timeout_s:g} s")
            return EXIT_TIMEOUT
        return _status(job)


def _pass_on(emulator: subprocess.Popen[bytes]) -> None:
    """What the command prints, at once, until the emulator ends."""
    assert emulator.stdout is not None
    while chunk := os.read(emulator.stdout.fileno(), 65536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"hil: {text}\n")


def _script(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """The caller's environment, directory and command, for the guest's shell."""
    lines = [
        f"export {name}={shlex.quote(value)}"
        for name, value in environment.items()
        if name.isidentifier() and not NOT_PASSED_ON.fullmatch(name)
    ]
    lines += [
        f"export {MARK}=1",
        f"cd {shlex.quote(str(Path.cwd()))} || exit 1",
        f"exec {shlex.join(command)}",
    ]
    return "\n".join(lines) + "\n"


def _emulator(cache: Path, job: Path) -> list[str]:
    """QEMU's command line. It dies with us, however we die."""
    emulated = ["-accel", "tcg,thread=multi", "-cpu", "Nehalem,+rdrand"]
    processor = ["-accel", "kvm", "-cpu", "host"] if _has_kvm() else emulated
    return [
        "setpriv", "--pdeathsig", "KILL",
        QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "q35,usb=off,sata=off,smbus=off,vmport=off", "-bios", "qboot.rom", *processor,
        "-smp", str(min(2, os.cpu_count() or 1)), "-m", str(MEMORY_MIB),
        "-kernel", str(cache / "kernel"), "-initrd", str(cache / "initrd"),
        "-append", f"{KERNEL_LINE} job={job}",
        "-serial", f"file:{job}/console",
        "-device", "virtio-serial-pci",  # the first virtio device: /dev/vport0p1
        "-chardev", "file,id=output,path=/dev/stdout",
        "-device", "virtserialport,chardev=output,nr=1",
        "-chardev", f"file,id=status,path={job}/status",
        "-device", "virtserialport,chardev=status,nr=2",
        "-fsdev", "local,id=host,path=/,security_model=none,multidevs=remap,readonly=on",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
    ]  # fmt: skip


def _has_kvm() -> bool:
    """Whether the processor itself can virtualise: a /dev/kvm without that is slower than emulation."""
    flags = re.search(r"^flags\s*:.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return flags is not None and os.access("/dev/kvm", os.R_OK | os.W_OK)


def _status(job: Path) -> int:
    text = (job / "status").read_text().strip() if (job / "status").exists() else ""
    if text.isdigit():
        return int(text)
    console = job / "console"
    sys.stderr.write(console.read_text(errors="replace")[-4000:] if console.exists() else "")
    say("the guest ended before its command did")
    return EXIT_BROKEN
