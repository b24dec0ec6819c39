"""Fetch files, crates and workflows of figshare's items in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_figshare.fetcher import FigshareResolver

__version__ = "0.1.0"
__all__ = ["FigshareResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer items by number and by page."""
    return [FigshareResolver]
