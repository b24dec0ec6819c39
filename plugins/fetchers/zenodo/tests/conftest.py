"""Zenodo on loopback: every record is held against what its interface documents before it is served."""

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
from wfx_zenodo import ZenodoResolver

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer"}
# The fields of a record that the developers' pages and the serializer of Zenodo's records have.
RECORD: dict[str, Any] = {
    "type": "object",
    "required": ["id", "recid", "conceptrecid", "created", "updated", "links", "metadata", "files", "state", "status"],
    "properties": {
        "id": NUMBER, "recid": TEXT, "conceptrecid": TEXT, "conceptdoi": TEXT, "doi": TEXT, "doi_url": TEXT,
        "created": TEXT, "updated": TEXT, "modified": TEXT, "title": TEXT, "revision": NUMBER,
        "state": {"enum": ["done", "inprogress", "unsubmitted"]}, "status": {"enum": ["draft", "published"]},
        "submitted": {"type": "boolean"}, "links": {"type": "object"}, "owners": {"type": "array"},
        "files": {"type": "array", "items": {
            "type": "object", "required": ["id", "key", "size", "checksum", "links"], "additionalProperties": False,
            "properties": {
                "id": TEXT, "key": TEXT, "size": NUMBER, "checksum": {"type": "string", "pattern": "^md5:[0-9a-f]{32}$"},
                "links": {"type": "object", "required": ["self"], "properties": {"self": TEXT}},
            }}},
        "metadata": {"type": "object", "required": ["title", "publication_date", "access_right", "creators"], "properties": {
            "title": TEXT, "access_right": {"enum": ["open", "restricted", "embargoed"]}, "embargo_date": TEXT,
            "creators": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            "license": {"type": "object", "required": ["id"], "properties": {"id": TEXT}},
            "relations": {"type": "object", "required": ["version"]},
        }},
    },
}  # fmt: skip
JSON = {"Content-Type": "application/json"}


class Zenodo(FaultServer):
    """Publishes records."""

    def record(
        self, number: int, files: Mapping[str, bytes], *, concept: int = 0, redirects: bool = True,
        access: str = "open", licence: str | None = "cc-by-4.0", shown: bool | None = None, **metadata: Any,
    ) -> str:  # fmt: skip
        """Publish a version with its files, the newest of its concept; return its reference."""
        concept = concept or number - 1
        base = f"/api/records/{number}"
        shown = access == "open" if shown is None else shown
        listed = []
        for key, data in files.items():
            place = f"{base}/files/{quote(key, safe='/')}/content"
            self.add(place, data, headers={"Content-Disposition": "attachment"})
            links = {"self": f"https://zenodo.org{place}"}
            checksum = f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
            listed.append(
                {"id": f"f-{len(listed)}", "key": key, "size": len(data), "checksum": checksum, "links": links}
            )
        about = {
            "title": "Reads of a culture", "publication_date": "2024-05-06", "access_right": access,
            "creators": [{"name": "Ada of the lab", "affiliation": "Lab", "orcid": "0000-0002-1825-0097"}],
            "relations": {"version": [{"index": 0, "is_last": True, "parent": {"pid_type": "recid", "pid_value": str(concept)}}]},
            **({"license": {"id": licence}} if licence else {}), **metadata,
        }  # fmt: skip
        answer = {
            "id": number, "recid": str(number), "conceptrecid": str(concept), "doi": f"10.5281/zenodo.{number}",
            "conceptdoi": f"10.5281/zenodo.{concept}", "created": "2024-05-06T07:08:09.000000+00:00", "revision": 3,
            "updated": "2024-05-06T07:08:09.000000+00:00", "title": "Reads of a culture", "state": "done",
            "status": "published", "submitted": True, "links": {"self": f"https://zenodo.org{base}"},
            "owners": [{"id": "7"}], "files": listed if shown else [], "metadata": about,
        }  # fmt: skip
        self.answer(base, answer)
        if redirects:
            self.redirect(f"/api/records/{concept}", base, status=301)
        else:
            found = {"hits": {"hits": [answer], "total": 1}, "aggregations": {}, "links": {}}
            self.add(f"/api/records?q=conceptrecid%3A{concept}&size=1", json.dumps(found).encode(), headers=JSON)
        return f"zenodo:{number}"

    def answer(self, path: str, answer: Any) -> None:
        """Serve a record."""
        jsonschema.validate(answer, RECORD)
        self.add(path, json.dumps(answer).encode(), headers=JSON)

    def missing_search(self, number: int) -> None:
        """Have the search find nothing."""
        nothing = {"hits": {"hits": [], "total": 0}, "aggregations": {}, "links": {}}
        self.add(f"/api/records?q=conceptrecid%3A{number}&size=1", json.dumps(nothing).encode(), headers=JSON)


@pytest.fixture
def zenodo() -> Iterator[Zenodo]:
    with Zenodo() as server:
        server.missing_search(404)
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, zenodo: Zenodo) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, ZenodoResolver])
    made.settings = {"retries": 0}
    made.network = {"sections": {"fetcher.zenodo": {"server": zenodo.url, "sandbox": zenodo.url}}}
    yield made
    made.close()
