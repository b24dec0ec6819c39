"""Fetch files and folders from FTP servers in wfx: `ftp:` and `ftps:` references."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_ftp.fetcher import FtpFetcher

__all__ = ["FtpFetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [FtpFetcher]
