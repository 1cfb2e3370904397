"""`python -m hil`: the tests of this folder on a real kernel with BlueZ, in one guest.

Where hil/rig.toml names a bench of CAN adapters, its CAN tests run on that instead, without a guest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hil import guest, kernel, rig

EXIT_MISUSE = 2
EXIT_SKIPPED = 77  # what automake and Debian's autopkgtest call a skipped test
TIMEOUT_S = 3600.0
SLOW_S = 300  # a test that takes longer says where it is
FOLDER = Path(__file__).parent
ON_A_BENCH = ("test_cycle.py", "test_pair.py")


def main() -> int:
    """Set up, or run pytest in a guest; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hil", description=__doc__)
    parser.add_argument("--setup", action="store_true", help="install Debian packages, fetch a kernel, end")
    parser.add_argument("--no-install", action="store_true", help="with --setup: fetch the kernel only")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help="default: %(default)g")
    parser.add_argument("--shell", nargs=argparse.REMAINDER, metavar="...", help="run this instead of pytest")
    parser.add_argument("--guest", action="store_true", help="use the guest although there is a bench")
    parser.add_argument("--rig", type=Path, metavar="FILE", help=f"the bench; default: {rig.USUAL}")
    options, for_pytest = parser.parse_known_args()
    cache = kernel.cache()
    if options.setup:
        if not options.no_install:
            kernel.install()
        guest.say(f"kernel {kernel.build(cache)} is ready in {cache}")
        return 0
    bench = options.rig or (rig.USUAL if rig.USUAL.exists() and not options.guest else None)
    if bench is not None and options.shell is None:
        return _on_bench(bench, for_pytest)
    if (reason := guest.missing(cache)) is not None:
        guest.say(f"skipped: {reason}; python -m hil --setup mends that")
        return EXIT_SKIPPED
    return guest.run(options.shell or _pytest(for_pytest, [FOLDER]), cache, options.timeout)


def _on_bench(file: Path, for_pytest: Sequence[str]) -> int:
    """The CAN tests on this machine."""
    try:
        found = rig.load(file)
    except rig.RigError as error:
        guest.say(str(error))
        return EXIT_MISUSE
    ends = f"{found.gateway.interface}:{found.gateway.channel}, {found.peer.interface}:{found.peer.channel}"
    guest.say(f"on the bench of {file}: {ends}")
    command = _pytest(for_pytest, [FOLDER / name for name in ON_A_BENCH])
    environment = os.environ | {rig.VARIABLE: str(file.resolve())}
    return subprocess.run(command, env=environment, check=False).returncode


def _pytest(arguments: Sequence[str], usual: Sequence[Path]) -> list[str]:
    """pytest's command line. usual: what is run unless the arguments name files."""
    named = any(argument.partition("::")[0].endswith(".py") for argument in arguments)
    options = ["-p", "no:cacheprovider", "-o", f"faulthandler_timeout={SLOW_S}"]
    return [sys.executable, "-m", "pytest", *options, *([] if named else map(str, usual)), *arguments]


if __name__ == "__main__":
    sys.exit(main())
