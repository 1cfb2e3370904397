"""A log as a stream of bytes, wherever it is and however it is compressed."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from bridge.errors import ConfigError

STDIN = "-"
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BUFFER_BYTES = 1 << 18
HEAD_BYTES = 1 << 16  # of which the form is told


@contextmanager
def opened(path: str) -> Iterator[io.BufferedReader]:
    """The bytes of a log, gzip and zstd undone; `-` is standard input. Raises ConfigError if it can't be."""
    if path == STDIN:
        yield _unpacked(io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer), BUFFER_BYTES))
        return
    with _file(path) as raw:
        yield _unpacked(raw)


@contextmanager
def as_text(stream: io.BufferedReader) -> Iterator[io.TextIOWrapper]:
    """The same as text; bytes that are none show as such. It stays open: who opened it closes it."""
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace")
    try:
        yield text
    finally:
        text.detach()


def head(stream: io.BufferedReader) -> bytes:
    """The first bytes, which stay to be read."""
    return stream.peek(HEAD_BYTES)


def shown(path: str) -> str:
    """What a log is called in messages."""
    return "stdin" if path == STDIN else path


def damage() -> tuple[type[Exception], ...]:
    """What reading a log raises when it is cut or damaged."""
    kinds: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
    if (zstandard := sys.modules.get("zstandard")) is not None:
        kinds += (zstandard.ZstdError,)
    return kinds


def _file(path: str) -> io.BufferedReader:
    try:
        return cast(io.BufferedReader, Path(path).open("rb", BUFFER_BYTES))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _unpacked(stream: io.BufferedReader) -> io.BufferedReader:
    magic = stream.peek(len(ZSTD))
    if magic.startswith(GZIP):
        return cast(
            io.BufferedReader, gzip.GzipFile(fileobj=stream)
        )  # buffered: gives what is before a damage
    if magic.startswith(ZSTD):
        try:
            import zstandard
        except ImportError as error:
            raise ConfigError("a log in zstd needs zstandard: pip install 'packbridge[dump]'") from error
        unpacked = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BufferedReader(unpacked, BUFFER_BYTES)
    return stream
