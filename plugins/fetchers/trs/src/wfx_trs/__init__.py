"""Fetch workflows from GA4GH tool registries, Dockstore and WorkflowHub in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_trs.dockstore import DockstoreResolver
from wfx_trs.fetcher import TrsFetcher
from wfx_trs.workflowhub import WorkflowHubResolver

__version__ = "0.1.0"
__all__ = ["DockstoreResolver", "TrsFetcher", "WorkflowHubResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer workflows of any registry, and the names and pages of the two that most are in."""
    return [TrsFetcher, DockstoreResolver, WorkflowHubResolver]
