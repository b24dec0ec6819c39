"""A registry on loopback whose every answer is held against the specification's schemas before it is served."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer
from wfx_trs import DockstoreResolver, TrsFetcher, WorkflowHubResolver

TEXT: dict[str, Any] = {"type": "string"}
CHECKSUM = {"type": "object", "required": ["checksum", "type"], "properties": {"checksum": TEXT, "type": TEXT}}
ROLES = ["TEST_FILE", "PRIMARY_DESCRIPTOR", "SECONDARY_DESCRIPTOR", "CONTAINERFILE", "OTHER"]
# What the specification's own schemas (components/schemas of TRS 2.0.0 and 2.0.1) ask of an answer. 2.0.0 has no
# checksum of a file in a list and knows three languages; servers add to the objects, which both allow.
SCHEMAS: dict[str, dict[str, Any]] = {
    "ToolFile": {
        "type": "object",
        "properties": {"path": TEXT, "file_type": {"enum": ROLES}, "checksum": CHECKSUM},
    },
    "ToolVersion": {
        "type": "object",
        "required": ["url", "id"],
        "properties": {
            "url": TEXT, "id": TEXT, "name": TEXT, "is_production": {"type": "boolean"},
            "descriptor_type": {"type": "array", "items": {"enum": ["CWL", "WDL", "NFL", "SMK", "GALAXY"]}},
            "images": {"type": "array"}, "containerfile": {"type": "boolean"}, "verified": {"type": "boolean"},
            "author": {"type": "array", "items": TEXT},
        },
    },
    "Tool": {
        "type": "object",
        "required": ["url", "id", "organization", "toolclass", "versions"],
        "properties": {
            "url": TEXT, "id": TEXT, "organization": TEXT, "toolclass": {"type": "object"},
            "versions": {"type": "array", "items": {"$ref": "#/definitions/ToolVersion"}},
        },
    },
    "FileWrapper": {
        "type": "object",
        "properties": {"content": TEXT, "url": TEXT, "checksum": {"type": "array", "items": CHECKSUM}},
    },
    "Error": {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}, "message": TEXT}},
}  # fmt: skip


def hold(name: str, answer: Any) -> bytes:
    """Return an answer's bytes, if it is what the specification says."""
    many = isinstance(answer, list)
    schema = {"$ref": f"#/definitions/{name}", "definitions": SCHEMAS}
    jsonschema.validate(answer, {"type": "array", "items": schema, "definitions": SCHEMAS} if many else schema)
    return json.dumps(answer).encode()


JSON = {"Content-Type": "application/json"}


class TrsServer(FaultServer):
    """Publishes workflows as the specification says, at `/ga4gh/trs/v2` or where a registry has its interface."""

    base = "/ga4gh/trs/v2"

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def versions_of(self, identifier: str, versions: Mapping[str, dict[str, Any]]) -> None:
        """Publish the workflow itself, with its versions."""
        tool = {
            "url": f"{self.url}/{quote(identifier, safe='')}", "id": identifier, "organization": "Lab",
            "toolclass": {"id": "1", "name": "Workflow", "description": "a workflow"},
            "versions": [{"url": self.url, "id": name, **more} for name, more in versions.items()],
        }  # fmt: skip
        self.add(f"{self.base}/tools/{quote(identifier, safe='')}", hold("Tool", tool), headers=JSON)

    def publish(
        self, identifier: str, version: str, files: Mapping[str, bytes], *, primary: str = "", kind: str = "CWL",
        production: bool | None = True, checksums: str = "sha-256", roles: Mapping[str, str] | None = None,
        plain: bool = True, extra: Callable[[str], dict[str, Any]] = lambda path: {}, said: str | None = None,
    ) -> Reference:  # fmt: skip
        """Publish one version: its object, the list of its files, and each file under the path in the list."""
        prefix = f"{self.base}/tools/{quote(identifier, safe='')}/versions/{quote(version, safe='')}"
        item: dict[str, Any] = {
            "url": self.url + prefix,
            "id": said or version,
            "name": version,
            "descriptor_type": [kind],
        }
        if production is not None:
            item["is_production"] = production
        self.add(prefix, hold("ToolVersion", item), headers=JSON)
        listed = []
        for path, data in files.items():
            role = (roles or {}).get(path, "PRIMARY_DESCRIPTOR" if path == (primary or next(iter(files))) else "OTHER")
            entry: dict[str, Any] = {"path": path, "file_type": role, **extra(path)}
            if checksums:
                digest = hashlib.new(checksums.replace("-", ""), data).hexdigest()
                entry["checksum"] = {"checksum": digest, "type": checksums}
            listed.append(entry)
            if path.startswith(("https:", "http:")):
                continue
            dotted = path.startswith("/") or ".." in path
            place = quote(path, safe="" if dotted else "/")
            if plain:
                self.add(f"{prefix}/PLAIN_{kind}/descriptor/{place}", data, headers={"Content-Type": "text/plain"})
            else:
                wrapped = {"content": data.decode(), "url": f"{self.url}/raw/{place}"}
                self.add(f"{prefix}/{kind}/descriptor/{place}", hold("FileWrapper", wrapped), headers=JSON)
        self.add(f"{prefix}/{kind}/files", hold("ToolFile", listed), headers=JSON)
        return Reference(f"trs://{self.host}/{quote(identifier, safe='')}/{quote(version, safe='')}")

    def crate(self, number: int, version: int, files: Mapping[str, bytes]) -> str:
        """Serve a workflow's crate, as WorkflowHub does."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for path, content in files.items():
                archive.writestr(zipfile.ZipInfo(path, (2024, 1, 2, 3, 4, 6)), content)
        return self.add(
            f"/workflows/{number}/ro_crate?version={version}", data.getvalue(),
            headers={"Content-Type": "application/zip",
                     "Content-Disposition": f'attachment; filename="workflow-{number}-{version}.crate.zip"'},
        )  # fmt: skip


@pytest.fixture
def registry() -> Iterator[TrsServer]:
    with TrsServer() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, registry: TrsServer) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, TrsFetcher, DockstoreResolver, WorkflowHubResolver])
    made.settings = {"retries": 0}
    made.network = {"sections": sections(registry)}
    yield made
    made.close()


def sections(server: TrsServer) -> dict[str, Any]:
    return {"fetcher.trs": {"dockstore": f"{server.url}/api/ga4gh/trs/v2", "workflowhub": server.url}}
