"""The contract of fetchers, against a real FTP server, in clear and under TLS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx.testing.certificates import Authority
from wfx_ftp import FtpFetcher


class TestFtp(FetcherContract):
    fetcher = FtpFetcher
    userinfo = True
    faults = frozenset({"cut", "stall", "change", "guard"})

    @pytest.fixture
    def place(self, serve: Callable[..., Any]) -> Any:
        return serve()

    def put(self, place: Any, data: bytes) -> Reference:
        return place.write(f"{len(list(place.folder.iterdir()))}.bin", data)

    def missing(self, place: Any) -> Reference:
        return Reference(f"{place.url}/none.bin")

    def cut(self, place: Any, data: bytes) -> None:
        place.cuts = [len(data) // 2] * 99

    def stall(self, place: Any, data: bytes) -> threading.Event:
        place.stalled = True
        place.asked.clear()
        return place.asked

    def change(self, place: Any, data: bytes, other: bytes) -> None:
        for path in place.folder.iterdir():
            if path.read_bytes() == data:
                place.write(path.name, other, age=1800)

    def guard(self, place: Any, user: str, password: str) -> None:
        place.authorizer.remove_user("anonymous")
        place.authorizer.add_user(user, password, str(place.folder))


class TestFtps(TestFtp):
    fetcher = FtpFetcher

    @pytest.fixture
    def place(self, serve_tls: Callable[..., Any]) -> Any:
        return serve_tls()

    @pytest.fixture
    def bench(self, tmp_path: Path, machine: Path, authority: Authority) -> Iterator[FetchBench]:
        made = FetchBench(tmp_path / "bench", [FtpFetcher])
        made.settings, made.network = {"retries": 0}, {"ca_bundle": str(authority.bundle)}
        yield made
        made.close()
