"""Fetch what DOIs, handles and identifiers.org lead to in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_doi.curies import CurieResolver
from wfx_doi.fetcher import HandleResolver

__version__ = "0.1.0"
__all__ = ["CurieResolver", "HandleResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer DOIs and handles, and identifiers by the prefixes of identifiers.org."""
    return [HandleResolver, CurieResolver]
