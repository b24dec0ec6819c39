"""Describe wfx runs as Workflow Run RO-Crates, check and pack them."""

from __future__ import annotations

from wfx.exporting import Exporter
from wfx.hookspecs import hookimpl

from wfx_ro_crate.exporters import RoCrateExporter, ZipExporter

__version__ = "0.1.0"
__all__ = ["RoCrateExporter", "ZipExporter"]


@hookimpl
def wfx_exporters() -> list[type[Exporter]]:
    """Offer crates, and zips of them."""
    return [RoCrateExporter, ZipExporter]
