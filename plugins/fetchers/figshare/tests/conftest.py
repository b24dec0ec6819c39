"""figshare on loopback: every answer is held against the published description of the interface before it is served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer
from wfx_figshare import FigshareResolver

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer"}
YES_OR_NO: dict[str, Any] = {"type": "boolean"}
# `PublicFile` as figshare's own description (Swagger) has it; of an item, the fields that the guide shows.
FILE: dict[str, Any] = {
    "type": "object",
    "required": ["computed_md5", "download_url", "id", "is_link_only", "name", "size", "supplied_md5"],
    "properties": {
        "computed_md5": TEXT, "download_url": TEXT, "id": NUMBER, "is_link_only": YES_OR_NO, "mimetype": TEXT,
        "name": TEXT, "size": NUMBER, "supplied_md5": TEXT,
    },
}  # fmt: skip
ARTICLE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "title", "doi", "version", "license", "is_embargoed", "is_confidential", "authors", "status"],
    "properties": {
        "id": NUMBER, "title": TEXT, "doi": TEXT, "version": NUMBER, "is_embargoed": YES_OR_NO, "status": TEXT,
        "is_confidential": YES_OR_NO, "confidential_reason": TEXT, "embargo_reason": TEXT, "metadata_reason": TEXT,
        "embargo_date": {"type": ["string", "null"]}, "embargo_type": {"enum": ["article", "file", None]},
        "license": {"type": "object", "required": ["value", "name", "url"]}, "files": {"type": "array", "items": FILE},
        "authors": {"type": "array", "items": {"type": "object", "required": ["id", "full_name"]}},
        "folder_structure": {"type": "object", "additionalProperties": TEXT},
    },
}  # fmt: skip
JSON = {"Content-Type": "application/json"}
CC_BY = {"value": 1, "name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}


class Figshare(FaultServer):
    """Publishes items."""

    size = 100
    """Of a page that is asked for."""

    def answer(self, path: str, value: Any, schema: dict[str, Any]) -> None:
        jsonschema.validate(value, {"type": "array", "items": schema} if isinstance(value, list) else schema)
        self.add(path, json.dumps(value).encode(), headers=JSON)

    def refuse(self, path: str, status: int, message: str) -> None:
        self.add(path, json.dumps({"message": message, "code": status}).encode(), status=status, headers=JSON)

    def item(
        self, number: int, files: Mapping[str, bytes], *, version: int = 1, more: Mapping[str, Mapping[str, Any]] | None = None,
        paged: bool = True, private: bool = False, **fields: Any,
    ) -> str:  # fmt: skip
        """Publish a version, the newest; return the item's reference. `more` are fields of a file, by its path."""
        listed, folders = [], {}
        for path, data in files.items():
            file = 1000 + len(self.resources)
            folder, _, name = path.rpartition("/")
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
            url = self.add(f"/files/{file}", data)
            listed.append({
                "id": file, "name": name, "size": len(data), "is_link_only": False, "download_url": url,
                "supplied_md5": digest, "computed_md5": digest, "mimetype": "text/plain", **(more or {}).get(path, {}),
            })  # fmt: skip
            if folder:
                folders[str(file)] = folder
        article = {
            "id": number, "title": "Reads of a culture", "doi": f"10.6084/m9.figshare.{number}.v{version}", "version": version,
            "license": CC_BY, "is_embargoed": False, "is_confidential": False, "embargo_date": None, "embargo_type": None,
            "authors": [{"id": 7, "full_name": "Ada of the lab"}], "status": "public", "confidential_reason": "",
            "embargo_reason": "", "metadata_reason": "", "folder_structure": folders, "files": listed[:10], **fields,
        }  # fmt: skip
        if private:
            del article["files"]
        self.answer(f"/v2/articles/{number}", article, ARTICLE)
        self.answer(f"/v2/articles/{number}/versions/{version}", article, ARTICLE)
        base = f"/v2/account/articles/{number}/files" if private else f"/v2/articles/{number}/versions/{version}/files"
        for page in range(len(listed) // self.size + 1) if paged else ():
            part = listed[page * self.size : (page + 1) * self.size]
            self.answer(f"{base}?page={page + 1}&page_size={self.size}", part, FILE)
        return f"figshare:{number}"


@pytest.fixture
def figshare() -> Iterator[Figshare]:
    with Figshare() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, figshare: Figshare) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, FigshareResolver])
    made.settings = {"retries": 0}
    made.network = {"sections": {"fetcher.figshare": {"api": f"{figshare.url}/v2"}}}
    yield made
    made.close()
