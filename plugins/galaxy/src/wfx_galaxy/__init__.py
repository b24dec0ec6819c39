"""Run Galaxy workflows on a Galaxy server in wfx."""

from __future__ import annotations

from wfx.engines import Engine
from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_galaxy.engine import GalaxyEngine
from wfx_galaxy.pages import GalaxyWorkflowResolver

__version__ = "0.1.0"
__all__ = ["GalaxyEngine", "GalaxyWorkflowResolver"]


@hookimpl
def wfx_engines() -> list[type[Engine]]:
    """Offer Galaxy."""
    return [GalaxyEngine]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the workflows on Galaxy servers."""
    return [GalaxyWorkflowResolver]
