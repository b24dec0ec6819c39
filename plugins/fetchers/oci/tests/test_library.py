"""Singularity's libraries, as Sylabs' own client speaks with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
from wfx.errors import ContainerError, DefinitionError, FetchError, IntegrityError, ReferenceNotFound
from wfx.fetching import Fetched, Reference
from wfx.images import Platform
from wfx.testing.servers import FaultServer
from wfx_oci.library import LibraryName

Fetch = Callable[..., Fetched]
SIF = b"#!/usr/bin/env run-singularity\n" + b"\0" + b"SIF_MAGIC\0" + b"x" * 1000
SHA = hashlib.sha256(SIF).hexdigest()
HERE = Platform.here().architecture


class Library(FaultServer):
    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    def put(self, tag: str = "1", data: bytes = SIF, **fields: object) -> str:
        value = {"hash": f"sha256.{hashlib.sha256(data).hexdigest()}", "size": len(data), "uploaded": True, **fields}
        digest = hashlib.sha256(data).hexdigest()
        for name in (tag, f"sha256.{digest}"):
            self.add(f"/v1/images/e/c/tools:{name}?arch={HERE}", json.dumps({"data": value}).encode())
            self.redirect(f"/v1/imagefile/e/c/tools:{name}?arch={HERE}", self.add(f"/store/{digest}", data), 303)
        return f"library://{self.host}/e/c/tools:{tag}"


@pytest.fixture
def library():  # type: ignore[no-untyped-def]
    with Library() as library:
        yield library


def test_a_tag_is_pinned_to_the_digest_of_its_file(library: Library, fetch: Fetch) -> None:
    fetched = fetch(library.put(arch=HERE))
    assert (fetched.kind, fetched.sha256, fetched.name) == ("file", SHA, "tools.sif")
    assert (fetched.revision, fetched.label) == (f"sha256:{SHA}", "1")
    assert str(fetched.pinned) == f"library://{library.host}/e/c/tools:sha256.{SHA}"
    before = len(library.requests)
    assert fetch(str(fetched.pinned)).from_store
    assert len(library.requests) == before


def test_other_bytes_than_stated_are_refused(library: Library, fetch: Fetch) -> None:
    reference = library.put()
    library.resources[f"/store/{SHA}"].flip = True
    with pytest.raises(IntegrityError):
        fetch(reference)


def test_a_library_without_a_digest_is_taken_at_its_word(library: Library, fetch: Fetch) -> None:
    fetched = fetch(library.put(hash="sif.2b3c"))
    assert (fetched.sha256, fetched.revision) == (SHA, "")


def test_what_is_not_there_is_told(library: Library, fetch: Fetch) -> None:
    library.put()
    with pytest.raises(ReferenceNotFound, match="no such image"):
        fetch(f"library://{library.host}/e/c/tools:2")
    with pytest.raises(ReferenceNotFound, match="never uploaded"):
        fetch(library.put("3", uploaded=False))
    with pytest.raises(ContainerError, match="s390x"):
        fetch(library.put("4", arch="s390x"))
    library.add(f"/v1/images/e/c/tools:5?arch={HERE}", b"<html>")
    with pytest.raises(FetchError, match="not understood"):
        fetch(f"library://{library.host}/e/c/tools:5")


@pytest.mark.parametrize(
    ("written", "host", "path", "tag"),
    [
        ("library://alpine", "library.sylabs.io", "alpine", "latest"),
        ("library:///e/c/t:2", "library.sylabs.io", "e/c/t", "2"),
        ("library://e/c/t", "library.sylabs.io", "e/c/t", "latest"),
        ("library://h.org:8/e/c/t:x#platform=linux/arm64", "h.org:8", "e/c/t", "x"),
    ],
)
def test_names_are_read_as_the_programs_read_them(written: str, host: str, path: str, tag: str) -> None:
    name = LibraryName.parse(Reference(written))
    assert (name.host, name.path, name.tag) == (host, path, tag)
    assert LibraryName.parse(name.reference(tag)) == name


@pytest.mark.parametrize(
    "written", ["library://", "library://a//b", "library://a/b:", "library://a b", "library://a#x=1"]
)
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(DefinitionError):
        LibraryName.parse(Reference(written))
