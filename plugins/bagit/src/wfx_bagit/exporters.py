"""The exporters: a bag as a folder, a bag as one zip, and a bag checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from wfx.exporting import Exporter, Finding
from wfx.packing import Member, add_to_zip, appearing, copy_file, members_of, refuse_unspeakable, zip_at

from wfx_bagit.tags import ALGORITHM, PAYLOAD, Manifest, about


class BagExporter(Exporter):
    """Writes a bag as a folder, the crate as its payload."""

    keys: ClassVar[tuple[str, ...]] = ("bagit",)
    suffix: ClassVar[str] = ".bag"

    def pack(self, crate: Path, into: Path) -> Path:
        """Write the bag whole or not at all; the same crate gives the same bytes."""
        return self.pack_members(members_of(crate), into)

    def pack_members(self, members: Sequence[Member], into: Path) -> Path:
        """Write the bag; each file is read once, to be copied and hashed."""
        refuse_unspeakable(members)
        with appearing(into) as temporary:
            (temporary / PAYLOAD).mkdir(parents=True)
            manifest = Manifest()
            for member in members:
                digest = hashlib.new(ALGORITHM)
                copy_file(member, temporary / PAYLOAD / member.path, digest.update)
                if not member.is_folder:
                    manifest.add(f"{PAYLOAD}/{member.path}", digest.hexdigest())
            tags = about(members)
            tags[f"manifest-{ALGORITHM}.txt"] = manifest.text()
            tags[f"tagmanifest-{ALGORITHM}.txt"] = Manifest.of(tags).text()
            for name, data in tags.items():
                (temporary / name).write_bytes(data)
        return into

    def check(self, crate: Path) -> list[Finding]:
        """Hold a bag, a folder or a zip of one, to its manifests."""
        from wfx_bagit.checking import check

        return check(crate)


class PackedBagExporter(Exporter):
    """Writes a bag as one zip, with the bag as its only folder (RFC 8493 §4)."""

    keys: ClassVar[tuple[str, ...]] = ("bagit-zip",)
    suffix: ClassVar[str] = ".bag.zip"

    def pack(self, crate: Path, into: Path) -> Path:
        """Write the zip whole or not at all; the same crate gives the same bytes."""
        return self.pack_members(members_of(crate), into)

    def pack_members(self, members: Sequence[Member], into: Path) -> Path:
        """Write the zip; each file is read once, to be packed and hashed."""
        refuse_unspeakable(members)
        # Not the name of the zip: the same crate is to give the same bytes, whatever it is called.
        top = "bag"
        with zip_at(into) as archive:
            manifest = Manifest()
            tags = about(members)
            for name, data in tags.items():
                archive.data(f"{top}/{name}", data)
            for member in members:
                digest = hashlib.new(ALGORITHM)
                add_to_zip(archive, f"{top}/{PAYLOAD}/{member.path}", member, digest.update)
                if not member.is_folder:
                    manifest.add(f"{PAYLOAD}/{member.path}", digest.hexdigest())
            tags[f"manifest-{ALGORITHM}.txt"] = manifest.text()
            archive.data(f"{top}/manifest-{ALGORITHM}.txt", manifest.text())
            archive.data(f"{top}/tagmanifest-{ALGORITHM}.txt", Manifest.of(tags).text())
        return into

    def check(self, crate: Path) -> list[Finding]:
        """Hold a bag, a folder or a zip of one, to its manifests."""
        from wfx_bagit.checking import check

        return check(crate)
