"""What the tests of crates share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.running import RunRecord

sys.path.insert(0, str(Path(__file__).parent))  # for crate_records


class Written:
    """A described run: its directory, its entities, its page."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.text = (directory / "ro-crate-metadata.json").read_text("utf-8")
        self.document: dict[str, Any] = json.loads(self.text)
        self.entities: dict[str, dict[str, Any]] = {e["@id"]: e for e in self.document["@graph"]}
        self.page = (directory / "ro-crate-preview.html").read_text("utf-8")

    def __getitem__(self, identifier: str) -> dict[str, Any]:
        return self.entities[identifier]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.entities.values() if kind in types(e)]


def types(entity: dict[str, Any]) -> list[str]:
    kind = entity["@type"]
    return kind if isinstance(kind, list) else [kind]


@pytest.fixture
def describe(tmp_path: Path) -> Callable[[RunRecord], Written]:
    """Describe a record whose files lie in `tmp_path`."""

    def run(record: RunRecord) -> Written:
        from wfx_ro_crate import RoCrateExporter

        RoCrateExporter().describe(record, tmp_path)
        return Written(tmp_path)

    return run
