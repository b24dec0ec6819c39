"""Fetch files, crates and workflows of Zenodo's records in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_zenodo.fetcher import ZenodoResolver

__version__ = "0.1.0"
__all__ = ["ZenodoResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer records by number and by page, of Zenodo and of its sandbox."""
    return [ZenodoResolver]
