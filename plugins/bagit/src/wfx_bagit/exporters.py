"""The exporters: a bag as a folder, a bag as one zip, and a bag checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from wfx.errors import MachineError
from wfx.exporting import Exporter, Finding
from wfx.packing import Member, add_chunks_to_zip, appearing, members_of, refuse_unspeakable, zip_at

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
                _copy(member, temporary / PAYLOAD / member.path, manifest)
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
                _add(archive, f"{top}/{name}", data)
            for member in members:
                digest = hashlib.new(ALGORITHM)
                for chunk in add_chunks_to_zip(archive, f"{top}/{PAYLOAD}/{member.path}", member):
                    digest.update(chunk)
                if not member.is_folder:
                    manifest.add(f"{PAYLOAD}/{member.path}", digest.hexdigest())
            tags[f"manifest-{ALGORITHM}.txt"] = manifest.text()
            _add(archive, f"{top}/manifest-{ALGORITHM}.txt", manifest.text())
            _add(archive, f"{top}/tagmanifest-{ALGORITHM}.txt", Manifest.of(tags).text())
        return into

    def check(self, crate: Path) -> list[Finding]:
        """Hold a bag, a folder or a zip of one, to its manifests."""
        from wfx_bagit.checking import check

        return check(crate)


def _copy(member: Member, target: Path, manifest: Manifest) -> None:
    if member.is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    digest = hashlib.new(ALGORITHM)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in member.chunks():
                digest.update(chunk)
                file.write(chunk)
        if member.executable:
            target.chmod(0o755)
    except OSError as error:
        raise MachineError.of(error) from error
    manifest.add(f"{PAYLOAD}/{member.path}", digest.hexdigest())


def _add(archive: object, path: str, data: bytes) -> None:
    for _ in add_chunks_to_zip(archive, path, Member(path, data, len(data))):  # type: ignore[arg-type]
        pass
