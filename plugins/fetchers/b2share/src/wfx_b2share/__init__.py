"""Fetch files, crates and workflows of B2SHARE's records in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_b2share.fetcher import B2shareResolver

__version__ = "0.1.0"
__all__ = ["B2shareResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer records by number and by page, of B2SHARE and of its site for training."""
    return [B2shareResolver]
