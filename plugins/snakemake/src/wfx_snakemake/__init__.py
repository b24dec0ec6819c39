"""Run Snakemake workflows with Snakemake itself in wfx."""

from __future__ import annotations

from wfx.engines import Engine
from wfx.hookspecs import hookimpl

from wfx_snakemake.engine import SnakemakeEngine

__version__ = "0.1.0"
__all__ = ["SnakemakeEngine"]


@hookimpl
def wfx_engines() -> list[type[Engine]]:
    """Offer Snakemake."""
    return [SnakemakeEngine]
