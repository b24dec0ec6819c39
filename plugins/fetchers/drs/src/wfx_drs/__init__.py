"""Fetch data by GA4GH Data Repository Service identifiers in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_drs.fetcher import DrsResolver
from wfx_drs.stream import ObjectFetcher

__version__ = "0.1.0"
__all__ = ["DrsResolver", "ObjectFetcher"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer objects and bundles by identifier, and the bytes of one object."""
    return [DrsResolver, ObjectFetcher]
