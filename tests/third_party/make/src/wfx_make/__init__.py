"""Run Makefiles with GNU Make in wfx, a step for each target."""

from wfx import hookimpl
from wfx.engines import Engine

from wfx_make.engine import MakeEngine

__all__ = ["MakeEngine", "wfx_engines"]


@hookimpl
def wfx_engines() -> list[type[Engine]]:
    """Offer the engine."""
    return [MakeEngine]
