"""B2SHARE on loopback, as versions 2 and 3 of its interface answer; held against the fields that their guides show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer
from wfx_b2share import B2shareResolver

TEXT: dict[str, Any] = {"type": "string"}
CHECKSUM: dict[str, Any] = {"type": "string", "pattern": "^md5:[0-9a-f]{32}$"}
ACCESS: dict[str, Any] = {
    "type": "object",
    "required": ["record", "files", "embargo"],
    "properties": {name: {"enum": ["public", "restricted"]} for name in ("record", "files")},
}
# The record object and the list of files of version 3 (InvenioRDM's), and the record of version 2 with its files.
SCHEMAS: dict[str, dict[str, Any]] = {
    "record": {
        "type": "object", "required": ["id", "access", "files", "metadata", "links", "parent"],
        "properties": {"id": TEXT, "access": ACCESS, "files": {"type": "object", "required": ["enabled", "order"]}},
    },
    "files": {
        "type": "object", "required": ["enabled", "entries", "links"],
        "properties": {"entries": {"type": "array", "items": {
            "type": "object", "required": ["key", "checksum", "size", "mimetype", "links", "status"],
            "properties": {"key": TEXT, "checksum": CHECKSUM, "size": {"type": "integer"}}}}},
    },
    "old": {
        "type": "object", "required": ["id", "created", "updated", "links", "metadata"],
        "properties": {"id": TEXT, "files": {"type": "array", "items": {
            "type": "object", "required": ["bucket", "checksum", "key", "size", "version_id"],
            "properties": {"bucket": TEXT, "checksum": CHECKSUM, "key": TEXT, "size": {"type": "integer"}}}}},
    },
}  # fmt: skip
JSON = {"Content-Type": "application/json"}


def md5(data: bytes) -> str:
    return f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"


class B2share(FaultServer):
    """Publishes records."""

    def answer(self, path: str, value: Any, schema: str) -> None:
        jsonschema.validate(value, SCHEMAS[schema])
        self.add(path, json.dumps(value).encode(), headers=JSON)

    def record(
        self, identifier: str, files: Mapping[str, bytes], *, access: str = "public", shown: bool = True, until: str | None = None
    ) -> str:  # fmt: skip
        """Publish a record as version 3 has it; return its reference."""
        base = f"/api/records/{identifier}"
        self.answer(base, {
            "id": identifier, "parent": {"id": "p0000-00000"}, "links": {"self": f"https://b2share.eudat.eu{base}"},
            "access": {"record": "public", "files": access, "embargo": {"active": bool(until), "until": until, "reason": None}},
            "files": {"enabled": True, "order": [], "count": len(files)},
            "metadata": {"title": "Reads", "rights": [{"id": "cc-by-4.0", "title": {"en": "CC BY 4.0"}}]},
        }, "record")  # fmt: skip
        entries = []
        for key, data in files.items():
            place = f"{base}/files/{quote(key, safe='/')}/content"
            self.add(place, data)
            entries.append({"key": key, "checksum": md5(data), "size": len(data), "mimetype": "text/plain",
                            "status": "completed", "links": {"content": f"https://b2share.eudat.eu{place}"}})  # fmt: skip
        if shown:
            self.answer(f"{base}/files", {"enabled": True, "entries": entries, "links": {}, "order": []}, "files")
        else:
            self.add(f"{base}/files", b'{"status": 403, "message": "Permission denied."}', status=403, headers=JSON)
        return f"b2share:{identifier}"

    def old(self, identifier: str, files: Mapping[str, bytes], *, public: bool = True, **metadata: Any) -> str:
        """Publish a record as version 2 has it; return its reference."""
        bucket = "5594a1bf-1484-4a01-b7d3-f1eb3d2e1dc6"
        listed = []
        for key, data in files.items():
            self.add(f"/api/files/{bucket}/{quote(key, safe='/')}", data)
            listed.append({"bucket": bucket, "checksum": md5(data), "key": key, "size": len(data),
                           "ePIC_PID": "http://hdl.handle.net/11304/x", "version_id": "v"})  # fmt: skip
        answer: dict[str, Any] = {
            "id": identifier, "created": "2016-10-24T12:21:21+00:00", "updated": "2016-10-24T12:21:21+00:00",
            "links": {"files": f"https://b2share.eudat.eu/api/files/{bucket}"},
            "metadata": {"titles": [{"title": "Reads"}], "open_access": public, "publication_state": "published", **metadata},
        }  # fmt: skip
        if public:
            answer["files"] = listed
        self.answer(f"/api/records/{identifier}", answer, "old")
        return f"b2share:{identifier}"


@pytest.fixture
def b2share() -> Iterator[B2share]:
    with B2share() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, b2share: B2share) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, B2shareResolver])
    made.settings = {"retries": 0}
    made.network = {"sections": {"fetcher.b2share": {"server": b2share.url, "training": b2share.url}}}
    yield made
    made.close()
