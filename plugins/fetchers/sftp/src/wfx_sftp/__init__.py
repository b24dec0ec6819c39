"""Fetch files and folders over SSH in wfx: `sftp:` and `ssh:` references."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_sftp.fetcher import SftpFetcher

__all__ = ["SftpFetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [SftpFetcher]
