"""Fetch reads and variants from GA4GH htsget servers in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_htsget.fetcher import HtsgetFetcher

__version__ = "0.1.0"
__all__ = ["HtsgetFetcher"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the one fetcher."""
    return [HtsgetFetcher]
