"""Small crates for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def graph_of(*entities: dict[str, Any], root: dict[str, Any] | None = None) -> dict[str, Any]:
    """A crate's metadata with descriptor and root."""
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [
            {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
             "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
            {"@id": "./", "@type": "Dataset", "name": "a crate", **(root or {})},
            *entities,
        ],
    }  # fmt: skip


def write_crate(folder: Path, *entities: dict[str, Any], root: dict[str, Any] | None = None) -> Path:
    """Write the metadata into a folder, which may have other files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ro-crate-metadata.json").write_text(json.dumps(graph_of(*entities, root=root)), "utf-8")
    return folder
