"""A server on loopback whose tickets are held against the specification's schema (OpenAPI of htsget 1.3)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer, Request
from wfx_htsget import HtsgetFetcher

TICKET = {
    "type": "object",
    "required": ["htsget"],
    "additionalProperties": False,
    "properties": {
        "htsget": {
            "type": "object",
            "required": ["urls"],
            "properties": {
                "format": {"enum": ["BAM", "CRAM", "VCF", "BCF"]},
                "md5": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "urls": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["url"],
                        "properties": {
                            "url": {"type": "string"},
                            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                            "class": {"enum": ["header", "body"]},
                        },
                    },
                },
            },
        }
    },
}
REFUSAL = {
    "type": "object",
    "required": ["htsget"],
    "properties": {
        "htsget": {
            "type": "object",
            "required": ["error", "message"],
            "properties": {
                "error": {
                    "enum": [
                        "InvalidAuthentication", "PermissionDenied", "NotFound", "PayloadTooLarge", "UnsupportedFormat",
                        "InvalidInput", "InvalidRange",
                    ]
                }
            },
        }
    },
}  # fmt: skip
POST = {
    "type": "object",
    "required": ["regions"],
    "additionalProperties": False,
    "properties": {
        "format": {"enum": ["BAM", "CRAM", "VCF", "BCF"]},
        "class": {"enum": ["header", "body"]},
        **{name: {"type": "array", "items": {"type": "string"}} for name in ("fields", "tags", "notags")},
        "regions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["referenceName"],
                "additionalProperties": False,
                "properties": {
                    "referenceName": {"type": "string"},
                    "start": {"type": "integer", "minimum": 0},
                    "end": {"type": "integer", "minimum": 0},
                },
            },
        },
    },
}
JSON = {"Content-Type": "application/vnd.ga4gh.htsget.v1.3.0+json; charset=utf-8"}


@dataclass
class Part:
    """One block: in the ticket, or at an address that has something around it."""

    data: bytes
    inline: bool = False
    before: bytes = b""
    after: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    at: FaultServer | None = None
    """Another server that has it."""
    options: dict[str, Any] = field(default_factory=dict)


class HtsgetServer(FaultServer):
    """Gives tickets, and has blocks."""

    Part = Part

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def ticket(self, path: str, urls: list[dict[str, Any]], md5: str = "", kind: str = "BAM") -> Reference:
        """Give a ticket, as the specification has it."""
        inner: dict[str, Any] = {"format": kind, "urls": urls, **({"md5": md5} if md5 else {})}
        jsonschema.validate({"htsget": inner}, TICKET)
        self.add(path, json.dumps({"htsget": inner}).encode(), headers=JSON, etag=None)
        return Reference(f"htsget://{self.host}{path}")

    def publish(self, path: str, parts: Sequence[Part], *, md5: bool = False, kind: str = "BAM") -> Reference:
        """Publish data in parts."""
        urls = []
        for number, part in enumerate(parts):
            item: dict[str, Any] = {}
            if part.inline:
                item["url"] = f"data:application/octet-stream;base64,{base64.b64encode(part.data).decode()}"
            else:
                server = part.at or self
                name = f"/blocks{path.partition('?')[0]}/{number}"
                item["url"] = server.add(name, part.before + part.data + part.after, **part.options)
            headers = dict(part.headers)
            if part.before or part.after:
                headers["Range"] = f"bytes={len(part.before)}-{len(part.before) + len(part.data) - 1}"
            if headers:
                item["headers"] = headers
            if part.kind:
                item["class"] = part.kind
            urls.append(item)
        whole = b"".join(part.data for part in parts)
        return self.ticket(path, urls, hashlib.md5(whole, usedforsecurity=False).hexdigest() if md5 else "", kind)

    def refuse(self, path: str, status: int, error: str, message: str = "it says so") -> Reference:
        """Refuse, as the specification has it."""
        answer = {"htsget": {"error": error, "message": message}}
        jsonschema.validate(answer, REFUSAL)
        self.add(path, json.dumps(answer).encode(), headers=JSON, status=status)
        return Reference(f"htsget://{self.host}{path}")

    @staticmethod
    def posted(request: Request) -> Any:
        """Return what was sent for a ticket, when it is what the specification says."""
        body = json.loads(request.body)
        jsonschema.validate(body, POST)
        return body


@pytest.fixture
def server() -> Iterator[HtsgetServer]:
    with HtsgetServer() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[FaultServer]:
    with FaultServer() as made:
        yield made


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [HtsgetFetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()
