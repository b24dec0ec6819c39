"""The exporters: a run described as a crate, a crate checked, a crate packed as a zip or laid out as a folder."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from wfx.errors import MachineError
from wfx.exporting import Addition, Exporter, Finding, Omission
from wfx.packing import Member, members_of, write_folder, write_zip
from wfx.running import RunRecord

from wfx_ro_crate.graph import DESCRIPTOR, PREVIEW


class RoCrateExporter(Exporter):
    """Writes `ro-crate-metadata.json` and `ro-crate-preview.html` into the run's directory, and checks crates."""

    keys: ClassVar[tuple[str, ...]] = ("ro-crate",)

    def prepare(self) -> None:
        """Import the library and the page, a fifth of a second's work."""
        import rocrate.rocrate  # noqa: F401

        import wfx_ro_crate.describing
        import wfx_ro_crate.preview  # noqa: F401

    def describe(self, record: RunRecord, into: Path) -> None:
        """Write the two files, each whole or not at all. Raises MachineError where they cannot be written."""
        from wfx_ro_crate.describing import describe
        from wfx_ro_crate.preview import preview

        document = describe(record, into)
        page = preview(record, into, document)
        write(into / PREVIEW, page.encode("utf-8", "replace"))
        write(into / DESCRIPTOR, as_text(document).encode("utf-8", "replace"))

    def restate(
        self, crate: Path, members: Sequence[Member], omissions: Sequence[Omission], additions: Sequence[Addition],
        record: RunRecord | None,
    ) -> dict[str, bytes]:  # fmt: skip
        """Return the metadata and, of a run, the page, as they are where some files stay behind."""
        from wfx_ro_crate.preview import preview
        from wfx_ro_crate.restating import restate

        document = restate(crate, members, omissions, additions)
        made = {DESCRIPTOR: as_text(document).encode("utf-8", "replace")}
        if record is not None:
            made[PREVIEW] = preview(record, crate, document).encode("utf-8", "replace")
        return made

    def check(self, crate: Path) -> list[Finding]:
        """Look at the structure, the files and, where roc-validator is installed, the rules of the profiles."""
        from wfx_ro_crate.checking import check

        return check(crate)


class ZipExporter(Exporter):
    """Packs a crate as one zip file."""

    keys: ClassVar[tuple[str, ...]] = ("zip",)
    suffix: ClassVar[str] = ".crate.zip"

    def pack(self, crate: Path, into: Path) -> Path:
        """Write the zip whole or not at all; the same crate gives the same bytes."""
        return self.pack_members(members_of(crate), into)

    def pack_members(self, members: Sequence[Member], into: Path) -> Path:
        """Write the zip, streamed: stored or compressed by what each file is."""
        return write_zip(members, into)


class DirectoryExporter(Exporter):
    """Lays a crate out as a folder."""

    keys: ClassVar[tuple[str, ...]] = ("directory",)
    suffix: ClassVar[str] = ".crate"

    def pack(self, crate: Path, into: Path) -> Path:
        """Write the folder whole or not at all."""
        return self.pack_members(members_of(crate), into)

    def pack_members(self, members: Sequence[Member], into: Path) -> Path:
        """Write the folder; its files are clones where the file system can do that."""
        return write_folder(members, into)


def as_text(document: dict[str, Any]) -> str:
    """Return JSON with an entity a line: people find their way, `diff` shows what changed, and C code writes it."""
    lines = ",\n".join(json.dumps(entity, ensure_ascii=False) for entity in document["@graph"])
    return f'{{"@context": {json.dumps(document["@context"])},\n"@graph": [\n{lines}\n]}}\n'


def write(path: Path, data: bytes) -> None:
    """Write a file whole and durably, or not at all; a link in its place is replaced, not followed."""
    temporary = path.with_name(f".wfx-{uuid.uuid4().hex[:12]}")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError.of(error) from error
