"""Prints what a bus carries as `candump -L` does: for ends that the kernel has no interface of.

python -m hil.listen INTERFACE CHANNEL BITRATE
"""

from __future__ import annotations

import sys

import can


def main() -> None:
    interface, channel, bitrate = sys.argv[1:]
    with can.Bus(interface=interface, channel=channel, bitrate=int(bitrate), ignore_config=True) as bus:
        for message in bus:
            if not message.is_error_frame:
                data = bytes(message.data).hex().upper()
                name = f"{message.arbitration_id:03X}"
                sys.stdout.write(f"({message.timestamp:.6f}) {channel} {name}#{data}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
