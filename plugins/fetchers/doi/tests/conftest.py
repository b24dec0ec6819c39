"""The services on loopback: the handle system's, DataCite's and identifiers.org's, in the forms of their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer
from wfx_doi import CurieResolver, HandleResolver

JSON = {"Content-Type": "application/json"}
PAGE = {"Content-Type": "text/html; charset=utf-8"}


class Services(FaultServer):
    """One server for all of them."""

    @property
    def sections(self) -> dict[str, Any]:
        return {"fetcher.doi": dict.fromkeys(("datacite", "handles", "identifiers", "resolver"), self.url)}

    def handle(self, name: str, *values: tuple[str, Any], code: int = 1) -> None:
        """Register a name (RFC 3651 §3.1, as the proxies' JSON has it): each value is a type and its data."""
        rows = [
            {
                "index": index + 1, "type": kind, "ttl": 86400, "timestamp": "2024-05-06T07:08:09Z",
                "data": {"format": "string", "value": data} if isinstance(data, str) else data,
            }
            for index, (kind, data) in enumerate(values)
        ]  # fmt: skip
        admin = {
            "format": "admin",
            "value": {"handle": f"0.NA/{name.partition('/')[0]}", "index": 200, "permissions": "1"},
        }
        rows.append(
            {"index": 100, "type": "HS_ADMIN", "data": admin, "ttl": 86400, "timestamp": "2024-05-06T07:08:09Z"}
        )
        answer = {"responseCode": code, "handle": name, "values": rows}
        self.add(f"/api/handles/{quote(name, safe='/')}", json.dumps(answer).encode(), headers=JSON)

    def record(self, doi: str, contents: Any = None, **attributes: Any) -> None:
        """Put DataCite's record of a DOI."""
        fields = {
            "doi": doi, "titles": [{"title": "Reads of a culture"}], "publisher": "Lab", "publicationYear": 2024,
            "types": {"resourceTypeGeneral": "Dataset"}, "contentUrl": contents, "rightsList": [
                {"rights": "CC BY", "rightsUri": "https://creativecommons.org/licenses/by/4.0/legalcode",
                 "rightsIdentifier": "cc-by-4.0", "rightsIdentifierScheme": "SPDX"}], **attributes,
        }  # fmt: skip
        answer = {"data": {"id": doi.lower(), "type": "dois", "attributes": fields}}
        self.add(f"/dois/{quote(doi, safe='/')}", json.dumps(answer).encode(), headers=JSON)

    def prefix(self, curie: str, urls: Sequence[str], official: int = 0) -> None:
        """Put what identifiers.org resolves."""
        resources = [
            {
                "id": number, "providerCode": f"p{number}", "compactIdentifierResolvedUrl": url, "description": "x",
                "official": number == official, "resourceHomeUrl": "https://example.org", "namespacePrefix": "x",
                "recommendation": {"recommendationIndex": number, "recommendationExplanation": ""},
            }
            for number, url in enumerate(urls)
        ]  # fmt: skip
        answer = {"apiVersion": "1.0", "errorMessage": None, "payload": {"resolvedResources": resources}}
        self.add(f"/{quote(curie, safe=':/')}", json.dumps(answer).encode(), headers=JSON)

    def page(self, path: str, text: str = "<html>a record</html>") -> str:
        """Put a page for people."""
        return self.add(path, text.encode(), headers=PAGE)


@pytest.fixture
def services() -> Iterator[Services]:
    with Services() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, services: Services) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [PlainHttp, HandleResolver, CurieResolver])
    made.settings = {"retries": 0}
    made.network = {"sections": services.sections}
    yield made
    made.close()
