"""Run anybody's scientific workflow, anywhere, and prove what was run.

A plugin's module needs one name from here, `hookimpl`; everything else has its place in a module named after its
stage: `wfx.fetching`, `wfx.engines`, `wfx.containers`, `wfx.exporting`, and for callers of the Python interface
`wfx.definitions`, `wfx.planning`, `wfx.staging`, `wfx.running`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wfx.hookspecs import hookimpl

__all__ = ["__version__", "hookimpl"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # `wfx --version` must not pay for pluggy, which only plugin modules and the plugin manager need.
    if name == "hookimpl":
        from wfx.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
