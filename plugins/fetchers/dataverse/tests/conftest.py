"""An installation on loopback: every answer is held against what the interface's guide shows before it is served."""

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
from wfx_dataverse import DataverseResolver

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer"}
CHECKSUM = {
    "type": "object",
    "required": ["type", "value"],
    "properties": {"type": {"enum": ["MD5", "SHA-1", "SHA-256", "SHA-512"]}, "value": TEXT},
}
# What the guide of the native interface shows of a version, and of each file in its list.
SCHEMAS: dict[str, dict[str, Any]] = {
    "version": {
        "type": "object",
        "required": ["id", "datasetId", "datasetPersistentId", "versionNumber", "versionMinorNumber", "versionState"],
        "properties": {
            "id": NUMBER, "datasetId": NUMBER, "datasetPersistentId": TEXT, "versionNumber": NUMBER,
            "versionMinorNumber": NUMBER, "versionState": {"enum": ["RELEASED", "DRAFT", "DEACCESSIONED", "ARCHIVED"]},
            "license": {"anyOf": [TEXT, {"type": "object", "required": ["name", "uri"]}]},
            "metadataBlocks": {"type": "object"}, "fileAccessRequest": {"type": "boolean"},
        },
    },
    "file": {
        "type": "object",
        "required": ["label", "restricted", "version", "datasetVersionId", "dataFile"],
        "properties": {
            "label": TEXT, "restricted": {"type": "boolean"}, "directoryLabel": TEXT, "version": NUMBER,
            "datasetVersionId": NUMBER,
            "dataFile": {
                "type": "object",
                "required": ["id", "persistentId", "filename", "contentType", "filesize", "rootDataFileId", "checksum"],
                "properties": {
                    "id": NUMBER, "persistentId": TEXT, "filename": TEXT, "contentType": TEXT, "filesize": NUMBER,
                    "checksum": CHECKSUM, "md5": TEXT, "tabularData": {"type": "boolean"}, "originalFileName": TEXT,
                    "originalFileFormat": TEXT, "originalFileSize": NUMBER,
                    "embargo": {"type": "object", "required": ["dateAvailable"]},
                },
            },
        },
    },
}  # fmt: skip
JSON = {"Content-Type": "application/json"}
PID = "doi:10.7910/DVN/ABC123"
CC0 = {"name": "CC0 1.0", "uri": "http://creativecommons.org/publicdomain/zero/1.0"}


class Dataverse(FaultServer):
    """Publishes datasets."""

    counts = True
    """Whether the list of files says how many there are; older installations do not, and know no pages either."""

    limit = 1000
    """How many files a page has that is asked for."""

    def where(self, pid: str = PID) -> str:
        return f"dataverse+{self.url}/{pid}"

    def ok(self, path: str, data: Any, kind: str, **more: Any) -> None:
        for each in data if isinstance(data, list) else [data]:
            jsonschema.validate(each, SCHEMAS[kind])
        self.add(path, json.dumps({"status": "OK", **more, "data": data}).encode(), headers=JSON)

    def refuse(self, path: str, status: int, message: str) -> None:
        answer = {"status": "ERROR", "code": status, "message": message}
        self.add(path, json.dumps(answer).encode(), status=status, headers=JSON)

    def dataset(
        self, files: Mapping[str, bytes], *, pid: str = PID, version: str = "1.0", newest: bool = True,
        algorithm: str = "MD5", licence: Any = None, more: Mapping[str, Mapping[str, Any]] | None = None,
        state: str = "RELEASED",
    ) -> str:  # fmt: skip
        """Publish a version with its files; return the dataset's reference. `more` are fields of a file, by its path."""
        major, minor = map(int, version.split("."))
        about = {
            "id": 77, "datasetId": 7, "datasetPersistentId": pid, "versionNumber": major, "versionMinorNumber": minor,
            "versionState": state, "license": licence or CC0, "fileAccessRequest": True, "metadataBlocks": {},
        }  # fmt: skip
        listed = []
        for path, data in files.items():
            number = 100 + len(self.resources)
            folder, _, label = path.rpartition("/")
            digest = hashlib.new(algorithm.replace("-", ""), data).hexdigest()
            file: dict[str, Any] = {
                "id": number, "persistentId": "", "filename": label, "contentType": "text/plain; charset=UTF-8",
                "filesize": len(data), "rootDataFileId": -1, "checksum": {"type": algorithm, "value": digest},
                "tabularData": False, "creationDate": "2024-05-06", **(more or {}).get(path, {}).get("dataFile", {}),
            }  # fmt: skip
            if algorithm == "MD5":
                file["md5"] = digest
            item = {"label": label, "restricted": False, "version": 1, "datasetVersionId": 77, "dataFile": file}
            if folder:
                item["directoryLabel"] = folder
            item |= {name: value for name, value in (more or {}).get(path, {}).items() if name != "dataFile"}
            self.add(f"/api/access/datafile/{number}", data)
            if file["tabularData"]:
                self.add(f"/api/access/datafile/{number}?format=original", data)
                self.add(f"/api/access/datafile/{number}", b"made\tof it\n")
            listed.append(item)
        tail = f"persistentId={quote(pid, safe=':/')}"
        base = "/api/datasets/:persistentId/versions"
        for name in (version, ":latest-published") if newest else (version,):
            self.ok(f"{base}/{name}?excludeFiles=true&{tail}", about, "version")
        for start in range(0, max(len(listed), 1), self.limit):
            page = listed[start : start + self.limit] if self.counts else listed
            count = {"totalCount": len(listed)} if self.counts else {}
            self.ok(f"{base}/{version}/files?limit={self.limit}&offset={start}&{tail}", page, "file", **count)
        return self.where(pid)


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    with Dataverse() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, dataverse: Dataverse) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, DataverseResolver])
    made.settings = {"retries": 0}
    servers = [f"{host}={dataverse.url}" for host in ("dataverse.harvard.edu", "dataverse.example.org", "dataverse.nl")]
    made.network = {"sections": {"fetcher.dataverse": {"servers": servers}}}
    yield made
    made.close()
