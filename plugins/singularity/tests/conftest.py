from __future__ import annotations

from wfx.testing.runtimes import singularity_program

__all__ = ["singularity_program"]
