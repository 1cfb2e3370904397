"""Log lines for people or for machines: one event with named fields, units in the names.

A complaint that repeats is said once, counted, and said again when it ends.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str = "info", form: str = "console", stream: TextIO | None = None) -> None:
    """Set up structlog. form: "console" for people, "json" for machines; both go to stderr."""
    out = sys.stderr if stream is None else stream
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=form == "json"),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    # Libraries that log through the standard module are heard only when something is wrong.
    logging.basicConfig(stream=out, level=logging.ERROR, force=True)
