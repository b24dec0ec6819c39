"""Fetch objects and folders from Azure Blob Storage in wfx: `az:` and `abfs:` references."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_azure.fetcher import AzureFetcher

__all__ = ["AzureFetcher", "wfx_fetchers"]
__version__ = "0.1.0"


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [AzureFetcher]
