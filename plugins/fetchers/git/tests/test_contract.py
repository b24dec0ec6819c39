"""The contract of fetchers, over smart HTTP and from a local repository."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.gitservers import GitHttp, Request, make_repository
from wfx.testing.servers import FaultServer
from wfx_git import GitFetcher

pytestmark = pytest.mark.real


class TestGit(FetcherContract):
    fetcher = GitFetcher
    userinfo = True
    faults = frozenset({"cut", "stall", "guard", "redirect"})

    @pytest.fixture
    def place(self, served: Path) -> Iterator[GitHttp]:
        with GitHttp(served) as server:
            yield server

    def put_tree(self, place: GitHttp, files: Mapping[str, bytes]) -> Reference:
        name = f"r{len(list(place.folder.iterdir()))}.git"
        make_repository(place.folder / name, files)
        return Reference(f"git+{place.url}/{name}@main")

    def missing(self, place: GitHttp) -> Reference:
        return Reference(f"git+{place.url}/none.git@v1")

    def cut(self, place: GitHttp, data: bytes) -> None:
        place.cut = 3000

    def stall(self, place: GitHttp, data: bytes) -> threading.Event:
        asked = threading.Event()

        def note(request: Request) -> None:
            if request.method == "POST":
                asked.set()

        place.stall, place.on_request = 30.0, note
        return asked

    def guard(self, place: GitHttp, user: str, password: str) -> None:
        place.user, place.password = user, password

    def redirect(self, place: GitHttp, other: FaultServer) -> None:
        place.status, place.location = 302, other.url + "/"


class TestLocalGit(FetcherContract):
    fetcher = GitFetcher
    network = False

    @pytest.fixture
    def place(self, served: Path) -> Path:
        return served

    def put_tree(self, place: Path, files: Mapping[str, bytes]) -> Reference:
        name = f"r {len(list(place.iterdir()))}.git"
        make_repository(place / name, files)
        return Reference(f"git+file://{place}/{name.replace(' ', '%20')}")

    def missing(self, place: Path) -> Reference:
        return Reference(f"git+file://{place}/none.git")
