"""Crates whose runs had images: exported with them, run again by their digests, whoever wrote them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.crates import validate
from wfx.testing.images import busybox_files, machine_platform, make_image
from wfx.testing.registries import Registry

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {dockerPull: '%s'}}
baseCommand: [cat, /hello]
inputs: {}
outputs: {greeting: stdout}
stdout: greeting.txt
"""
PERSON = """\
[person]
name = "Ada Lovelace"
orcid = "0000-0002-1825-0097"
affiliation = "Analytical Society"
affiliation_url = "https://society.example/"
[crate]
licence = "CC-BY-4.0"
publisher = "Analytical Society"
publisher_url = "https://society.example/"
"""
DIGEST = tools_image().digest


@pytest.fixture
def docker(wfx: Any, docker_daemon: Any) -> str:
    wfx.env |= docker_daemon.environment
    wfx.write("home/config/config.toml", PERSON)
    return "docker"


def elsewhere(wfx: Any, packed: Path) -> Path:
    """Take what was exported to a machine that has nothing of the run."""
    place: Path = wfx.folder / "elsewhere" / packed.name
    place.parent.mkdir()
    packed.rename(place)
    shutil.rmtree(wfx.folder / "run")
    shutil.rmtree(wfx.home)
    return place


def another() -> Any:
    return make_image([busybox_files(), {"hello": b"another\n"}], platform=machine_platform())


@pytest.mark.parametrize("form", ["directory", "bagit-zip"])
def test_an_export_with_its_images_needs_no_registry(wfx, docker: str, form: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL % f"{registry.host}/wfx/tools:1")
        assert wfx("run", "tool.cwl", "--containers", docker, "-o", "run").code == 0
    done = wfx("export", "run", "--with", "images", "--form", form, "-o", "packed", "--json")
    assert done.code == 0, done.err
    if form == "directory":
        crate = wfx.folder / "packed"
        entities = {e["@id"]: e for e in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}
        [copy] = [e for e in entities.values() if e["@id"].startswith("images/")]
        assert copy["contentSize"] == str((crate / copy["@id"]).stat().st_size)
        assert entities[copy["about"]["@id"]]["sha256"] == DIGEST.removeprefix("sha256:")
        assert {"@id": copy["@id"]} in entities["./"]["hasPart"]
        assert validate(crate, "workflow-run-crate", "RECOMMENDED") == []
        assert wfx("check", crate).code == 0
    place = elsewhere(wfx, wfx.folder / "packed")
    if form == "bagit-zip":
        place = place.rename(place.with_suffix(".zip"))
    done = wfx("rerun", place, "--containers", docker, "--offline", "-o", "again")
    assert done.code == 0, done.err
    assert "reproduced, 1 of 1 outputs identical" in done.out


def test_without_images_the_recorded_digest_is_taken_though_the_tag_moved(wfx, docker: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL % f"{registry.host}/wfx/tools:1")
        assert wfx("run", "tool.cwl", "--containers", docker, "-o", "run").code == 0
        done = wfx("export", "run", "-o", "packed.zip", "--json")
        assert done.code == 0, done.err
        assert done.json["left_out"] == []
        place = elsewhere(wfx, wfx.folder / "packed.zip")
        registry.push("wfx/tools", "1", another())
        done = wfx("rerun", place, "--containers", docker, "-o", "again", "--json")
        assert done.code == 0, done.err
        assert done.json["comparison"]["reproduced"]
        assert json.loads((wfx.folder / "again/plan.json").read_text())["images"][0]["digest"] == DIGEST
        # The workflow itself, taken out of the crate, means what the tag means now.
        done = wfx("run", "tool.cwl", "--containers", docker, "-o", "now", "--json")
        assert done.code == 0, done.err
        assert (wfx.folder / "now/outputs/greeting.txt").read_text() == "another\n"
        # And that is what `why` finds.
        found = wfx("why", "again", "now", "--json").json
        assert "image" in {cause["kind"] for cause in found["causes"]}


def test_a_strangers_crate_is_run_with_the_image_that_it_states(wfx, docker: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        host = registry.host
        crate = wfx.write("theirs/tool.cwl", TOOL % f"{host}/wfx/tools:1").parent
        graph = [
            {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
            {"@id": "./", "@type": "Dataset", "mainEntity": {"@id": "tool.cwl"}},
            {"@id": "tool.cwl", "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
             "programmingLanguage": {"@id": "#cwl"}},
            {"@id": "#cwl", "@type": "ComputerLanguage", "name": "CWL"},
            {"@id": "#run", "@type": "CreateAction", "instrument": {"@id": "tool.cwl"}, "containerImage": {"@id": "#i"}},
            {"@id": "#i", "@type": "ContainerImage", "registry": host, "name": "wfx/tools", "tag": "1",
             "sha256": DIGEST.removeprefix("sha256:")},
        ]  # fmt: skip
        (crate / "ro-crate-metadata.json").write_text(json.dumps({"@graph": graph}))
        registry.push("wfx/tools", "1", another())
        done = wfx("run", crate, "--containers", docker, "-o", "run", "--json")
        assert done.code == 0, done.err
        assert (wfx.folder / "run/outputs/greeting.txt").read_text() == "hello\n"
        assert json.loads((wfx.folder / "run/plan.json").read_text())["images"][0]["digest"] == DIGEST


def test_images_that_the_store_has_no_more_are_told(wfx, docker: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL % f"{registry.host}/wfx/tools:1")
        assert wfx("run", "tool.cwl", "--containers", docker, "-o", "run").code == 0
    shutil.rmtree(wfx.home)
    line = wfx.refused(5, "export", "run", "--with", "images", "-o", "packed.zip")
    assert "is no longer in the store" in line
    assert not (wfx.folder / "packed.zip").exists()
