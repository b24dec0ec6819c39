"""Fetch files, crates and workflows of Dataverse's datasets in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_dataverse.fetcher import DataverseResolver

__version__ = "0.1.0"
__all__ = ["DataverseResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer datasets of any installation, and the pages of those that are known."""
    return [DataverseResolver]
