"""Run Common Workflow Language documents with cwltool in wfx."""

from __future__ import annotations

from wfx.engines import Engine
from wfx.hookspecs import hookimpl

from wfx_cwl.engine import CwltoolEngine

__version__ = "0.1.0"
__all__ = ["CwltoolEngine"]


@hookimpl
def wfx_engines() -> list[type[Engine]]:
    """Offer cwltool."""
    return [CwltoolEngine]
