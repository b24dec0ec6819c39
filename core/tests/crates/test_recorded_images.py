"""Images of a crate: the digest that its writer stated is what is run, whatever the tag means by now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wfx.crates.images import RecordedImages
from wfx.crates.reading import read

A, B = "a" * 64, "b" * 64


def images(folder: Path, *entities: dict[str, Any]) -> RecordedImages:
    graph = [{"@id": f"#{n}", "@type": "ContainerImage", **entity} for n, entity in enumerate(entities)]
    (folder / "ro-crate-metadata.json").write_text(json.dumps({"@graph": graph}))
    return RecordedImages(read(folder))


@pytest.mark.parametrize(
    "entity",
    [
        {"registry": "docker.io", "name": "lab/tool", "tag": "1", "sha256": A},
        {"registry": "docker.io", "name": "lab/tool", "tag": "1", "sha256": f"sha256:{A.upper()}"},
        {"name": "lab/tool", "tag": "1", "sha256": A},
        {"registry": "docker.io", "name": "docker.io/lab/tool", "tag": "1", "softwareVersion": f"lab/tool@sha256:{A}"},
    ],
    ids=["profile", "prefixed", "no registry", "wfexs"],
)
def test_the_stated_digest_pins_the_image_however_it_is_named(tmp_path: Path, entity: dict[str, Any]) -> None:
    found = images(tmp_path, entity)
    for name in ("lab/tool:1", "docker.io/lab/tool:1", "docker://lab/tool:1"):
        assert str(found.pinned(name)) == f"docker://docker.io/lab/tool:1@sha256:{A}"
    assert found.pinned("lab/tool:2") is None
    assert found.pinned("quay.io/lab/tool:1") is None


def test_a_name_of_the_hub_is_the_same_with_and_without_library(tmp_path: Path) -> None:
    found = images(tmp_path, {"registry": "docker.io", "name": "debian", "tag": "8", "sha256": A})
    assert found.pinned("debian:8") == found.pinned("docker.io/library/debian:8") is not None


def test_what_says_nothing_certain_pins_nothing(tmp_path: Path) -> None:
    one = {"registry": "docker.io", "name": "lab/tool", "tag": "1"}
    assert images(tmp_path, {**one, "sha256": A}, {**one, "sha256": B}).pinned("lab/tool:1") is None
    assert images(tmp_path, one).pinned("lab/tool:1") is None
    assert images(tmp_path, {**one, "sha256": "short"}).pinned("lab/tool:1") is None
    assert images(tmp_path, {**one, "name": "No Name", "sha256": A}).pinned("lab/tool:1") is None


def test_the_workflow_s_own_digest_goes_before_the_crate_s(tmp_path: Path) -> None:
    found = images(tmp_path, {"registry": "docker.io", "name": "lab/tool", "tag": "1", "sha256": A})
    assert found.pinned(f"lab/tool:1@sha256:{B}") is None
