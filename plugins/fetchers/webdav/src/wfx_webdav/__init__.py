"""Fetch files and folders from WebDAV servers and shares in wfx: `webdavs:` and `webdav:` references."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_webdav.fetcher import WebdavFetcher

__all__ = ["WebdavFetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [WebdavFetcher]
