"""Fetch files and source trees of Software Heritage by SWHID in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_swh.fetcher import ContentFetcher, SwhResolver, SwhTreeFetcher

__version__ = "0.1.0"
__all__ = ["ContentFetcher", "SwhResolver", "SwhTreeFetcher"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer what an identifier leads to: a file, or a tree."""
    return [SwhResolver, ContentFetcher, SwhTreeFetcher]
