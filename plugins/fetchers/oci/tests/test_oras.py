"""Artifacts that the oras client pushes, and what it makes of them itself, beside what is fetched here."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.errors import ReferenceNotFound
from wfx.fetching import Fetched
from wfx.testing.registries import LOGIN, DockerRegistry

pytestmark = pytest.mark.real
Fetch = Callable[..., Fetched]


@pytest.fixture(scope="module", params=["open", "private"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp(request.param), private=request.param == "private") as registry:
        yield registry


@pytest.fixture
def oras(registry: DockerRegistry, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client, in a folder of its own, and logged in where the registry wants that."""
    client = pytest.importorskip("oras.client").OrasClient(insecure=True, auth_backend="basic")
    if registry.login:
        client.login(hostname=registry.host, username=LOGIN[0], password=LOGIN[1], tls_verify=False)
        path = machine / ".docker" / "config.json"
        path.parent.mkdir(exist_ok=True)
        auth = base64.b64encode(":".join(LOGIN).encode()).decode()
        path.write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
        path.chmod(0o600)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    return client


def files_below(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pulled(oras: Any, target: str, into: Path) -> dict[str, str]:
    """Return what the client itself makes of an artifact."""
    into.mkdir()
    oras.pull(target=target, outdir=str(into))
    return files_below(into)


def test_an_artifact_of_one_file_is_that_file(
    oras: Any, registry: DockerRegistry, fetch: Fetch, tmp_path: Path
) -> None:
    Path("reads.fq").write_bytes(os.urandom(300_000))
    target = f"{registry.host}/lab/reads:1"
    oras.push(target=target, files=["reads.fq:application/x-fastq"], quiet=True)
    fetched = fetch(f"oras://{target}")
    assert (fetched.kind, fetched.name) == ("file", "reads.fq")
    assert {"reads.fq": fetched.sha256} == pulled(oras, target, tmp_path / "pulled")
    # By the digest that the client knows it under, from the store alone.
    digest = "sha256:" + hashlib.sha256(oras.do_request(
        f"http://{registry.host}/v2/lab/reads/manifests/1", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}
    ).content).hexdigest()  # fmt: skip
    assert fetched.revision == digest
    assert str(fetched.pinned) == f"oras://{registry.host}/lab/reads@{digest}"


def test_an_artifact_of_several_files_is_a_folder_of_them(
    oras: Any, registry: DockerRegistry, fetch: Fetch, layout: Callable[[Fetched], Path], tmp_path: Path
) -> None:
    Path("index").mkdir()
    for name in ("genome.fa", "index/genome.fai", "empty"):
        Path(name).write_bytes(b"" if name == "empty" else name.encode() * 1000)
    target = f"{registry.host}/lab/genome:2024"
    oras.push(target=target, files=["genome.fa", "index/genome.fai", "empty"], quiet=True)
    fetched = fetch(f"oras://{target}")
    assert fetched.kind == "directory"
    assert files_below(layout(fetched)) == pulled(oras, target, tmp_path / "pulled")


def test_a_folder_that_the_client_has_packed_is_the_archive_of_what_it_unpacks(
    oras: Any, registry: DockerRegistry, fetch: Fetch, layout: Callable[[Fetched], Path], tmp_path: Path
) -> None:
    for name in ("data/a.txt", "data/deep/b.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    Path("notes.txt").write_text("notes")
    target = f"{registry.host}/lab/folder:1"
    oras.push(target=target, files=["data", "notes.txt"], quiet=True)
    theirs = pulled(oras, target, tmp_path / "pulled")
    assert set(theirs) == {"data/a.txt", "data/deep/b.txt", "notes.txt"}
    folder = layout(fetch(f"oras://{target}"))
    assert sorted(path.name for path in folder.iterdir()) == ["data.tar.gz", "notes.txt"]
    with tarfile.open(folder / "data.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "data.tar.gz").unlink()
    assert files_below(folder) == theirs


def test_a_tag_that_moves_is_another_artifact(oras: Any, registry: DockerRegistry, fetch: Fetch) -> None:
    target = f"{registry.host}/lab/moving:1"
    found = []
    for text in ("one", "two"):
        Path("file.txt").write_text(text)
        oras.push(target=target, files=["file.txt"], quiet=True)
        found.append(fetch(f"oras://{target}"))
    assert [f.sha256 for f in found] == [hashlib.sha256(t).hexdigest() for t in (b"one", b"two")]
    # The first is still there by its digest.
    assert fetch(str(found[0].pinned)).sha256 == found[0].sha256


def test_what_the_client_has_not_pushed_is_not_there(oras: Any, registry: DockerRegistry, fetch: Fetch) -> None:
    Path("file.txt").write_text("x")
    oras.push(target=f"{registry.host}/lab/there:v1.0", files=["file.txt"], quiet=True)
    with pytest.raises(ReferenceNotFound, match=r"v1\.0"):
        fetch(f"oras://{registry.host}/lab/there:v1.1")
