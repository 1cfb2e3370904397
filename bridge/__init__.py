"""packbridge: a headless gateway between DIY battery packs and commercial inverters."""

from __future__ import annotations

__version__ = "0.1.0"
