"""Pack crates as BagIt bags (RFC 8493), and check bags."""

from __future__ import annotations

from wfx.exporting import Exporter
from wfx.hookspecs import hookimpl

from wfx_bagit.exporters import BagExporter, PackedBagExporter

__version__ = "0.1.0"
__all__ = ["BagExporter", "PackedBagExporter"]


@hookimpl
def wfx_exporters() -> list[type[Exporter]]:
    """Offer bags as folders and as zips."""
    return [BagExporter, PackedBagExporter]
