"""Logs of any form as a stream of blocks: the one door through which frames come into a question.

Files one after the other, as they are given; `-` is stdin; gzip and zstd by their first bytes. The form
is told by the content, unless it is forced. What is no frame is counted and shown, never fatal.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bridge.dump import forms, messages, rows, savvycan
from bridge.dump.block import Block
from bridge.dump.candump import CandumpReader
from bridge.dump.opening import damage, head, opened, shown
from bridge.dump.problems import Problems
from bridge.dump.selection import ABSOLUTE_S, EVERYTHING, Selection, selected
from bridge.errors import ConfigError, did_you_mean

__all__ = ["ABSOLUTE_S", "EVERYTHING", "Selection", "read"]

CHUNK_BYTES = 1 << 20
KEPT_BYTES = 30 << 20  # glibc's bound goes up to 32 MB


def read(
    paths: Sequence[str], problems: Problems, selection: Selection = EVERYTHING, *, form: str | None = None
) -> Iterator[Block]:
    """The selected frames of these logs, block by block; raises ConfigError if a log can't be opened.

    form: one of FORMS, where the content should not decide.
    """
    if form is not None and form not in forms.FORMS:
        known = ", ".join(forms.FORMS)
        raise ConfigError(f"unknown form {form!r}; known: {known}{did_you_mean(form, forms.FORMS)}")
    _keep_memory()
    return selected(_every(paths, problems, form), selection)


def _keep_memory() -> None:
    """Make the C library keep what blocks give back, for the next ones.

    glibc returns memory above a bound that grows with the largest array ever freed; with blocks of some
    megabytes it returns and fetches the same pages for each, which takes a third of the time.
    """
    np.empty(KEPT_BYTES, np.uint8)


def _every(paths: Sequence[str], problems: Problems, form: str | None) -> Iterator[Block]:
    channels: list[str] = []
    for path in paths:
        source = shown(path)
        with opened(path) as stream:
            try:
                yield from _blocks(stream, source, problems, channels, form)
            except damage() as error:
                problems.add(source, 0, f"ends in damage: {error}")


def _blocks(
    stream: io.BufferedReader, source: str, problems: Problems, channels: list[str], form: str | None
) -> Iterator[Block]:
    form = form or forms.recognised(head(stream))
    if form in {forms.CANDUMP, forms.DELTA}:
        found = _candump(stream, CandumpReader(source, problems, channels))
        yield from _added_up(found) if form == forms.DELTA else found
    elif form == "savvycan":
        yield from rows.blocks(savvycan.rows(stream, source, problems), source, channels)
    elif form in messages.HEADS:
        yield from rows.blocks(messages.text_rows(form, stream, source, problems), source, channels)
    else:
        yield from rows.blocks(messages.binary_rows(form, stream, source, problems), source, channels)


def _candump(stream: io.BufferedReader, reader: CandumpReader) -> Iterator[Block]:
    while chunk := stream.read1(CHUNK_BYTES):  # what there is: a pipe may be slow
        if (block := reader.feed(chunk)) is not None and len(block):
            yield block
    if (block := reader.end()) is not None and len(block):
        yield block


def _added_up(blocks: Iterator[Block]) -> Iterator[Block]:
    """Times since the frame before as times since the first."""
    now_s = 0.0
    for block in blocks:
        time_s = now_s + np.cumsum(np.nan_to_num(block.time_s))
        now_s = float(time_s[-1])
        yield replace(block, time_s=time_s)
