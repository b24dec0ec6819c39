"""Streams that list folders: one reference stands for many files, and what a place tells is held against the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from wfx.errors import FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import Entry, Found, decode, encode, has_wildcard, safe_path, walk
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer


class Shelf(StreamFetcher):
    """Opens web addresses; one that ends with a slash is the folder that an index there lists."""

    keys = ("http",)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        return net.http(ref.uri, span)

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        if not ref.uri.endswith("/"):
            return None
        names = net.http(f"{ref.uri}index").read().decode().split()
        return [Source(Reference(f"{ref.uri}{name}"), Expected(), name=name) for name in names]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path, [Shelf])
    made.settings = {"retries": 0}
    yield made
    made.close()


def test_a_folder_is_the_files_that_are_listed_and_a_file_is_a_file(bench: FetchBench, server: FaultServer) -> None:
    server.add("/d/index", b"a.txt sub/b.txt")
    server.add("/d/a.txt", b"a\n")
    server.add("/d/sub/b.txt", b"b\n")
    answer = bench.one(f"{server.url}/d/")
    assert bench.files_of(answer) == {"a.txt": b"a\n", "sub/b.txt": b"b\n"}
    assert bench.bytes_of(bench.one(f"{server.url}/d/a.txt")) == b"a\n"
    assert bench.one(f"{server.url}/d/sub/b.txt").name == "b.txt"
    assert len(server.asked("/d/index")) == 1


@pytest.mark.parametrize("names", ["", "only.txt"], ids=["none", "one"])
def test_a_folder_of_one_file_or_none_is_a_folder(bench: FetchBench, server: FaultServer, names: str) -> None:
    server.add("/d/index", names.encode())
    server.add("/d/only.txt", b"1\n")
    assert bench.files_of(bench.one(f"{server.url}/d/")) == ({names: b"1\n"} if names else {})


def test_what_the_store_has_of_a_folder_serves_offline(bench: FetchBench, server: FaultServer) -> None:
    server.add("/d/index", b"a.txt")
    server.add("/d/a.txt", b"a\n")
    first = bench.one(f"{server.url}/d/")
    again = bench.one(f"{server.url}/d/", net=bench.net(offline=True))
    assert (again.kind, again.sha256, again.from_store) == ("directory", first.sha256, True)


def test_a_name_that_is_a_file_and_a_folder_is_refused(bench: FetchBench, server: FaultServer) -> None:
    server.add("/d/index", b"a a/b")
    server.add("/d/a", b"a\n")
    server.add("/d/a/b", b"b\n")
    with pytest.raises(FetchError, match="a file there has the name of a folder: a$"):
        bench.one(f"{server.url}/d/")


def test_a_folder_that_is_not_there_is_not_found(bench: FetchBench, server: FaultServer) -> None:
    with pytest.raises(ReferenceNotFound):
        bench.one(f"{server.url}/none/")


def test_a_folder_that_lists_itself_is_refused(bench: FetchBench, server: FaultServer, monkeypatch) -> None:
    monkeypatch.setattr(Shelf, "files", lambda self, ref, net: [Source(ref, name="x")])
    with pytest.raises(FetchError, match="within itself"):
        bench.one(f"{server.url}/d/")


# -- walking

TREE = {
    (): ["a.txt", ".hidden", "runs/"],
    ("runs",): ["1/", "2/", "log", "x*y"],
    ("runs", "1"): ["reads.fq", "deep/"],
    ("runs", "2"): ["reads.fq", "other.fa"],
    ("runs", "1", "deep"): ["reads.fq"],
}


def ask(folder: tuple[str, ...]) -> list[Entry]:
    if folder not in TREE:
        raise ReferenceNotFound("no such folder", where="/".join(folder))
    return [Entry(name.rstrip("/"), name.endswith("/")) for name in TREE[folder]]


def names(path: str) -> list[str]:
    return [found.name for found in walk(ask, path.split("/"), where="it")]


def test_a_slash_means_all_below() -> None:
    assert names("runs/") == ["1/deep/reads.fq", "1/reads.fq", "2/other.fa", "2/reads.fq", "log", "x*y"]
    assert names("")[0] == ".hidden"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("runs/*/reads.fq", ["1/reads.fq", "2/reads.fq"]),
        ("runs/[12]/*.f[aq]", ["1/reads.fq", "2/other.fa", "2/reads.fq"]),
        ("runs/[!1]/*", ["2/other.fa", "2/reads.fq"]),
        ("runs/**/reads.fq", ["1/deep/reads.fq", "1/reads.fq", "2/reads.fq"]),
        ("runs/1/**", ["deep/reads.fq", "reads.fq"]),
        ("runs/?/", ["1/deep/reads.fq", "1/reads.fq", "2/other.fa", "2/reads.fq"]),
        ("*", ["a.txt"]),
        ("runs/x%2A*", ["x*y"]),
        ("runs/[z-a]*", []),
        ("runs/l*", ["log"]),
    ],
)
def test_wildcards_are_expanded_as_in_a_shell(path: str, found: list[str]) -> None:
    assert names(path) == found


def test_a_path_of_what_is_found_begins_at_the_root() -> None:
    [found] = walk(ask, ["runs", "2", "*.fa"], where="it")
    assert found == Found(("runs", "2", "other.fa"), "other.fa", Entry("other.fa"))


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "/etc/passwd", "../x", "a/b", "a\nb", "a\x00", "\x1b[2J", "n" * 256],
    ids=["up", "here", "empty", "absolute", "above", "slash", "newline", "nul", "escape", "long"],
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(PolicyError, match="a name there") as caught:
        walk(lambda _: [Entry(name)], ["d", ""], where="ftp://host/d/")
    assert "\n" not in str(caught.value)
    if name != "a/b":
        with pytest.raises(PolicyError):
            safe_path(f"x/{name}", "it")


def test_folders_without_end_are_an_error() -> None:
    with pytest.raises(FetchError, match="deeper than 64"):
        walk(lambda _: [Entry("again", folder=True)], ["d", ""], where="it")
    with pytest.raises(FetchError, match="more than 50 files"):
        walk(lambda _: (Entry(f"f{number}") for number in range(10**9)), ["d", ""], where="it", limit=50)


def test_a_link_that_leads_back_is_refused() -> None:
    def loop(folder: tuple[str, ...]) -> list[Entry]:
        return [Entry("x", folder=True, identity="7" if folder[-1] == "x" else "8")]

    with pytest.raises(PolicyError, match="leads back"):
        walk(loop, ["d", ""], where="it")


def test_names_go_into_references_and_back() -> None:
    for name in ("a b", "50%", "[x]*?", "é", "\udcff", "#1"):
        assert decode(encode(name)) == name
        assert not has_wildcard(encode(name))
