"""Fetch objects and folders from S3 and its like in wfx: `s3:` references."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_s3.fetcher import S3Fetcher

__all__ = ["S3Fetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [S3Fetcher]
