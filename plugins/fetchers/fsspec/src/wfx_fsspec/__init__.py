"""Fetch in wfx from every filesystem of fsspec whose scheme no other plugin claims: the fallback fetcher `*`.

fsspec and its filesystems open connections of their own, which do not go through wfx's gate to the network: proxies,
certificates, retries and limits are theirs. What wfx still holds is said in the README.
"""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_fsspec.fetcher import FsspecFetcher

__all__ = ["FsspecFetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fallback."""
    return [FsspecFetcher]
