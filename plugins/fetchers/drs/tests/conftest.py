"""A data repository on loopback whose every answer is held against the specification's schemas before it is served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import google_crc32c
import jsonschema
import pytest
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer, Request, Resource
from wfx_drs import DrsResolver, ObjectFetcher

TEXT: dict[str, Any] = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
KINDS = ["s3", "gs", "ftp", "gsiftp", "globus", "htsget", "https", "file"]
# What the specification's schemas (openapi/components/schemas of DRS 1.2 to 1.5) ask of an answer.
SCHEMAS: dict[str, dict[str, Any]] = {
    "Checksum": {"type": "object", "required": ["checksum", "type"], "properties": {"checksum": TEXT, "type": TEXT}},
    "AccessURL": {"type": "object", "required": ["url"], "properties": {"url": TEXT, "headers": TEXTS}},
    "AccessMethod": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": KINDS}, "access_url": {"$ref": "#/definitions/AccessURL"}, "access_id": TEXT,
            "region": TEXT, "available": {"type": "boolean"}, "cloud": TEXT,
        },
        "anyOf": [{"required": ["access_url"]}, {"required": ["access_id"]}],
    },
    "ContentsObject": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": TEXT, "id": TEXT, "drs_uri": TEXTS,
            "contents": {"type": "array", "items": {"$ref": "#/definitions/ContentsObject"}},
        },
    },
    "DrsObject": {
        "type": "object",
        "required": ["id", "self_uri", "size", "created_time", "checksums"],
        "properties": {
            "id": TEXT, "name": TEXT, "self_uri": TEXT, "size": {"type": "integer"}, "created_time": TEXT,
            "mime_type": TEXT,
            "checksums": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/Checksum"}},
            "access_methods": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/AccessMethod"}},
            "contents": {"type": "array", "items": {"$ref": "#/definitions/ContentsObject"}},
        },
    },
    "Authorizations": {
        "type": "object",
        "properties": {
            "drs_object_id": TEXT, "passport_auth_issuers": TEXTS, "bearer_auth_issuers": TEXTS,
            "supported_types": {"type": "array", "items": {"enum": ["None", "BasicAuth", "BearerAuth", "PassportAuth"]}},
        },
    },
}  # fmt: skip
JSON = {"Content-Type": "application/json"}


def hold(name: str, answer: Any) -> bytes:
    """Return an answer's bytes, if it is what the specification says."""
    jsonschema.validate(answer, {"$ref": f"#/definitions/{name}", "definitions": SCHEMAS})
    return json.dumps(answer).encode()


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    if algorithm == "crc32c":
        return {"type": "crc32c", "checksum": f"{google_crc32c.value(data):08x}"}
    return {"type": algorithm, "checksum": hashlib.new(algorithm.replace("-", ""), data).hexdigest()}


class DrsServer(FaultServer):
    """Serves objects as the specification says."""

    objects = "/ga4gh/drs/v1/objects"

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def path(self, identifier: str) -> str:
        return f"{self.objects}/{quote(identifier, safe='')}"

    def describe(self, identifier: str, **fields: Any) -> Reference:
        """Put a description, without bytes."""
        answer = {
            "id": identifier, "self_uri": f"drs://{self.host}/{quote(identifier, safe='')}", "size": 0,
            "created_time": "2024-05-06T07:08:09Z", "checksums": [{"type": "etag", "checksum": "x"}], **fields,
        }  # fmt: skip
        self.add(self.path(identifier), hold("DrsObject", answer), headers=JSON)
        return Reference(f"drs://{self.host}/{quote(identifier, safe='')}")

    def put(
        self, identifier: str, data: bytes, *, algorithms: Sequence[str] = ("sha-256",), methods: Any = None,
        **fields: Any,
    ) -> Reference:  # fmt: skip
        """Put an object with its bytes at `/data/ID`."""
        url = self.add(f"/data/{quote(identifier)}", data)
        return self.describe(
            identifier,
            **{
                "size": len(data), "checksums": [checksum(name, data) for name in algorithms] or [checksum("md5", data)],
                "access_methods": methods or [{"type": "https", "access_url": {"url": url}}], **fields,
            },
        )  # fmt: skip

    def access(self, identifier: str, access_id: str, url: str, headers: Sequence[str] = (), **options: Any) -> None:
        """Answer for an `access_id`."""
        answer = {"url": url, **({"headers": list(headers)} if headers else {})}
        path = f"{self.path(identifier)}/access/{quote(access_id, safe='')}"
        self.add(path, hold("AccessURL", answer), headers=JSON, **options)

    def bundle(self, identifier: str, parts: Mapping[str, str | Mapping[str, Any]], **fields: Any) -> Reference:
        """Put a bundle of name → id, or the entry's own fields."""
        contents = [{"name": name, **({"id": part} if isinstance(part, str) else part)} for name, part in parts.items()]
        return self.describe(identifier, contents=contents, **fields)

    def ask_passports(self, identifier: str, passports: Sequence[str], tail: str = "") -> None:
        """From now on answer only to a POST that shows these passports."""
        resource = self.resources[self.path(identifier) + tail]
        body = resource.body

        def look(request: Request, asked: Resource) -> None:
            good = False
            if request.method == "POST":
                assert request.headers["content-type"] == "application/json"
                good = json.loads(request.body).get("passports") == list(passports)
            if request.method == "OPTIONS":
                answer = {
                    "supported_types": ["PassportAuth"],
                    "passport_auth_issuers": ["https://login.elixir-czech.org"],
                }
                asked.status, asked.body = 200, hold("Authorizations", answer)
            else:
                asked.status, asked.body = (200, body) if good else (401, b"{}")

        resource.on_request = look


@pytest.fixture
def repository() -> Iterator[DrsServer]:
    with DrsServer() as server:
        yield server


@pytest.fixture
def another() -> Iterator[DrsServer]:
    with DrsServer() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchBench]:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    made = FetchBench(tmp_path / "bench", [PlainHttp, DrsResolver, ObjectFetcher])
    made.settings = {"retries": 2}
    yield made
    made.close()


@pytest.fixture
def identifiers(bench: FetchBench) -> Iterator[Callable[..., None]]:
    """Put what identifiers.org answers for a prefix, in the form of its resolution API."""
    with FaultServer() as server:
        bench.network["sections"] = {"fetcher.drs": {"resolver": server.url}}

        def say(compact: str, *urls: str, **options: Any) -> None:
            resources = [
                {
                    "id": number, "providerCode": "CURATOR_REVIEW", "compactIdentifierResolvedUrl": url,
                    "description": "A repository", "official": number == len(urls) - 1, "namespacePrefix": "x",
                    "recommendation": {"recommendationIndex": 100 - number, "recommendationExplanation": "up"},
                }
                for number, url in enumerate(urls)
            ]  # fmt: skip
            answer = {"apiVersion": "1.0", "errorMessage": None, "payload": {"resolvedResources": resources}}
            server.add(f"/{compact}", json.dumps(answer).encode(), headers=JSON, **options)

        yield say
