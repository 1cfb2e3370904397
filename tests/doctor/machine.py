"""A machine made of a folder and recorded outputs, for checks that must not see the real one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge import config
from bridge.doctor import Case, Finding, Host, Verdict, checks

USB = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10LEFT0-if00-port0"

SERIAL = f"""
[packs.left]
bms = "jbd"
port = "{USB}"
cells = 16
capacity_ah = 280
rated_current_a = 140
"""
RADIO = """
[packs.right]
bms = "jbd"
port = "ble:AA:BB:CC:DD:EE:FF?adapter=hci0"
cells = 16
capacity_ah = 280
rated_current_a = 140
"""
INVERTER = """
[inverters.house]
profile = "deye-lv"
interface = "socketcan"
channel = "can0"
"""

SHOW = (
    "systemctl show packbridge.service "
    "--property=LoadState,UnitFileState,ActiveState,Type,Restart,WatchdogUSec"
)
UNIT = """\
Type=notify
Restart=always
WatchdogUSec=10s
LoadState=loaded
ActiveState=active
UnitFileState=enabled
"""


def case(text: str = SERIAL + INVERTER) -> Case:
    return Case(path="c.toml", config=config.parse(text, "c.toml"))


class Machine:
    """Where all is well until a test spoils it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outputs: dict[str, str] = {}
        self.forbidden: set[str] = set()
        self.missing: set[str] = set()
        self.environment = {"HOME": "/home/me"}
        self.write("/dev/ttyUSB0")
        self.link(USB, "../../ttyUSB0")
        self.write("/home/me/.profile")
        self.write("/sys/class/net/can0/type", "280\n")
        self.write("/sys/class/net/can0/flags", "0x40041\n")
        self.write("/sys/class/net/can0/device/uevent")
        self.write("/sys/class/net/can0/statistics/rx_packets", "41\n")
        self.write("/sys/class/net/can0/statistics/tx_packets", "240\n")
        self.can()
        self.process(1, "systemd", "/sbin/init")

    def host(self) -> Host:
        return Host(
            root=self.root,
            run=self._run,
            may=lambda path, _: "/" + str(path.relative_to(self.root)) not in self.forbidden,
            has_module=lambda name: name not in self.missing,
            environment=self.environment,
        )

    def write(self, path: str, text: str = "") -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def link(self, path: str, target: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    def process(self, pid: int, name: str, *command: str, opened: Sequence[str] = ()) -> None:
        self.write(f"/proc/{pid}/comm", name + "\n")
        self.write(f"/proc/{pid}/cmdline", "\0".join(command) + "\0")
        (self.root / f"proc/{pid}/fd").mkdir(exist_ok=True)
        for number, target in enumerate(opened):
            self.link(f"/proc/{pid}/fd/{number}", target)

    def hidden(self, pid: int) -> None:
        os.chmod(self.root / f"proc/{pid}/fd", 0)  # noqa: PTH101  # undone with the folder

    def can(self, *, up: bool = True, kind: str = "can", queue: int = 10, **info: Any) -> None:
        """What `ip -details -json link show can0` says; the fields are those of a recorded output of a
        Victron GX, published in victronenergy/gui-v2's tests."""
        data = {
            "state": "ERROR-ACTIVE", "berr_counter": {"tx": 0, "rx": 0}, "restart_ms": 100,
            "bittiming": {"bitrate": 500000, "sample_point": 0.875, "tq": 250},
        }  # fmt: skip
        statistics = {"restarts": 0, "bus_error": 0, "error_passive": 0, "bus_off": info.pop("bus_off", 0)}
        linkinfo = {"info_kind": kind, "info_data": data | info, "info_xstats": statistics}
        if kind != "can":
            linkinfo = {"info_kind": kind}
        flags = ["NOARP", "UP", "LOWER_UP", "ECHO"] if up else ["NOARP", "ECHO"]
        link = {"ifname": "can0", "flags": flags, "txqlen": queue, "link_type": "can", "linkinfo": linkinfo}
        self.outputs["ip -details -json link show can0"] = json.dumps([link])

    def look(self, check: str, case: Case) -> list[Finding]:
        return list(checks()[check].look(case, self.host()))

    def problems(self, check: str, case: Case) -> list[Finding]:
        return [finding for finding in self.look(check, case) if finding.verdict is Verdict.PROBLEM]

    def _run(self, command: Sequence[str]) -> str | None:
        return self.outputs.get(" ".join(command))
