"""OSF on loopback: every file in an answer is held against the published description before it is served."""

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
from wfx_osf import OsfResolver

TEXT: dict[str, Any] = {"type": "string"}
# `File` of the interface's published description (swagger-spec/files); of a folder, size and version are empty.
FILE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "type", "attributes", "relationships", "links"],
    "properties": {
        "id": TEXT, "type": {"const": "files"}, "relationships": {"type": "object"}, "links": {"type": "object"},
        "attributes": {
            "type": "object",
            "required": ["kind", "name", "materialized_path", "provider", "path", "extra", "size", "current_version"],
            "properties": {
                "extra": {"type": "object"}, "kind": {"enum": ["file", "folder"]}, "name": TEXT, "path": TEXT,
                "materialized_path": TEXT, "provider": TEXT, "size": {"type": ["integer", "null"]},
                "current_version": {"type": ["integer", "null"]}, "guid": {"type": ["string", "null"]},
            },
        },
    },
}  # fmt: skip
JSON = {"Content-Type": "application/vnd.api+json"}


class Osf(FaultServer):
    """Has projects with files in OSF's own storage."""

    def answer(self, path: str, data: Any, **more: Any) -> None:
        self.add(path, json.dumps({"data": data, "meta": {"version": "2.0"}, **more}).encode(), headers=JSON)

    def refuse(self, path: str, status: int, detail: str) -> None:
        self.add(path, json.dumps({"errors": [{"detail": detail}]}).encode(), status=status, headers=JSON)

    def file(self, path: str, data: bytes, *, version: int = 1, **changes: Any) -> dict[str, Any]:
        """Return a file as a list has it, with its bytes served in this version."""
        identifier = hashlib.md5(f"{path} {len(self.resources)}".encode(), usedforsecurity=False).hexdigest()[:24]
        self.add(f"/download/{identifier}?version={version}", data)
        item = {
            "id": identifier, "type": "files", "relationships": {"versions": {}},
            "attributes": {
                "kind": "file", "name": path.rpartition("/")[2], "materialized_path": f"/{path}", "provider": "osfstorage",
                "path": f"/{identifier}", "size": len(data), "current_version": version, "guid": None, "tags": [],
                "extra": {"hashes": {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                                     "sha256": hashlib.sha256(data).hexdigest()}, "downloads": 1},
            },
            "links": {"self": f"{self.url}/v2/files/{identifier}/", "download": f"{self.url}/download/{identifier}"},
        }  # fmt: skip
        item["attributes"] |= changes.pop("attributes", {})
        item |= changes
        jsonschema.validate(item, FILE)
        self.answer(f"/v2/files/{identifier}/", item)
        return item

    def folder(self, url: str, files: Mapping[str, Any], above: str = "", *, pages: int = 100) -> None:
        """Serve the list of a folder, page by page, and those below."""
        items, below = [], {}
        for path, data in files.items():
            head, slash, rest = path.partition("/")
            if slash:
                below.setdefault(head, {})[rest] = data
            else:
                items.append(data if isinstance(data, dict) else self.file(above + path, data))
        for name, inside in below.items():
            identifier = hashlib.md5(f"{above}{name}/".encode(), usedforsecurity=False).hexdigest()[:24]
            place = f"{url}{identifier}/"
            item = {
                "id": identifier, "type": "files", "links": {},
                "relationships": {"files": {"links": {"related": {"href": self.url + place, "meta": {}}}}},
                "attributes": {"kind": "folder", "name": name, "materialized_path": f"/{above}{name}/", "size": None,
                               "provider": "osfstorage", "path": f"/{identifier}/", "current_version": None, "extra": {}},
            }  # fmt: skip
            jsonschema.validate(item, FILE)
            items.append(item)
            self.folder(place, inside, f"{above}{name}/")
        for start in range(0, max(len(items), 1), pages):
            number = start // pages + 1
            following = f"{self.url}{url}?page={number + 1}" if start + pages < len(items) else None
            links = {"first": None, "last": None, "prev": None, "next": following, "meta": {"total": len(items)}}
            query = "?page%5Bsize%5D=100" if number == 1 else f"?page={number}"
            self.answer(url + query, items[start : start + pages], links=links)

    def project(
        self, guid: str, files: Mapping[str, Any], *, kind: str = "nodes", licence: str = "by", pages: int = 100,
        **attributes: Any,
    ) -> str:  # fmt: skip
        """Serve a project, led to from its identifier; return its reference."""
        relations: dict[str, Any] = {"files": {"links": {"related": {"href": f"{self.url}/v2/{kind}/{guid}/files/"}}}}
        if licence:
            relations["license"] = {"links": {"related": {"href": f"{self.url}/v2/licenses/{licence}/", "meta": {}}}}
        self.answer(f"/v2/licenses/{licence}/", {"id": licence, "type": "licenses", "attributes": {
            "name": "CC-By Attribution 4.0 International", "text": "...",
            "url": "https://creativecommons.org/licenses/by/4.0/legalcode"}})  # fmt: skip
        self.answer(f"/v2/{kind}/{guid}/", {
            "id": guid, "type": kind, "attributes": {"title": "Reads", "public": True, **attributes},
            "relationships": relations, "links": {"self": f"{self.url}/v2/{kind}/{guid}/"}})  # fmt: skip
        self.redirect(f"/v2/guids/{guid}/", f"{self.url}/v2/{kind}/{guid}/")
        self.folder(f"/v2/{kind}/{guid}/files/osfstorage/", files, pages=pages)
        return f"osf:{guid}"


@pytest.fixture
def osf() -> Iterator[Osf]:
    with Osf() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, osf: Osf) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, OsfResolver])
    made.settings = {"retries": 0}
    made.network = {"sections": {"fetcher.osf": {"api": f"{osf.url}/v2"}}}
    yield made
    made.close()
