"""Fetchers that keep the contract: one a shape, and one that has an HTTP client of its own. They are no tests.

`wrong_fetchers.py` makes each of them wrong in one way.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import (
    Body,
    Expected,
    Fetcher,
    LocalFetcher,
    Net,
    Pinned,
    Reference,
    ResolverFetcher,
    Source,
    Span,
    StreamFetcher,
    TreeFetcher,
)
from wfx.hookspecs import hookimpl
from wfx.testing.fetchers import FetcherContract


def url_of(ref: Reference) -> str:
    """`kind+http://host/path` → `http://host/path`."""
    return ref.uri.partition("+")[2]


class Stream(StreamFetcher):
    keys = ("plain+http",)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        return net.http(url_of(ref), span)


class Own(StreamFetcher):
    """Speaks with the server itself, as a fetcher for another protocol would."""

    keys = ("own+http",)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        return self.request(url_of(ref), ref, net, span, {})

    def request(self, url: str, ref: Reference, net: Net, span: Span | None, extra: Mapping[str, str]) -> Body:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        access = net.connect(origin)
        headers = {**extra, **(access.credential.headers() if access.credential else {})}
        if span is not None and span.validator:
            headers |= {"Range": f"bytes={span.start}-", "If-Range": span.validator}
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            connection.request("GET", parts.path, headers=headers)
            answer = connection.getresponse()
        except OSError as error:
            raise FetchError("it cannot be reached", where=str(ref)) from error
        if answer.status in (301, 302, 307):
            connection.close()
            return self.request(self.moved(answer), ref, net, span, self.along(headers))
        if answer.status == 404:
            raise ReferenceNotFound("it is not there", where=str(ref))
        if answer.status in (401, 403):
            raise AccessDenied("it may not be read", where=str(ref))
        if answer.status not in (200, 206):
            raise FetchError(f"the answer is {answer.status}", where=str(ref))
        start, total = 0, answer.length
        if answer.status == 206:
            start, total = span.start if span else 0, int(answer.headers["Content-Range"].rpartition("/")[2])
        return Body(
            OwnStream(answer, connection),
            start,
            total,
            answer.headers["ETag"],
            answer.headers["Accept-Ranges"] == "bytes",
        )

    def moved(self, answer: http.client.HTTPResponse) -> str:
        return answer.headers["Location"]

    def along(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {}


class OwnStream:
    def __init__(self, answer: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> None:
        self.answer, self.sock, self.connection = answer, connection.sock, connection
        self.left = answer.length

    def readinto(self, buffer: memoryview, /) -> int:
        size = self.answer.readinto(buffer)
        if size == 0 and self.answer.length:
            raise ConnectionError("cut")
        return size

    def close(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(2)
        self.connection.close()


class Tree(TreeFetcher):
    """Reads a listing, and then each file in it."""

    keys = ("listed+http",)

    def pin(self, ref: Reference, net: Net) -> Pinned:
        if "@" in ref.name:
            return Pinned(ref, ref.name.rpartition("@")[2])
        revision = net.http(url_of(ref) + "/latest").read().decode()
        return Pinned(Reference(f"{ref.uri}@{revision}"), revision, "latest")

    def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
        for name in json.loads(net.http(url_of(ref) + "/listing").read()):
            self.write(net.http(f"{url_of(ref)}/{quote(name)}"), into / name)
        return ""

    def write(self, body: Body, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = memoryview(bytearray(65536))
        with path.open("wb") as file:
            while count := body.stream.readinto(buffer):
                file.write(buffer[:count])
        body.stream.close()


class Resolver(ResolverFetcher):
    """Asks what a name stands for."""

    keys = ("named+http",)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        answer = json.loads(net.http(url_of(ref)).read())
        return [Source(Reference(answer["url"]), Expected(answer["sha256"], answer["size"]), name=answer["name"])]


class Local(LocalFetcher):
    keys = ("here",)

    def locate(self, ref: Reference) -> Path:
        path = Path("/" + ref.uri.partition("://")[2].lstrip("/"))
        if not path.is_file():
            raise ReferenceNotFound("no such file", where=str(path))
        return path


RIGHT: list[type[Fetcher]] = [Stream, Own, Tree, Resolver, Local]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    return RIGHT


# -- how things are put where they read


class Rules(FetcherContract):
    def kind(self) -> str:
        return self.fetcher.keys[0].partition("+")[0]

    def missing(self, place):
        return Reference(f"{self.kind()}+{place.url}/nothing.txt")


class StreamRules(Rules):
    def put(self, place, data):
        return Reference(f"{self.kind()}+{place.add(f'/file{len(place.resources)}', data)}")


class TreeRules(Rules):
    def put_tree(self, place, files):
        base = f"/tree{len(place.resources)}"
        place.add(f"{base}/latest", b"r1")
        place.add(f"{base}@r1/listing", json.dumps(list(files)).encode())
        for name, data in files.items():
            place.add(f"{base}@r1/{quote(name)}", data)
        return Reference(f"{self.kind()}+{place.url}{base}")


class ResolverRules(Rules):
    def put(self, place, data):
        number = len(place.resources)
        url = place.add(f"/file{number}", data)
        answer = {"url": url, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "name": "x.bin"}
        return Reference(f"{self.kind()}+" + place.add(f"/name{number}", json.dumps(answer).encode()))


class LocalRules(Rules):
    network = False

    @pytest.fixture
    def place(self, tmp_path):
        folder = tmp_path / "place"
        folder.mkdir()
        return folder

    def put(self, place, data):
        path = place / f"file{len(list(place.iterdir()))}"
        path.write_bytes(data)
        return Reference(f"{self.kind()}://{path}")

    def missing(self, place):
        return Reference(f"{self.kind()}://{place}/nothing")


RULES = {"stream": StreamRules, "tree": TreeRules, "resolver": ResolverRules, "local": LocalRules}
