"""Describe wfx runs as Workflow Run RO-Crates, check and pack them."""

from __future__ import annotations

from wfx.exporting import Exporter
from wfx.hookspecs import hookimpl

from wfx_ro_crate.exporters import DirectoryExporter, RoCrateExporter, ZipExporter

__version__ = "0.1.0"
__all__ = ["DirectoryExporter", "RoCrateExporter", "ZipExporter"]


@hookimpl
def wfx_exporters() -> list[type[Exporter]]:
    """Offer crates, and zips and folders of them."""
    return [RoCrateExporter, ZipExporter, DirectoryExporter]
