"""Look whether a crate is valid."""

from __future__ import annotations

from pathlib import Path

from wfx.exporting import Finding

from wfx_ro_crate.graph import DESCRIPTOR


def check(crate: Path) -> list[Finding]:
    """Return what is wrong with a crate."""
    if not (crate / DESCRIPTOR).is_file():
        return [Finding("error", "crate-descriptor", f"there is no {DESCRIPTOR}", where=str(crate))]
    return []
