"""Debian's registry, one open and one with Basic authentication, with skopeo as the judge."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Fetched
from wfx.images import read_layout
from wfx.session import Session
from wfx.testing.images import make_artifact, make_image, make_index
from wfx.testing.registries import LOGIN, DockerRegistry
from wfx.testing.requirements import require_program

pytestmark = pytest.mark.real
Fetch = Callable[..., Fetched]


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    require_program("skopeo")
    with DockerRegistry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture(scope="module")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    require_program("skopeo")
    with DockerRegistry(tmp_path_factory.mktemp("private"), private=True) as registry:
        yield registry


def login(home: Path, registry: DockerRegistry) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    text = base64.b64encode(":".join(LOGIN).encode()).decode()
    path.write_text(json.dumps({"auths": {registry.host: {"auth": text}}}))
    path.chmod(0o600)


@pytest.fixture(params=["open", "private"])
def registry(request: pytest.FixtureRequest, machine: Path) -> DockerRegistry:
    found: DockerRegistry = request.getfixturevalue(f"{request.param}_registry")
    if found.login:
        login(machine, found)
    return found


def blobs(layout: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (layout / "blobs" / "sha256").iterdir()
    }


def test_what_is_fetched_is_what_skopeo_copies(
    registry: DockerRegistry, fetch: Fetch, layout: Callable[[Fetched], Path], tmp_path: Path
) -> None:
    image = make_image([{"a": os.urandom(700_000)}, {"b": b"2"}, {}])
    name = registry.push(image.write_layout(tmp_path / "image"), "wfx/tools:1")
    fetched = fetch(f"docker://{name}")
    assert fetched.revision == image.digest == registry.digest("wfx/tools:1")
    creds = ["--src-creds", ":".join(LOGIN)] if registry.login else []
    subprocess.run(
        ["skopeo", "copy", "-q", "--src-tls-verify=false", *creds, f"docker://{name}", f"oci:{tmp_path / 'skopeo'}"],
        check=True,
    )
    assert blobs(layout(fetched)) == blobs(tmp_path / "skopeo")
    assert read_layout(tmp_path / "skopeo").facts == read_layout(layout(fetched)).facts


def test_what_docker_wrote_is_read_too(
    open_registry: DockerRegistry, fetch: Fetch, layout: Callable[[Fetched], Path], tmp_path: Path
) -> None:
    image = make_image([{"a": b"1"}])
    source = image.write_layout(tmp_path / "image")
    target = f"docker://{open_registry.host}/wfx/v2s2:1"
    subprocess.run(
        ["skopeo", "copy", "-q", "--format", "v2s2", "--dest-tls-verify=false", f"oci:{source}", target], check=True
    )
    fetched = fetch(target)
    assert fetched.revision == open_registry.digest("wfx/v2s2:1")
    read = read_layout(layout(fetched))
    assert read.manifest.media_type.startswith("application/vnd.docker.")
    assert read.facts.image_id == image.config_digest


def test_an_index_gives_the_platform_s_manifest(open_registry: DockerRegistry, fetch: Fetch, tmp_path: Path) -> None:
    images = {
        f"linux/{name}": make_image([{"a": name.encode()}], platform=f"linux/{name}") for name in ("amd64", "s390x")
    }
    name = open_registry.push(make_index(images).write_layout(tmp_path / "index"), "wfx/index:1")
    for platform, image in images.items():
        assert fetch(f"docker://{name}#platform={platform}").revision == image.digest


def test_a_registry_that_is_down_is_not_needed_again(
    fetch: Fetch, open_session: Callable[..., Session], tmp_path: Path
) -> None:
    require_program("skopeo")
    image = make_image()
    with DockerRegistry(tmp_path / "registry") as registry:
        name = registry.push(image.write_layout(tmp_path / "image"), "wfx/tools:1")
        fetch(f"docker://{name}")
    assert fetch(f"docker://{name}", within=open_session(offline=True)).revision == image.digest


def test_a_registry_that_dies_in_a_layer_is_gone_on_with(
    fetch: Fetch, open_session: Callable[..., Session], tmp_path: Path
) -> None:
    require_program("skopeo")
    image = make_image([{"a": os.urandom(80_000_000)}], compression="")
    registry = DockerRegistry(tmp_path / "registry")
    registry.start()
    try:
        name = registry.push(image.write_layout(tmp_path / "image"), "wfx/big:1")
        partial = tmp_path / "wfx" / "cache" / "v1" / "partial"
        stopper = threading.Thread(target=_stop_when_begun, args=(registry, partial))
        stopper.start()
        with pytest.raises(FetchError) as caught:
            fetch(f"docker://{name}", within=open_session(**{"fetch.retries": 0, "fetch.connections": 1}))
        stopper.join()
        assert caught.value.exit_code == 4
        registry.start()
        # skopeo packs what is not packed, so that the registry's digest is another.
        assert fetch(f"docker://{name}", within=open_session()).revision == registry.digest("wfx/big:1")
    finally:
        registry.stop()


def _stop_when_begun(registry: DockerRegistry, partial: Path) -> None:
    import time

    for _ in range(20_000):
        if any(path.stat().st_size > 1_000_000 for path in partial.glob("*") if path.suffix != ".json"):
            break
        time.sleep(0.0005)
    assert registry._process is not None
    registry._process.kill()
    registry._process.wait()
    registry._process = None


def test_who_has_no_login_is_told_so(private_registry: DockerRegistry, fetch: Fetch, tmp_path: Path) -> None:
    name = private_registry.push(make_image().write_layout(tmp_path / "image"), "wfx/secret:1")
    with pytest.raises(AccessDenied, match="wants a login"):
        fetch(f"docker://{name}")


def test_what_is_not_there_is_told_from_what_is_closed(registry: DockerRegistry, fetch: Fetch, tmp_path: Path) -> None:
    registry.push(make_image().write_layout(tmp_path / "image"), "wfx/there:1.0")
    with pytest.raises(ReferenceNotFound, match=r"did you mean 1\.0"):
        fetch(f"docker://{registry.host}/wfx/there:1.1")
    with pytest.raises(ReferenceNotFound):
        fetch(f"docker://{registry.host}/wfx/absent:1")


def test_an_artifact_comes_as_its_files(open_registry: DockerRegistry, fetch: Fetch, tmp_path: Path) -> None:
    artifact = make_artifact({"reads.fq": b"@r\n" * 100})
    _upload(open_registry, "wfx/data", "1", artifact.blobs, artifact.digest)
    fetched = fetch(f"oras://{open_registry.host}/wfx/data:1")
    assert (fetched.name, fetched.size, fetched.revision) == ("reads.fq", 300, artifact.digest)


def _upload(registry: DockerRegistry, repository: str, tag: str, blobs: dict[str, bytes], digest: str) -> None:
    """Push as the distribution specification has it: skopeo takes no artifacts."""
    import urllib.request

    base = f"http://{registry.host}/v2/{repository}"
    for name, data in blobs.items():
        if name == digest:
            continue
        with urllib.request.urlopen(urllib.request.Request(f"{base}/blobs/uploads/", method="POST")) as answer:
            location = answer.headers["Location"]
        url = f"{location}{'&' if '?' in location else '?'}digest={name}"
        headers = {"Content-Type": "application/octet-stream"}
        urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT", headers=headers)).close()
    media_type = json.loads(blobs[digest])["mediaType"]
    request = urllib.request.Request(
        f"{base}/manifests/{tag}", data=blobs[digest], method="PUT", headers={"Content-Type": media_type}
    )
    urllib.request.urlopen(request).close()
