"""The contract of fetchers, against a web server that goes wrong."""

from __future__ import annotations

from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.servers import FaultServer
from wfx_webdav import WebdavFetcher


class TestWebdav(FetcherContract):
    fetcher = WebdavFetcher
    userinfo = True

    def put(self, place: FaultServer, data: bytes) -> Reference:
        return Reference(place.add(f"/dav/file%20{len(place.resources)}.bin", data).replace("http:", "webdav:"))

    def missing(self, place: FaultServer) -> Reference:
        return Reference(place.url.replace("http:", "webdav:") + "/nothing.txt")


class TestShare(FetcherContract):
    """The link of a share, whose token is the log-in; a password more is what a guard asks for."""

    fetcher = WebdavFetcher
    faults = frozenset({"cut", "stall", "change"})

    def put(self, place: FaultServer, data: bytes) -> Reference:
        name = f"file{len(place.resources)}.bin"
        place.add(f"/public.php/webdav/{name}", data)
        return Reference(f"{place.url.replace('http:', 'webdav:')}/s/q1w2e3r4t5y6u7i/{name}")

    def missing(self, place: FaultServer) -> Reference:
        return Reference(f"{place.url.replace('http:', 'webdav:')}/s/q1w2e3r4t5y6u7i/none.bin")
