"""Names of images and platforms, as workflows write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfx.errors import DefinitionError
from wfx.images import ImageName, Platform, local_tag
from wfx.redaction import redact_uri

D = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("biocontainers/samtools", "docker.io/biocontainers/samtools:latest"),
        ("quay.io/biocontainers/samtools:1.17--h00cdaf9_0", "quay.io/biocontainers/samtools:1.17--h00cdaf9_0"),
        ("docker://quay.io/a/b", "quay.io/a/b:latest"),
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ("[::1]:5000/a:x", "[::1]:5000/a:x"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest"),
        ("registry-1.docker.io/alpine", "docker.io/library/alpine:latest"),
        ("GHCR.io/a/b", "ghcr.io/a/b:latest"),
        (f"alpine@{D}", f"docker.io/library/alpine@{D}"),
        (f"docker://alpine:3@{D}#platform=linux/arm64", f"docker.io/library/alpine:3@{D}"),
        (" alpine ", "docker.io/library/alpine:latest"),
        ("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f:latest"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(written: str, whole: str) -> None:
    name = ImageName.parse(written)
    assert name.text == whole
    assert ImageName.parse(name.text) == name
    assert ImageName.parse(name.reference("linux/arm64").uri) == name


@pytest.mark.parametrize(
    "written",
    ["", ":1", "@", "a:", "Alpine", "a//b", "/a", "a/", "a b", "-a", "a@sha256:12", "a@md5:1", f"a@{D}0", "a:-x", "http://a/b",
     "a" * 300, "a:" + "t" * 129, "a.b:x/c", "..", "a/../b", f"a@{D}@{D}", "é"],
)  # fmt: skip
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(DefinitionError):
        ImageName.parse(written)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_a_definition_error(text: str) -> None:
    try:
        name = ImageName.parse(text)
    except DefinitionError:
        return
    assert ImageName.parse(name.text) == name


@pytest.mark.parametrize(
    ("wanted", "offered", "fit"),
    [
        ("linux/amd64", "linux/amd64", 0), ("linux/arm64", "linux/arm64/v8", 0), ("linux/arm64/v8", "linux/arm64", 0),
        ("linux/arm/v7", "linux/arm/v6", 1), ("linux/arm/v7", "linux/arm/v5", 2), ("linux/arm/v6", "linux/arm/v7", None),
        ("linux/arm", "linux/arm/v7", 0), ("linux/amd64", "linux/amd64/v3", None), ("linux/amd64/v3", "linux/amd64", 2),
        ("linux/amd64", "windows/amd64", None), ("linux/amd64", "linux/386", None),
    ],
)  # fmt: skip
def test_a_platform_is_served_by_the_nearest(wanted: str, offered: str, fit: int | None) -> None:
    assert Platform.parse(wanted).fit(Platform.parse(offered)) == fit


@pytest.mark.parametrize(
    ("machine", "platform"), [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("armv7l", "linux/arm/v7")]
)
def test_the_machine_s_platform_has_the_name_that_registries_use(
    machine: str, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert str(Platform.here()) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "a/b/c/d", "linux/arm 64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        Platform.parse(text)


def test_our_tag_names_the_digest_and_no_registry() -> None:
    assert local_tag("quay.io/a/b:1", D) == "wfx.local/a/b:sha256-0123456789ab"
    assert local_tag("https://example.org/x.sif", D) == "wfx.local/image:sha256-0123456789ab"


def test_a_digest_after_a_bare_name_is_no_host_with_a_password() -> None:
    assert redact_uri(f"docker://alpine:3@{D}") == f"docker://alpine:3@{D}"
    assert redact_uri(f"docker://ann:secret@registry.example/x@{D}") == f"docker://registry.example/x@{D}"
    assert "secret" not in redact_uri(f"docker://ann:secret@alpine@{D}#platform=linux/arm64")
