"""What the author of a fetcher gives, and the bench on which his fetcher is tried."""

from __future__ import annotations

import base64
import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from wfx.fetching import (
    Body,
    Fetched,
    Fetcher,
    LocalFetcher,
    Net,
    Reference,
    ResolverFetcher,
    StreamFetcher,
    TreeFetcher,
)
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.contracts import (
    hide_what_does_not_apply,
)
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer, Request, Resource

# Everything that a transfer in text mode or a decoding on the way would change.
ODD = bytes(range(256)) * 40 + b"one\r\ntwo\r\n\n\x1a"
PLAIN = b"".join(b"%07d " % number for number in range(5000))
OTHER = b"".join(b"%07d " % number for number in range(5000, 10_000))
TREE: Mapping[str, bytes] = {"README": ODD, "empty": b"", "data/deep/a b.txt": PLAIN, "data/#1?%20.txt": b"odd name\n"}
LARGE = 16 * 2**20
MOMENT = 1.5
"""Seconds within which whatever is broken off has to be over."""
FAULTS = frozenset({"cut", "stall", "change", "guard", "redirect"})

SHAPES = ((LocalFetcher, "local"), (TreeFetcher, "tree"), (StreamFetcher, "stream"), (ResolverFetcher, "resolver"))


class AuthorsSide:
    """How things are put where the fetcher reads, and made to go wrong there."""

    fetcher: ClassVar[type[Fetcher]]
    network: ClassVar[bool] = True
    """Whether it needs the network: not for what lies on this machine, or in the reference itself."""
    in_memory: ClassVar[bool] = False
    """Whether the bytes stand in the reference itself: small by their nature, and never missing."""
    userinfo: ClassVar[bool] = False
    """Whether a reference may have `user:password@` before its host."""
    faults: ClassVar[frozenset[str]] = FAULTS
    others: ClassVar[Sequence[type[Fetcher]]] = ()
    """Fetchers that a resolver leads to; that of web addresses is there already."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "fetcher" not in cls.__dict__:
            return
        able = set(cls.faults if cls.network else ())
        if cls.network:
            able.add("network")
        if not cls.in_memory:
            able |= {"large", "missing"}
        if not cls.fetcher.immutable:
            able.add("mutable")
        hide_what_does_not_apply(cls, cls.shape(), able)

    @classmethod
    def shape(cls) -> str:
        """Return `stream`, `tree`, `resolver` or `local`."""
        return next(name for base, name in SHAPES if issubclass(cls.fetcher, base))

    # -- what the author gives

    def put(self, place: Any, data: bytes) -> Reference:
        """Put bytes where the fetcher reads, each time under another name; return their reference. Not for trees."""
        raise NotImplementedError

    def put_tree(self, place: Any, files: Mapping[str, bytes]) -> Reference:
        """Put files where a tree fetcher reads, each time under another name; return the reference of the folder."""
        raise NotImplementedError

    def missing(self, place: Any) -> Reference:
        """Return a reference of something that is not there."""
        raise NotImplementedError

    @pytest.fixture
    def place(self) -> Iterator[Any]:
        """Where the fetcher reads."""
        with FaultServer() as server:
            yield server

    def cut(self, place: Any, data: bytes) -> None:
        """From now on end every transfer of these bytes in the middle, as a broken connection would."""
        for resource in self._resources(place, data):
            resource.cut = [len(data) // 2] * 99

    def stall(self, place: Any, data: bytes) -> threading.Event:
        """From now on stop for half a minute in the middle of these bytes; return what is set once they are asked for."""
        asked = threading.Event()

        def note(request: Request, resource: Resource) -> None:
            asked.set()

        for resource in self._resources(place, data):
            resource.stall, resource.on_request = [30.0] * 99, note
        return asked

    def change(self, place: Any, data: bytes, other: bytes) -> None:
        """Put other bytes in place of these, under the same reference."""
        for resource in self._resources(place, data):
            resource.body, resource.etag = other, '"2"' if resource.etag else None

    def guard(self, place: Any, user: str, password: str) -> None:
        """From now on ask for these credentials."""
        for resource in place.resources.values():
            resource.authorization = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    def redirect(self, place: Any, other: FaultServer) -> None:
        """Move everything to another server that asks for no credentials, and lead there."""
        place.move(other)

    def _resources(self, place: Any, data: bytes) -> list[Resource]:
        found = [resource for resource in place.resources.values() if resource.body == data]
        assert found, (
            "nothing with these bytes lies in the place; override `cut`, `stall` and `change` where they differ"
        )
        return found

    # -- the bench

    @pytest.fixture(autouse=True)
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Keep the user's settings out; return the folder of HOME, TMPDIR and working directory, empty at first."""
        return private_machine(tmp_path / "machine", monkeypatch)

    @pytest.fixture
    def bench(self, tmp_path: Path, machine: Path) -> Iterator[FetchBench]:
        """Return a bench with the fetcher."""
        plain = () if {"http", "https"} & set(self.fetcher.keys) else (PlainHttp,)
        bench = FetchBench(tmp_path / "bench", [*plain, *self.others, self.fetcher])
        bench.settings = {"retries": 0}
        yield bench
        bench.close()

    def _put(self, place: Any, data: bytes) -> Reference:
        return self.put_tree(place, {"data.bin": data}) if self.shape() == "tree" else self.put(place, data)

    def _content(self, bench: FetchBench, answer: Fetched) -> bytes:
        return bench.files_of(answer)["data.bin"] if answer.kind == "directory" else bench.bytes_of(answer)

    def _ask(self, fetcher: Fetcher, ref: Reference, net: Net, folder: Path) -> object:
        """Call the fetcher itself, and read what it gives to the end."""
        if isinstance(fetcher, TreeFetcher):
            pinned = fetcher.pin(ref, net)
            into = Path(tempfile.mkdtemp(dir=folder)) / "tree"
            into.mkdir()
            return pinned, fetcher.fetch_tree(pinned.reference, net, into)
        if isinstance(fetcher, StreamFetcher):
            body = fetcher.open(ref, net)
            read(body)
            return body
        if isinstance(fetcher, ResolverFetcher):
            return list(fetcher.resolve(ref, net))
        assert isinstance(fetcher, LocalFetcher)
        return fetcher.locate(ref)


def read(body: Body) -> bytes:
    """Read a body to its end, and close it."""
    buffer, parts = memoryview(bytearray(65536)), []
    try:
        while count := body.stream.readinto(buffer):
            parts.append(bytes(buffer[:count]))
    finally:
        body.stream.close()
    return b"".join(parts)


def drain(body: Body) -> int:
    """Read a body to its end without keeping it, and close it; return how much there was."""
    buffer, size = memoryview(bytearray(65536)), 0
    try:
        while count := body.stream.readinto(buffer):
            size += count
    finally:
        body.stream.close()
    return size


def with_userinfo(ref: Reference, user: str, password: str) -> Reference:
    """Return the reference with credentials before its host."""
    scheme, _, rest = ref.without_credentials().uri.partition("://")
    return Reference(f"{scheme}://{user}:{password}@{rest}")


def close(body: Body) -> None:
    """Close a body that another thread may be reading."""
    with contextlib.suppress(OSError, ValueError):
        body.stream.close()
