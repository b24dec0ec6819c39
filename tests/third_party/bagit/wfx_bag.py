"""Pack a finished crate as a BagIt bag (RFC 8493)."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import bagit
from wfx import hookimpl
from wfx.errors import DefinitionError, MachineError
from wfx.exporting import Exporter


class BagExporter(Exporter):
    """Writes a bag with the crate as its payload."""

    keys = ("bag",)

    def pack(self, crate: Path, into: Path) -> Path:
        """Copy the crate beside the target, make a bag of the copy, check it, and give it its name."""
        links = [path for path in crate.rglob("*") if path.is_symlink() and ".wfx" not in path.relative_to(crate).parts]
        if links:
            raise DefinitionError("a crate has no links", where=str(links[0]))
        if into.exists() or into.is_symlink():
            raise MachineError("there is something already", where=str(into))
        try:
            with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as folder:
                bag_folder = Path(folder) / "bag"
                shutil.copytree(crate, bag_folder, ignore=leave_out(crate))
                bag = bagit.make_bag(str(bag_folder), about(crate), checksums=["sha256", "sha512"])
                bag.validate()
                bag_folder.rename(into)
        except OSError as error:
            raise MachineError.of(error) from error
        return into


def leave_out(crate: Path):
    """Return a filter for copytree: the state of a run is at the top of the crate, and no part of it."""

    def names(folder: str, found: Sequence[str]) -> list[str]:
        return [".wfx"] if Path(folder) == crate and ".wfx" in found else []

    return names


def about(crate: Path) -> dict[str, str]:
    """Return what the crate says of itself, for bag-info.txt."""
    graph = json.loads((crate / "ro-crate-metadata.json").read_text("utf-8")).get("@graph", [])
    root = next((entity for entity in graph if entity.get("@id") == "./"), {})
    info = {"External-Description": root.get("description"), "External-Identifier": root.get("identifier")}
    profile = {"BagIt-Profile-Identifier": "https://w3id.org/ro/bagit/profile"}
    return profile | {key: " ".join(value.split()) for key, value in info.items() if isinstance(value, str)}


@hookimpl
def wfx_exporters() -> list[type[Exporter]]:
    """Offer the packer."""
    return [BagExporter]
