"""The same workflow in each container runtime: images by tag and digest, from open and private registries, and offline."""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.crates import validate
from wfx.testing.processes import wait_until
from wfx.testing.registries import LOGIN, DockerRegistry, Registry
from wfx.testing.runtimes import DockerDaemon

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

FLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {{words: File}}
outputs: {{result: {{type: File, outputSource: count/counted}}}}
steps:
  show:
    run:
      class: CommandLineTool
      {where}: {{DockerRequirement: {{dockerPull: '{image}'}}}}
      baseCommand: [sh, -c, 'cat /hello "$0"; wc -l < /proc/net/dev']
      inputs: {{words: {{type: File, inputBinding: {{position: 1}}}}}}
      outputs: {{shown: stdout}}
      stdout: shown.txt
    in: {{words: words}}
    out: [shown]
  count:
    run:
      class: CommandLineTool
      {where}: {{DockerRequirement: {{dockerPull: '{image}'}}}}
      baseCommand: [sort]
      inputs: {{shown: {{type: File, inputBinding: {{position: 1}}}}}}
      outputs: {{counted: stdout}}
      stdout: counted.txt
    in: {{shown: show/shown}}
    out: [counted]
"""
PERSON = {
    "WFX_PERSON_NAME": "Ada", "WFX_PERSON_ORCID": "0000-0002-1825-0097", "WFX_PERSON_AFFILIATION": "A House",
    "WFX_PERSON_AFFILIATION_URL": "https://house.example/", "WFX_CRATE_LICENCE": "CC-BY-4.0",
    "WFX_CRATE_PUBLISHER": "A House", "WFX_CRATE_PUBLISHER_URL": "https://house.example/",
}  # fmt: skip
# Two lines of headings and the loopback: no other interface.
RESULT = "3\na\nb\nb\nhello\n"
# Whose containers are the engine's own children: there is nothing to find by a label.
CHILDREN = ("singularity", "labrun")


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, DockerRegistry]]:
    folder = tmp_path_factory.mktemp("registries")
    layout = tools_image().write_layout(folder / "layout")
    with DockerRegistry(folder / "open") as public, DockerRegistry(folder / "private", private=True) as private:
        for registry in (public, private):
            registry.push(layout, "wfx/tools:1")
        yield {"open": public, "private": private}


@pytest.fixture(params=["docker", "podman", "singularity", "labrun"])
def runtime(request: pytest.FixtureRequest, wfx: Any) -> str:
    """A runtime with what it needs, in the environment of the command."""
    if request.param == "docker":
        daemon: DockerDaemon = request.getfixturevalue("docker_daemon")
        wfx.env |= daemon.environment
    elif request.param == "podman":
        wfx.env |= request.getfixturevalue("podman_storage").environment
    elif request.param == "labrun":
        # A third party's, which no engine knows: to them it is Docker.
        wfx.env |= request.getfixturevalue("new_runtime").environment
    else:
        request.getfixturevalue("singularity_program")
    name: str = request.param
    return name


def flow(wfx: Any, image: str, where: str = "requirements") -> Path:
    wfx.write("words.txt", "b\na\nb\n")
    path: Path = wfx.write("flow.cwl", FLOW.format(image=image, where=where))
    return path


def graph_of(directory: Path) -> list[dict[str, Any]]:
    graph: list[dict[str, Any]] = json.loads((directory / "ro-crate-metadata.json").read_text())["@graph"]
    return graph


@pytest.mark.parametrize("how", ["tag", "digest", "private"])
def test_a_workflow_runs_in_its_images(wfx, runtime: str, registries, how: str) -> None:
    registry = registries["private" if how == "private" else "open"]
    name = f"{registry.host}/wfx/tools"
    digest = registry.digest("wfx/tools:1")
    image = f"{name}@{digest}" if how == "digest" else f"{name}:1"
    if how == "private":
        line = wfx.refused(4, "run", flow(wfx, image), "-i", "words=words.txt", "--containers", runtime)
        assert "401" in line or "login" in line or "credentials" in line
        login = base64.b64encode(":".join(LOGIN).encode()).decode()
        wfx.write("docker/config.json", json.dumps({"auths": {registry.host: {"auth": login}}})).chmod(0o600)
        wfx.env["DOCKER_CONFIG"] = str(wfx.folder / "docker")
    wfx.env |= PERSON
    done = wfx("run", flow(wfx, image), "-i", "words=words.txt", "--containers", runtime, "-o", "out", "--json")
    assert done.code == 0, done.err
    assert Path(done.json["outputs"]["result"]["path"]).read_text() == RESULT
    assert (wfx.folder / "out/outputs/counted.txt").stat().st_uid == (wfx.folder / "out").stat().st_uid
    assert {step["image_digest"] for step in done.json["steps"]} == {digest}
    images = [e for e in graph_of(wfx.folder / "out") if e.get("@type") == "ContainerImage"]
    assert [e["sha256"] for e in images] == [digest.removeprefix("sha256:")]
    assert images[0]["registry"] == registry.host
    assert images[0]["name"] == "wfx/tools"
    assert images[0].get("tag", "") == ("" if how == "digest" else "1")
    assert images[0]["additionalType"] == {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"}
    actions = [e for e in graph_of(wfx.folder / "out") if e.get("containerImage")]
    assert [e["containerImage"] for e in actions] == [{"@id": images[0]["@id"]}] * 2
    assert validate(wfx.folder / "out", level="RECOMMENDED") == []


def test_it_runs_again_with_the_registry_gone_and_the_network_cut(wfx, runtime: str, tmp_path: Path) -> None:
    layout = tools_image().write_layout(tmp_path / "layout")
    with DockerRegistry(tmp_path / "registry") as registry:
        image = registry.push(layout, "wfx/tools:2")
        first = wfx("run", flow(wfx, image), "-i", "words=words.txt", "--containers", runtime, "-o", "one", "--json")
        assert first.code == 0, first.err
    again = wfx("run", flow(wfx, image), "-i", "words=words.txt", "--containers", runtime, "-o", "two", "--json",
                "--offline", prefix=("unshare", "-n" if os.geteuid() == 0 else "-rn"))  # fmt: skip
    assert again.code == 0, again.err
    assert again.json["outputs"]["result"]["checksum"] == first.json["outputs"]["result"]["checksum"]


def test_the_plan_names_digest_and_size(wfx, runtime: str, registries) -> None:
    registry = registries["open"]
    image = f"{registry.host}/wfx/tools:1"
    done = wfx("plan", flow(wfx, image), "-i", "words=words.txt", "--containers", runtime, "--json")
    assert done.code == 0, done.err
    [planned] = done.json["images"]
    assert planned["digest"] == registry.digest("wfx/tools:1")
    assert planned["size"] > 100_000
    assert done.json["containers"] == [runtime]


def test_a_hint_is_followed_where_there_is_a_runtime_and_else_not(wfx, runtime: str, registries) -> None:
    image = f"{registries['open'].host}/wfx/tools:1"
    done = wfx("run", flow(wfx, image, "hints"), "-i", "words=words.txt", "--containers", runtime, "-o", "in", "--json")
    assert done.code == 0, done.err
    assert done.json["steps"][0]["image_digest"]
    (wfx.folder / "flow.cwl").write_text(FLOW.format(image=image, where="hints").replace("/hello ", ""))
    done = wfx("run", "flow.cwl", "-i", "words=words.txt", "--containers", "none", "-o", "out", "--json")
    assert done.code == 0, done.err
    assert "image_digest" not in done.json["steps"][0]


def test_a_step_that_fails_in_a_container_is_reported_and_nothing_is_left(wfx, runtime: str, registries) -> None:
    image = f"{registries['open'].host}/wfx/tools:1"
    text = FLOW.format(image=image, where="requirements").replace("[sort]", "[sh, -c, 'echo it hurts >&2; exit 5']")
    wfx.write("words.txt", "b\n")
    line = wfx.refused(1, "run", wfx.write("flow.cwl", text), "-i", "words=words.txt", "--containers", runtime)
    assert "exit code 5" in line
    assert "it hurts" in line


def test_a_runtime_that_is_not_there_is_said_with_its_remedy(wfx, registries) -> None:
    image = f"{registries['open'].host}/wfx/tools:1"
    wfx.env |= {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    line = wfx.refused(7, "run", flow(wfx, image), "-i", "words=words.txt", "--containers", "docker")
    assert "docker:" in line
    assert "/nowhere/docker.sock" in line or "cannot be reached" in line
    line = wfx.refused(7, "run", flow(wfx, image), "-i", "words=words.txt", "--containers", "none")
    assert image in line


def test_the_doctor_says_of_each_runtime_what_it_lacks(wfx, podman_storage) -> None:
    wfx.env |= {"DOCKER_HOST": "unix:///nowhere/docker.sock"} | podman_storage.environment
    found = {f["subject"]: f for f in wfx("doctor", "--json").json["findings"]}
    docker, podman = found["container-factory docker"], found["container-factory podman"]
    assert docker["state"] == "note"
    assert "/nowhere/docker.sock" in docker["text"]
    assert docker["remedy"]
    assert podman["state"] == "ok"
    assert "podman 4" in podman["text"] or "podman 5" in podman["text"]
    # Whoever has no plugin for one is told which it is.
    wfx.env["WFX_PLUGINS"] = "wfx-podman,wfx-cwl,wfx-file,wfx-ro-crate"
    found = {f["subject"]: f for f in wfx("doctor", "--json").json["findings"]}
    assert "wfx-singularity" in found["container-factory singularity"]["remedy"]
    assert "wfx-oci" in found["container images"]["remedy"]


def test_a_wrong_digest_and_a_missing_image_are_told_apart(wfx, runtime: str) -> None:
    with Registry() as registry:
        made = tools_image()
        registry.push("wfx/tools", "1", made)
        layer = made.layers[0]
        registry.blob("wfx/tools", layer).flip = True
        image = f"{registry.host}/wfx/tools:1"
        line = wfx.refused(5, "run", flow(wfx, image), "-i", "words=words.txt", "--containers", runtime)
        assert layer.removeprefix("sha256:")[:12] in line
        gone = f"{registry.host}/wfx/nothing:1"
        line = wfx.refused(4, "run", flow(wfx, gone), "-i", "words=words.txt", "--containers", runtime)
        assert "wfx/nothing" in line
    shutil.rmtree(wfx.home)


def test_a_killed_wfx_leaves_no_container(wfx, runtime: str, registries, request: pytest.FixtureRequest) -> None:
    image = f"{registries['open'].host}/wfx/tools:1"
    text = FLOW.format(image=image, where="requirements").replace("[sort]", "[sleep, '300']").replace(
        "inputs: {shown: {type: File, inputBinding: {position: 1}}}", "inputs: {shown: File}"
    )  # fmt: skip
    wfx.write("words.txt", "b\n")
    process = wfx.start(
        "run", wfx.write("flow.cwl", text), "-i", "words=words.txt", "--containers", runtime, "-o", "out"
    )
    journal = wfx.folder / "out/.wfx/journal.jsonl"
    wait_until(lambda: journal.exists() and '"count"' in journal.read_text(), "the second step began", 60)
    run = json.loads((wfx.folder / "out/.wfx/run.json").read_text())["run"]
    time.sleep(1.5)

    def containers() -> str:
        if runtime in CHILDREN:
            return ""
        found = wfx.program(runtime, "ps", "-aq", "--filter", f"label=wfx.run={run}")
        return str(found.strip())

    assert containers() or runtime in CHILDREN
    process.kill()
    process.communicate()
    wait_until(lambda: not wfx.processes(), "no process is left", 30)
    wait_until(lambda: not containers(), "no container is left", 30)
