"""Crates that have copies of their images beside them: run again where no registry answers, and by digest alone."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from wfx.images import oci_archive, read_layout
from wfx.images.carrying import FOLDER, bring_in, carry_out
from wfx.records import decode
from wfx.staging import Lock
from wfx.store import Store
from wfx.testing.containers import tools_image
from wfx.testing.registries import Registry

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {%s}}
baseCommand: [cat, /hello]
inputs: {}
outputs: {greeting: stdout}
stdout: greeting.txt
"""
DIGEST = tools_image().digest


@pytest.fixture
def runtime(wfx: Any, request: pytest.FixtureRequest) -> str:
    new = request.getfixturevalue("new_runtime")
    wfx.env |= new.environment
    return str(new.name)


def moved(wfx: Any) -> Path:
    """Take the crate of `run` to another machine, with copies of its images; return where it is."""
    crate: Path = wfx.folder / "elsewhere" / "crate"
    shutil.copytree(wfx.folder / "run", crate, ignore=shutil.ignore_patterns(".wfx"))
    lock = decode(Lock, json.loads((wfx.folder / "run/.wfx/lock.json").read_bytes()))
    with Store(wfx.home / "cache" / "v1") as store:
        [entry] = carry_out(lock.images, store, crate / FOLDER)
    assert entry.digest == DIGEST
    shutil.rmtree(wfx.home)
    shutil.rmtree(wfx.folder / "run")
    return crate


def test_a_crate_with_its_images_is_run_again_where_no_registry_answers(wfx, runtime: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
        done = wfx("run", "tool.cwl", "--containers", runtime, "-o", "run")
        assert done.code == 0, done.err
    crate = moved(wfx)
    done = wfx("rerun", crate, "--containers", runtime, "-o", "again", "--json")
    assert done.code == 0, done.err
    assert (wfx.folder / "again/outputs/greeting.txt").read_text() == "hello\n"
    plan = json.loads((wfx.folder / "again/plan.json").read_text())
    assert plan["images"][0]["digest"] == DIGEST
    assert plan["containers"] == [runtime]
    # A zip of it serves as well, with the network cut.
    archive = shutil.make_archive(str(wfx.folder / "crate"), "zip", crate)
    shutil.rmtree(wfx.home)
    done = wfx("run", archive, "--containers", runtime, "-o", "zipped", "--offline")
    assert done.code == 0, done.err
    assert (wfx.folder / "zipped/outputs/greeting.txt").read_text() == "hello\n"


def test_without_the_copy_the_registry_is_asked(wfx, runtime: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
        assert wfx("run", "tool.cwl", "--containers", runtime, "-o", "run").code == 0
    crate = moved(wfx)
    shutil.rmtree(crate / FOLDER)
    wfx.refused(4, "rerun", crate, "--containers", runtime)


def test_a_copy_that_was_changed_is_refused(wfx, runtime: str) -> None:
    wfx.write("tool.cwl", TOOL % "dockerLoad: tools.tar, dockerImageId: tools")
    layout = tools_image().write_layout(wfx.folder / "layout")
    wfx.write("tools.tar", b"".join(oci_archive(read_layout(layout))))
    assert wfx("run", "tool.cwl", "--containers", runtime, "-o", "run").code == 0
    crate = moved(wfx)
    [copy] = (crate / FOLDER).iterdir()
    data = bytearray(copy.read_bytes())
    data[200_000] ^= 1
    copy.write_bytes(data)
    line = wfx.refused(5, "run", crate, "--containers", runtime)
    assert copy.name in line


def test_an_image_that_was_a_file_beside_the_workflow_is_carried_too(wfx, runtime: str) -> None:
    # The crate has the workflow's documents, and an image is none of them.
    wfx.write("tool.cwl", TOOL % "dockerLoad: tools.tar, dockerImageId: tools")
    layout = tools_image().write_layout(wfx.folder / "layout")
    wfx.write("tools.tar", b"".join(oci_archive(read_layout(layout))))
    assert wfx("run", "tool.cwl", "--containers", runtime, "-o", "run").code == 0
    crate = moved(wfx)
    (wfx.folder / "tools.tar").unlink()
    done = wfx("run", crate, "--containers", runtime, "-o", "again", "--offline")
    assert done.code == 0, done.err
    assert (wfx.folder / "again/outputs/greeting.txt").read_text() == "hello\n"


def test_an_export_with_images_is_run_again_on_another_machine(wfx, runtime: str) -> None:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
        assert wfx("run", "tool.cwl", "--containers", runtime, "-o", "run").code == 0
    done = wfx("export", "run", "--with", "images", "-o", "crate.zip")
    assert done.code == 0, done.err
    shutil.rmtree(wfx.home)
    done = wfx("rerun", "crate.zip", "--containers", runtime, "-o", "again", "--offline")
    assert done.code == 0, done.err
    assert (wfx.folder / "again/outputs/greeting.txt").read_text() == "hello\n"
    with zipfile.ZipFile(wfx.folder / "crate.zip") as archive:
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
        [copy] = [name for name in archive.namelist() if name.startswith(f"{FOLDER}/")]
    [entity] = [entity for entity in graph if entity["@id"] == copy]
    assert "File" in entity["@type"]


def test_docker_takes_a_copy_as_it_is(wfx, docker_daemon, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        layout = tools_image().write_layout(tmp_path / "layout")
        from wfx.staging import StagedImage

        image = StagedImage("quay.io/wfx/tools:carried", DIGEST, store.add_tree(layout), 1)
        [entry] = carry_out([image], store, tmp_path / FOLDER)
        assert set(bring_in(tmp_path / FOLDER, store)) == {DIGEST}
    said = docker_daemon.docker("load", "--input", str(tmp_path / FOLDER / entry.path))
    assert "quay.io/wfx/tools:carried" in said
    ran = docker_daemon.docker("run", "--rm", "--network", "none", "quay.io/wfx/tools:carried", "cat", "/hello")
    assert ran == "hello"
    docker_daemon.docker("rmi", "quay.io/wfx/tools:carried")
