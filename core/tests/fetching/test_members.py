"""Members of archives and mirrors, as the core's fetch brings them; nothing of a workflow has a part in it."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import ClassVar

import pytest
from wfx.errors import InputError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Expected, Fetcher, ResolverFetcher, Source
from wfx.references import Reference
from wfx.testing.archives import HOSTILE
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.servers import FaultServer


def tarball(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(name), 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(info, io.BytesIO(name.encode()))
    return buffer.getvalue()


def test_members_of_one_archive_are_asked_for_once(bench: FetchBench, server: FaultServer) -> None:
    names = [f"d/{n}" for n in range(40)]
    url = server.add("/a.tgz", tarball(*names), etag='"a"')
    answers = bench.fetch(*[f"{url}#path={name}" for name in names], f"{url}#path=d", f"{url}#path=")
    assert [bench.bytes_of(answer).decode() for answer in answers[:40]] == names
    assert sorted(bench.files_of(answers[40])) == sorted(str(n) for n in range(40))
    assert sorted(bench.files_of(answers[41])) == sorted(names)
    assert len(server.asked("/a.tgz")) == 1
    assert bench.clean()


def test_a_member_is_known_offline_and_to_another_address_of_the_same_bytes(
    bench: FetchBench, server: FaultServer
) -> None:
    data = tarball("x", "y.sh")
    url, other = server.add("/a.tgz", data, etag='"1"'), server.add("/b.tgz", data, etag='"2"')
    first = bench.one(f"{url}#path=x")
    assert (first.from_store, first.name, str(first.pinned)) == (False, "x", f"{url}#path=x")
    assert bench.one(f"{url}#path=x", net=bench.net(offline=True)).sha256 == first.sha256
    assert bench.one(f"{other}#path=x").sha256 == first.sha256
    [whole] = bench.fetch(Source(Reference(f"{url}#path=y.sh"), around=True))
    assert whole.tree
    assert [e.path for e in bench.store.manifest(whole.tree).entries if e.executable] == ["y.sh"]


def test_what_is_stated_of_member_and_archive_is_held(bench: FetchBench, server: FaultServer) -> None:
    data = tarball("x")
    reference = Reference(server.add("/a.tgz", data) + "#path=x")
    right = Expected(hashlib.sha256(data).hexdigest(), len(data))
    wrong = Expected("0" * 64)
    with pytest.raises(IntegrityError):
        bench.one(Source(reference, archive=wrong))
    with pytest.raises(IntegrityError):
        bench.one(Source(reference, wrong, archive=right))
    assert bench.one(Source(reference, Expected(size=1), archive=right)).size == 1


@pytest.mark.parametrize("archive", [a for a in HOSTILE if a.rule in ("parent", "link-out", "twice", "ratio")], ids=str)
def test_an_archive_of_a_stranger_is_refused_as_a_whole(
    bench: FetchBench, server: FaultServer, tmp_path: Path, archive
) -> None:
    url = server.add("/a", archive.build())
    with pytest.raises(PolicyError):
        bench.one(f"{url}#path=harmless")
    assert archive.escaped(tmp_path) == []
    assert bench.clean()


def test_what_is_no_archive_or_lacks_the_member_is_said(bench: FetchBench, server: FaultServer) -> None:
    url = server.add("/a.tgz", tarball("x"))
    with pytest.raises(ReferenceNotFound, match="it has x"):
        bench.one(f"{url}#path=y")
    plain = server.add("/plain", b"text")
    with pytest.raises(InputError, match="no archive"):
        bench.one(f"{plain}#path=y")
    packed = server.add("/one.gz", gzip.compress(b"text"))
    assert bench.bytes_of(bench.one(f"{packed}#path=")) == b"text"


class Doi(ResolverFetcher):
    """Stands for a place that leads to an address, or has none."""

    keys = ("doi",)
    leads: ClassVar[dict[str, str]] = {}

    def resolve(self, ref, net):
        if ref.uri not in self.leads:
            raise ReferenceNotFound("no such record", where=str(ref))
        return [Source(Reference(self.leads[ref.uri]))]


@pytest.mark.parametrize("order", ["resolver first", "stream first"])
def test_mirrors_may_be_of_any_kind(tmp_path: Path, server: FaultServer, order: str) -> None:
    kinds: list[type[Fetcher]] = [PlainHttp, Doi]
    bench = FetchBench(tmp_path, kinds)
    good, gone = server.add("/x", b"bytes"), server.url + "/gone"
    Doi.leads = {"doi:10.1/good": good}
    first, mirror = ("doi:10.1/none", good) if order == "resolver first" else (gone, "doi:10.1/good")
    answer = bench.one(Source(Reference(first), alternates=(Reference(mirror),)), retries=0)
    assert bench.bytes_of(answer) == b"bytes"
    assert str(answer.reference) == first
    assert any(f"trying {mirror}" in note for note in bench.progress.notes)
    bench.close()


FETCH = """
import sys
from pathlib import Path
from wfx.testing.benches import FetchBench
bench = FetchBench(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for answer in bench.fetch(*sys.argv[2:]):
    print(answer.sha256, answer.from_store, flush=True)
"""


def test_processes_that_want_members_of_one_archive_bring_it_once(tmp_path: Path, server: FaultServer) -> None:
    names = [f"m{n}" for n in range(8)]
    url = server.add("/a.tgz", tarball(*names), etag='"a"', rate=20_000)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, str(tmp_path), f"{url}#path={name}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        for name in names
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("\n", timeout=120)[0].strip() for process in started]
    assert [line.split()[0] for line in said] == [hashlib.sha256(name.encode()).hexdigest() for name in names]
    assert [line.split()[1] for line in said].count("False") == 1
