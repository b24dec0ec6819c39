from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wfx.engines import Description, ImageNeed
from wfx.errors import ContainerError, DefinitionError, PolicyError
from wfx.imageneeds import ImageSource, find
from wfx.planning import Document
from wfx.references import Reference

GIT = "git+https://example.org/lab/flow.git@abc"


def source(image: str, origin: str = "file:///flow/tools/t.cwl", *, local: bool = True, allow: bool = False,
           how: Any = "reference") -> ImageSource:  # fmt: skip
    document = Document("tools/t.cwl", "0" * 64, 1, Reference(origin))
    closure: Any = SimpleNamespace(documents=(document,), entry="tools/t.cwl", local=local)
    need = ImageNeed(image, "tools/t.cwl#main", source=how)
    description = Description("cwl.x", "1", "v1.2", "tools/t.cwl", images=(need,))
    return find(description, closure, allow_local=allow)[image]


@pytest.mark.parametrize(
    ("image", "kind", "reference", "sif"),
    [
        ("debian", "registry", "docker://docker.io/library/debian:latest", False),
        ("docker://quay.io/a/b:1", "registry", "docker://quay.io/a/b:1", False),
        ("oras://ghcr.io/a/b:1", "artifact", "oras://ghcr.io/a/b:1", True),
        ("library://a/b/c:1", "artifact", "library://a/b/c:1", True),
        ("https://example.org/x.sif", "file", "https://example.org/x.sif", True),
        ("https://example.org/x", "file", "https://example.org/x", False),
        ("x.sif", "file", "file:///flow/tools/x.sif", True),
        ("../x.img", "file", "file:///flow/x.img", True),
        ("/x.tar.gz", "file", "file:///x.tar.gz", False),
        ("file:///x.sif", "file", "file:///x.sif", True),
        ("docker-archive:x.tar", "file", "file:///flow/tools/x.tar", False),
        ("oci-archive:/y.tar", "file", "file:///y.tar", False),
    ],
)
def test_an_image_is_read_by_its_form(image: str, kind: str, reference: str, sif: bool) -> None:
    found = source(image)
    assert (found.kind, found.reference, found.is_sif) == (kind, Reference(reference), sif)


def test_a_path_is_that_of_the_repository_or_the_web() -> None:
    assert source("x.sif", f"{GIT}#path=tools/t.cwl", local=False).reference == Reference(f"{GIT}#path=tools/x.sif")
    assert source("../x.sif", f"{GIT}#path=tools/t.cwl", local=False).reference == Reference(f"{GIT}#path=x.sif")
    found = source("x.sif", "https://example.org/tools/t.cwl", local=False)
    assert found.reference == Reference("https://example.org/tools/x.sif")
    mine = "git+file:///home/flow@abc#path=t.cwl"
    assert source("x.sif", mine, local=False).reference == Reference("git+file:///home/flow@abc#path=x.sif")


@pytest.mark.parametrize("image", ["/x.sif", "~/x.sif", "file:///x.sif", "docker-archive:/x.tar", "FILE:/x.sif"])
def test_a_workflow_from_elsewhere_names_no_file_of_this_machine(image: str) -> None:
    with pytest.raises(PolicyError):
        source(image, "https://example.org/tools/t.cwl", local=False)
    assert source(image, "https://example.org/tools/t.cwl", local=False, allow=True).kind == "file"


def test_it_names_nothing_outside_of_its_repository() -> None:
    with pytest.raises(PolicyError):
        source("../../x.sif", f"{GIT}#path=tools/t.cwl", local=False)


def test_what_nobody_gives_out_is_said() -> None:
    with pytest.raises(ContainerError, match="Singularity Hub"):
        source("shub://a/b")
    with pytest.raises(DefinitionError):
        source("No Name At All")


def test_a_name_that_must_be_a_file_is_one() -> None:
    found = source("image", how="file")
    assert (found.kind, found.reference) == ("file", Reference.of_path(Path("/flow/tools/image")))
    assert source("rootfs.tar", how="filesystem").kind == "filesystem"
