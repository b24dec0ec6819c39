"""Run Galaxy workflows on a Galaxy server in wfx."""

from __future__ import annotations

from wfx.engines import Engine
from wfx.hookspecs import hookimpl

from wfx_galaxy.engine import GalaxyEngine

__version__ = "0.1.0"
__all__ = ["GalaxyEngine"]


@hookimpl
def wfx_engines() -> list[type[Engine]]:
    """Offer Galaxy."""
    return [GalaxyEngine]
