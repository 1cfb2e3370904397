"""`packbridge scan` over a real adapter: what advertises itself is tried, named and written down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hil.conftest import Air


def test_a_scan_finds_packs_of_three_makers_and_writes_them_down(air: Air, tmp_path: Path) -> None:
    names = {"jbd": "xiaoxiang BMS", "jk": "JK", "daly-d2": "DL"}  # as such packs advertise themselves
    packs = {bms: air.pack(bms, prefix=name) for bms, name in names.items()}
    program, written = str(Path(sys.executable).with_name("packbridge")), tmp_path / "found.toml"
    options = ["--ble", "--no-can", "--json", "--seconds", "90", "--write", str(written)]
    done = subprocess.run([program, "scan", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {line["bms"]: line["port"] for line in map(json.loads, done.stdout.splitlines())}
    assert found == {bms: f"ble:{pack.address}" for bms, pack in packs.items()}, done.stderr
    assert all(f'"ble:{pack.address}"' in written.read_text() for pack in packs.values())
