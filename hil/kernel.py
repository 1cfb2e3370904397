"""Makes the cache that the guest boots from: a stock Debian kernel and a small RAM disk.

Nothing is compiled. The kernel and the few modules that a guest needs come out of Debian's package,
the tools of the RAM disk out of busybox-static; neither package is installed on the host.
"""

from __future__ import annotations

import graphlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGES = ("qemu-system-x86", "bluez", "can-utils", "dbus", "iproute2")  # the guest uses the host's programs
KERNEL_PACKAGE = "linux-image-amd64"
BUSYBOX_PACKAGE = "busybox-static"

MODULES = (
    "virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay",  # to reach the host
    "vcan", "vxcan", "slcan", "can-raw", "can-bcm",
    "bluetooth", "hci_vhci", "cmac", "ecb", "ecdh_generic", "algif_hash", "algif_skcipher", "uhid",
)  # fmt: skip

XZ = b"\xfd7zXZ\0"


def cache() -> Path:
    """Where kernel and RAM disk are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "packbridge-hil"


def install() -> None:
    """Install what the host needs; asks for a password through sudo unless run as root."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-q"], check=True)
    options = ("-q", "-y", "--no-install-recommends")
    subprocess.run([*sudo, "apt-get", "install", *options, *PACKAGES], check=True)


def build(target: Path) -> str:
    """Download the packages and fill the cache; the kernel's version."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        work = Path(name)
        kernel = _unpacked(work, _newest_kernel())
        busybox = _unpacked(work, BUSYBOX_PACKAGE)
        version = next((kernel / "lib/modules").iterdir()).name
        made = work / "made"
        made.mkdir()
        (made / "kernel").write_bytes(_plain((kernel / f"boot/vmlinuz-{version}").read_bytes()))
        modules = {_name(path): path for path in (kernel / "lib/modules").rglob("*.ko*")}
        _ram_disk(work / "disk", busybox / "bin/busybox", modules, made / "initrd")
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return version


def _newest_kernel() -> str:
    """The package that the meta package stands for."""
    text = subprocess.run(
        ["apt-cache", "depends", KERNEL_PACKAGE], check=True, capture_output=True, text=True
    )
    found = re.search(r"Depends: (linux-image-\S+)", text.stdout)
    return found[1] if found else KERNEL_PACKAGE


def _unpacked(work: Path, package: str) -> Path:
    folder = work / package
    folder.mkdir()
    here = ("-o", "APT::Sandbox::User=root")  # its own user could not write into our folder
    subprocess.run(["apt-get", *here, "download", "-q", package], cwd=folder, check=True)
    subprocess.run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(folder)], check=True)
    return folder


def _plain(image: bytes) -> bytes:
    """The kernel inside its self-unpacking wrapper: an emulated processor takes long to unpack it.

    One that is packed otherwise is left as it is; it boots as well, some seconds later.
    """
    at = image.find(XZ)
    return image if at < 0 else lzma.LZMADecompressor().decompress(image[at:])


def _name(module: Path) -> str:
    return module.name.split(".")[0].replace("-", "_")


def _ram_disk(folder: Path, busybox: Path, modules: Mapping[str, Path], target: Path) -> None:
    """A RAM disk with busybox, the modules in the order in which they load, and `init`."""
    (folder / "modules").mkdir(parents=True)
    for number, name in enumerate(_load_order(MODULES, modules)):
        data = modules[name].read_bytes()
        if modules[name].suffix == ".xz":
            data = lzma.decompress(data)
        (folder / f"modules/{number:02d}-{name}.ko").write_bytes(data)
    shutil.copy(busybox, folder / "busybox")
    shutil.copy(Path(__file__).with_name("init.sh"), folder / "init")
    (folder / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
    with target.open("wb") as file:
        command = [str(folder / "busybox"), "cpio", "-o", "-H", "newc"]
        subprocess.run(command, cwd=folder, input=names.encode(), stdout=file, check=True)


def _load_order(wanted: Iterable[str], modules: Mapping[str, Path]) -> list[str]:
    """The wanted modules and all that they need, each after what it needs."""
    needs: dict[str, list[str]] = {}
    waiting = [name.replace("-", "_") for name in wanted]
    while waiting:
        name = waiting.pop()
        if name in modules and name not in needs:  # what is not a module is built into the kernel
            needs[name] = _needs(modules[name])
            waiting += needs[name]
    order = graphlib.TopologicalSorter(needs).static_order()
    return [name for name in order if name in modules]


def _needs(module: Path) -> list[str]:
    data = module.read_bytes()
    if module.suffix == ".xz":
        data = lzma.decompress(data)
    found = re.search(rb"\0depends=([^\0]*)\0", data)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []
