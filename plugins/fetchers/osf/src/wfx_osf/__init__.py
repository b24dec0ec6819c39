"""Fetch files of projects and registrations of the Open Science Framework in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_osf.fetcher import OsfResolver

__version__ = "0.1.0"
__all__ = ["OsfResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer what OSF has by its identifiers and pages."""
    return [OsfResolver]
