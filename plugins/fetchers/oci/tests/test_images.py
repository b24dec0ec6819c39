"""What an image's reference means, and what is fetched for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from wfx.errors import ContainerError, DefinitionError, IntegrityError, ReferenceNotFound
from wfx.fetching import Fetched, Reference, Source
from wfx.images import Platform, read_layout
from wfx.session import Session
from wfx.testing.images import MadeImage, make_artifact, make_image, make_index
from wfx.testing.registries import Registry

Fetch = Callable[..., Fetched]


def big(seed: int, size: int = 400_000) -> bytes:
    return b"".join(hashlib.sha256(f"{seed} {n}".encode()).digest() for n in range(size // 32))


def test_a_tag_is_pinned_to_its_digest_and_laid_out(
    registry: Registry, fetch: Fetch, layout: Callable[[Fetched], Path]
) -> None:
    image = make_image(
        [{"a": b"1"}, {"b": big(1)}],
        config={"User": "nobody", "Entrypoint": ["/a"], "Labels": {"org.opencontainers.image.licenses": "MIT"}},
    )
    registry.push("wfx/tools", "1", image)
    fetched = fetch(f"docker://{registry.host}/wfx/tools:1")
    assert (fetched.revision, fetched.label, fetched.name) == (image.digest, "1", "tools:1")
    assert str(fetched.pinned) == f"docker://{registry.host}/wfx/tools@{image.digest}"
    folder = layout(fetched)
    read = read_layout(folder)
    assert read.manifest.digest == image.digest
    assert {path.name for path in (folder / "blobs" / "sha256").iterdir()} == {d[7:] for d in image.blobs}
    facts = read.facts
    assert (facts.image_id, facts.user, facts.entrypoint, facts.licence) == (
        image.config_digest, "nobody", ("/a",), "MIT",
    )  # fmt: skip
    assert (str(facts.platform), facts.created, facts.layers) == ("linux/amd64", "2024-05-01T12:00:00Z", 2)
    assert facts.size == sum(len(image.blobs[d]) for d in (image.config_digest, *image.layers))


def test_the_layout_is_the_same_whatever_name_led_to_it(registry: Registry, fetch: Fetch) -> None:
    image = make_image()
    registry.push("wfx/tools", "1", image)
    registry.push("other/name", "latest", image)
    digests = {
        fetch(f"docker://{registry.host}/{name}").sha256
        for name in ("wfx/tools:1", "other/name", f"wfx/tools@{image.digest}", f"wfx/tools:old@{image.digest}")
    }
    assert len(digests) == 1


def test_what_the_store_has_is_not_fetched_again(
    registry: Registry, fetch: Fetch, open_session: Callable[..., Session]
) -> None:
    image = make_image([{"b": big(1)}])
    registry.push("wfx/tools", "1", image)
    reference = f"docker://{registry.host}/wfx/tools:1"
    first = fetch(reference)
    before = len(registry.requests)
    second = fetch(reference)
    assert second.from_store
    assert second.revision == first.revision
    assert [request.path for request in registry.requests[before:]] == ["/v2/wfx/tools/manifests/1"]
    # A digest means the same for ever: nobody is asked.
    before = len(registry.requests)
    assert fetch(str(first.pinned)).from_store
    assert fetch(reference, within=open_session(offline=True)).revision == image.digest
    assert len(registry.requests) == before


def test_a_moved_tag_is_told_and_followed(registry: Registry, fetch: Fetch, notes: object) -> None:
    old, new = make_image([{"a": b"1"}]), make_image([{"a": b"2"}])
    registry.push("wfx/tools", "1", old)
    reference = f"docker://{registry.host}/wfx/tools:1"
    pinned = fetch(reference).pinned
    registry.push("wfx/tools", "1", new)
    assert fetch(reference).revision == new.digest
    [note] = [text for text in notes.notes if " was " in text]  # type: ignore[attr-defined]
    assert old.digest[7:19] in note
    assert new.digest[7:19] in note
    assert fetch(str(pinned)).revision == old.digest


def test_images_with_a_common_layer_cost_it_once(registry: Registry, open_session: Callable[..., Session]) -> None:
    common = {"common": os.urandom(1_000_000)}
    one, two = make_image([common, {"a": b"1"}]), make_image([common, {"b": big(2)}])
    registry.push("wfx/one", "1", one)
    registry.push("wfx/two", "1", two)
    registry.blob("wfx/one", one.layers[0]).rate = 4e6
    registry.blob("wfx/two", two.layers[0]).rate = 4e6
    session = open_session()
    sources = [Source(Reference(f"docker://{registry.host}/wfx/{name}:1")) for name in ("one", "two")]
    fetched = session.fetch(sources)
    assert [item.revision for item in fetched] == [one.digest, two.digest]
    asked = registry.asked_blobs("wfx/one") + registry.asked_blobs("wfx/two")
    assert asked.count(one.layers[0]) == 1


def test_layers_come_at_the_same_time(registry: Registry, fetch: Fetch) -> None:
    image = make_image([{"a": os.urandom(300_000)}, {"b": os.urandom(300_000)}, {"c": os.urandom(300_000)}])
    registry.push("wfx/tools", "1", image)
    together = threading_barrier(3)
    for layer in image.layers:
        registry.blob("wfx/tools", layer).on_request = lambda _request, _resource: together()
    assert fetch(f"docker://{registry.host}/wfx/tools:1").revision == image.digest


def threading_barrier(count: int) -> Callable[[], None]:
    import threading

    barrier = threading.Barrier(count)
    return lambda: (barrier.wait(20), None)[1]


def test_repeated_and_empty_layers_are_kept(
    registry: Registry, fetch: Fetch, layout: Callable[[Fetched], Path]
) -> None:
    image = make_image([{"a": b"1"}, {}, {"a": b"1"}, {}])
    registry.push("wfx/tools", "1", image)
    assert read_layout(layout(fetch(f"docker://{registry.host}/wfx/tools:1"))).facts.layers == 4


# -- platforms


@pytest.fixture
def several(registry: Registry) -> tuple[MadeImage, dict[str, MadeImage]]:
    images = {
        platform: make_image([{"a": platform.encode()}], platform=platform)
        for platform in (
            "linux/arm/v6",
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/amd64",
            "linux/amd64/v3",
            "windows/amd64",
        )
    }
    index = make_index(images, attestation=True)
    registry.push("wfx/tools", "1", index)
    return index, images


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("", ""), ("#platform=linux/arm64", "linux/arm64/v8"), ("#platform=linux/arm/v6", "linux/arm/v6"),
        ("#platform=linux/arm", "linux/arm/v7"), ("#platform=linux/amd64/v3", "linux/amd64/v3"),
        ("#platform=linux/amd64/v2", "linux/amd64"), ("#platform=linux%2Famd64", "linux/amd64"),
    ],
)  # fmt: skip
def test_the_platform_decides(
    registry: Registry, fetch: Fetch, several: tuple[MadeImage, dict[str, MadeImage]], asked: str, given: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    index, images = several
    for name in ("wfx/tools:1", f"wfx/tools@{index.digest}"):
        fetched = fetch(f"docker://{registry.host}/{name}{asked}")
        assert fetched.revision == images[given or "linux/amd64"].digest
        # Whoever reads the pinned reference gets the same, though his machine be another.
        assert fetch(str(fetched.pinned)).sha256 == fetched.sha256


def test_a_platform_that_is_not_there_is_refused_with_those_that_are(
    registry: Registry, fetch: Fetch, several: object
) -> None:
    with pytest.raises(ContainerError) as caught:
        fetch(f"docker://{registry.host}/wfx/tools:1#platform=linux/s390x")
    assert "linux/s390x" in str(caught.value)
    assert "linux/arm/v6, linux/arm/v7, linux/arm64/v8" in str(caught.value)
    assert "unknown" not in str(caught.value)
    assert caught.value.exit_code == 7


def test_an_image_for_another_processor_is_refused_unless_it_is_asked_for(registry: Registry, fetch: Fetch) -> None:
    other = "riscv64" if Platform.here().architecture != "riscv64" else "s390x"
    image = make_image(platform=f"linux/{other}")
    registry.push("wfx/tools", "1", image)
    with pytest.raises(ContainerError, match=f"it is for linux/{other}"):
        fetch(f"docker://{registry.host}/wfx/tools:1")
    assert fetch(f"docker://{registry.host}/wfx/tools:1#platform=linux/{other}").revision == image.digest


# -- what is no image


def test_an_old_manifest_is_refused(registry: Registry, fetch: Fetch) -> None:
    media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    registry.add(
        "/v2/wfx/old/manifests/1", b'{"schemaVersion": 1, "fsLayers": []}', headers={"Content-Type": media_type}
    )
    with pytest.raises(ContainerError, match="schema 1"):
        fetch(f"docker://{registry.host}/wfx/old:1")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"[]", b"{}", b'{"schemaVersion": 2, "layers": [], "manifests": []}', b"[" * 100_000,
        b'{"schemaVersion": 2, "layers": [{"digest": "sha256:../../x", "size": 1}], "config": {}}',
        b'{"schemaVersion": 2, "layers": [], "config": {"digest": "md5:1", "size": 1}}',
        b'{"schemaVersion": 2, "layers": {}, "config": 3}',
        b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "layers": []}',
    ],
)  # fmt: skip
def test_a_broken_manifest_is_refused(registry: Registry, fetch: Fetch, body: bytes) -> None:
    registry.add("/v2/wfx/x/manifests/1", body)
    with pytest.raises(ContainerError):
        fetch(f"docker://{registry.host}/wfx/x:1")


def test_an_artifact_is_told_from_an_image_and_the_other_way_round(registry: Registry, fetch: Fetch) -> None:
    registry.push("wfx/data", "1", make_artifact({"a.txt": b"a"}))
    registry.push("wfx/tools", "1", make_image())
    with pytest.raises(ContainerError, match="oras://"):
        fetch(f"docker://{registry.host}/wfx/data:1")
    with pytest.raises(ContainerError, match="docker://"):
        fetch(f"oras://{registry.host}/wfx/tools:1")


@pytest.mark.parametrize(
    "name", ["", "Upper/Case", "a b", "x@sha256:12", "x@md5:00", "x:t:u", "-x", "x#plattform=a/b", "x#platform=amd64"]
)
def test_what_is_no_name_is_refused(fetch: Fetch, name: str) -> None:
    with pytest.raises(DefinitionError):
        fetch(f"docker://{name}")


def test_a_foreign_layer_comes_from_its_owner(
    registry: Registry, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wfx_oci.images import ImageFetcher

    image = make_image()
    manifest = image.manifest
    manifest["layers"][0] |= {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "urls": ["https://owner.example/layer", "http://open.example/layer"],
    }
    image.digest = image.add_json(manifest, manifest["mediaType"])["digest"]
    registry.push("wfx/tools", "1", image)
    session = fetch.session  # type: ignore[attr-defined]
    *_, layer = ImageFetcher().resolve(Reference(f"docker://{registry.host}/wfx/tools:1"), session.net)
    assert [str(other) for other in layer.alternates] == ["oci-url+https://owner.example/layer"]
    assert f"sha256:{layer.expected.sha256}" == image.layers[0]


# -- artifacts


def test_an_artifact_with_one_file_is_that_file(registry: Registry, fetch: Fetch) -> None:
    image = make_artifact({"reads.fq": b"@r\n"})
    registry.push("wfx/data", "1", image)
    fetched = fetch(f"oras://{registry.host}/wfx/data:1")
    assert (fetched.kind, fetched.name, fetched.sha256) == ("file", "reads.fq", hashlib.sha256(b"@r\n").hexdigest())
    assert (fetched.revision, fetched.label) == (image.digest, "1")
    assert fetch(f"oras://{registry.host}/wfx/data:1").from_store


def test_a_singularity_image_has_a_name_to_know_it_by(registry: Registry, fetch: Fetch) -> None:
    registry.push("wfx/sif", "1", make_artifact({"": b"SIF"}, "application/vnd.sylabs.sif.layer.v1.sif"))
    assert fetch(f"oras://{registry.host}/wfx/sif:1").name == "sif.sif"


def test_an_artifact_with_several_files_is_a_folder(
    registry: Registry, fetch: Fetch, layout: Callable[[Fetched], Path]
) -> None:
    registry.push("wfx/data", "1", make_artifact({"a.txt": b"a", "b/c.txt": b"c"}))
    folder = layout(fetch(f"oras://{registry.host}/wfx/data:1"))
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.txt")} == {
        "a.txt": b"a", "b/c.txt": b"c",
    }  # fmt: skip


# -- what registries state is held


def test_another_manifest_than_its_digest_is_refused(registry: Registry, fetch: Fetch) -> None:
    image, other = make_image([{"a": b"1"}]), make_image([{"a": b"2"}])
    registry.push("wfx/tools", "1", image)
    registry.manifest("wfx/tools", image.digest).body = other.blobs[other.digest]
    with pytest.raises(IntegrityError, match=image.digest[7:]):
        fetch(f"docker://{registry.host}/wfx/tools@{image.digest}")


def test_a_manifest_that_changed_on_the_way_is_refused(registry: Registry, fetch: Fetch) -> None:
    image, other = make_image([{"a": b"1"}]), make_image([{"a": b"2"}])
    registry.push("wfx/tools", "1", image)
    registry.manifest("wfx/tools", "1").body = other.blobs[other.digest]
    with pytest.raises(IntegrityError):
        fetch(f"docker://{registry.host}/wfx/tools:1")


@pytest.mark.parametrize("which", ["layer", "config"])
def test_wrong_bytes_are_refused_and_nothing_is_visible(registry: Registry, fetch: Fetch, which: str) -> None:
    image = make_image([{"a": big(3)}])
    registry.push("wfx/tools", "1", image)
    wrong = image.layers[0] if which == "layer" else image.config_digest
    registry.blob("wfx/tools", wrong).flip = True
    reference = f"docker://{registry.host}/wfx/tools:1"
    with pytest.raises(IntegrityError) as caught:
        fetch(reference)
    assert caught.value.exit_code == 5
    store = fetch.session.store  # type: ignore[attr-defined]
    assert store.blob(wrong[7:]) is None
    assert store.known(Reference(reference)) is None
    registry.blob("wfx/tools", wrong).flip = False
    assert fetch(reference).revision == image.digest


def test_a_tag_that_is_not_there_names_those_near_it(registry: Registry, fetch: Fetch) -> None:
    registry.push("wfx/tools", "1.20", make_image())
    with pytest.raises(ReferenceNotFound, match=r"did you mean 1\.20") as caught:
        fetch(f"docker://{registry.host}/wfx/tools:1.2")
    assert caught.value.exit_code == 4
    assert f"{registry.host}/wfx/tools:1.2" in str(caught.value)


def test_json_of_the_index_is_canonical(registry: Registry, fetch: Fetch, layout: Callable[[Fetched], Path]) -> None:
    image = make_image()
    registry.push("wfx/tools", "1", image)
    index = json.loads((layout(fetch(f"docker://{registry.host}/wfx/tools:1")) / "index.json").read_bytes())
    assert [entry["digest"] for entry in index["manifests"]] == [image.digest]
    assert "annotations" not in index["manifests"][0]
