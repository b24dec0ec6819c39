"""The contract of fetchers, against a store that goes wrong, in clear and signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.servers import FaultServer, Request, Resource
from wfx_s3 import S3Fetcher
from wfx_s3.signing import Keys, signed


class TestS3(FetcherContract):
    fetcher = S3Fetcher

    @pytest.fixture
    def place(self) -> Iterator[FaultServer]:
        with FaultServer() as server:
            yield server

    @pytest.fixture
    def bench(self, tmp_path: Path, bench: Any, place: FaultServer) -> Any:
        return bench.at(place.url)

    def put(self, place: FaultServer, data: bytes) -> Reference:
        name = f"runs/{len(place.resources)} a+b.bin"
        place.add(f"/bucket/{name.replace(' ', '%20').replace('+', '%2B')}", data)
        return Reference(f"s3://bucket/{name.replace(' ', '%20')}")

    def missing(self, place: FaultServer) -> Reference:
        return Reference("s3://bucket/none.bin")

    def guard(self, place: FaultServer, user: str, password: str) -> None:
        def check(request: Request, resource: Resource) -> None:
            """Let in whoever signs with these keys, as the request says when."""
            given, url = request.headers.get("authorization", ""), f"{place.url}{request.path}"
            names = re.search(r"SignedHeaders=([^,]+)", given)
            resource.authorization = "nobody"
            if names:
                made = ("host", "x-amz-date", "x-amz-content-sha256")
                rest = {name: request.headers[name] for name in names[1].split(";") if name not in made}
                moment = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                resource.authorization = signed(url, rest, Keys(user, password), "us-east-1", moment)["Authorization"]

        for resource in place.resources.values():
            resource.on_request = check
