"""The forms that `port` can have, and when two of them are one wire."""

from __future__ import annotations

import os.path
from urllib.parse import urlsplit

URL_SCHEMES = ("socket", "rfc2217")
FORMS = "a device path such as /dev/serial/by-id/..., socket://HOST:PORT or rfc2217://HOST:PORT"


def is_device(port: str) -> bool:
    """Whether the port is a path on this machine."""
    return port.startswith("/")


def fault(port: str) -> str | None:
    """What is wrong with a port's form, or None."""
    if is_device(port):
        return None
    scheme, _, rest = port.partition("://")
    if rest and scheme in URL_SCHEMES:
        return None if endpoint(port) else f'write host and port number, as in "{scheme}://192.168.1.20:8899"'
    if rest:
        return "that scheme is not supported"
    return f'write the full path, as in "/dev/{port}"' if port.startswith("tty") else "write one of these"


def endpoint(port: str) -> tuple[str, int] | None:
    """Host and port number of a URL; None if either is missing."""
    try:
        host, number = urlsplit(port).hostname, urlsplit(port).port
    except ValueError:
        return None
    return (host, number) if host and number else None


def wire(port: str) -> str:
    """What two spellings of one port have in common: the device behind links, host and number of a URL."""
    if (place := endpoint(port)) is not None:
        return f"{place[0]}:{place[1]}"
    return os.path.realpath(port)
