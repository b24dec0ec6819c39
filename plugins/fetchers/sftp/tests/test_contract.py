"""The contract of fetchers, against a real SSH server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx_sftp import SftpFetcher


class TestSftp(FetcherContract):
    fetcher = SftpFetcher
    userinfo = True
    faults = frozenset({"cut", "stall", "change", "guard"})

    @pytest.fixture
    def place(self, serve: Callable[..., Any]) -> Any:
        return serve()

    @pytest.fixture
    def bench(self, bench: Any) -> Any:
        return bench

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
        place.closed_to_all = True
        place.passwords[user] = password
