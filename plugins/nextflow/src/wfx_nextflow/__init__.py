"""Run Nextflow pipelines in wfx."""

from __future__ import annotations

from wfx.engines import Engine
from wfx.hookspecs import hookimpl

from wfx_nextflow.engine import NextflowEngine

__version__ = "0.1.0"
__all__ = ["NextflowEngine"]


@hookimpl
def wfx_engines() -> list[type[Engine]]:
    """Offer Nextflow."""
    return [NextflowEngine]
