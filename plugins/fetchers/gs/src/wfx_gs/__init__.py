"""Fetch objects and folders from Google Cloud Storage in wfx: `gs:` references."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_gs.fetcher import GsFetcher

__all__ = ["GsFetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [GsFetcher]
