"""`python -m hil`: the tests of this folder on a real kernel with BlueZ, in one guest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hil import guest, kernel

EXIT_SKIPPED = 77  # what automake and Debian's autopkgtest call a skipped test
TIMEOUT_S = 1200.0
SLOW_S = 300  # a test that takes longer says where it is


def main() -> int:
    """Set up, or run pytest in a guest; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hil", description=__doc__)
    parser.add_argument("--setup", action="store_true", help="install Debian packages, fetch a kernel, end")
    parser.add_argument("--no-install", action="store_true", help="with --setup: fetch the kernel only")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help="default: %(default)g")
    parser.add_argument("--shell", nargs=argparse.REMAINDER, metavar="...", help="run this instead of pytest")
    options, for_pytest = parser.parse_known_args()
    cache = kernel.cache()
    if options.setup:
        if not options.no_install:
            kernel.install()
        guest.say(f"kernel {kernel.build(cache)} is ready in {cache}")
        return 0
    if (reason := guest.missing(cache)) is not None:
        guest.say(f"skipped: {reason}; python -m hil --setup mends that")
        return EXIT_SKIPPED
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-o",
        f"faulthandler_timeout={SLOW_S}",
    ]
    command = options.shell or [*pytest, str(Path(__file__).parent), *for_pytest]
    return guest.run(command, cache, options.timeout)


if __name__ == "__main__":
    sys.exit(main())
