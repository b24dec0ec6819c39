"""What goes wrong with images and runtimes, and what is said and left of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.images import busybox_files, machine_platform, make_image, make_index
from wfx.testing.processes import wait_until
from wfx.testing.registries import Registry
from wfx.testing.requirements import require
from wfx.testing.runtimes import DockerDaemon, PodmanStorage

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]
RUNTIMES = ["docker", "podman", "singularity"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {{DockerRequirement: {{dockerPull: '{image}'}}}}
baseCommand: {command}
inputs: []
outputs: {{said: stdout}}
stdout: said.txt
"""


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, wfx: Any) -> str:
    if request.param == "docker":
        wfx.env |= request.getfixturevalue("docker_daemon").environment
    elif request.param == "podman":
        wfx.env |= request.getfixturevalue("podman_storage").environment
    else:
        request.getfixturevalue("singularity_program")
    name: str = request.param
    return name


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def tool(wfx: Any, image: str, command: str = "[cat, /hello]") -> Path:
    path: Path = wfx.write("tool.cwl", TOOL.format(image=image, command=command))
    return path


def test_a_registry_that_dies_within_a_layer_is_gone_on_with(wfx, singularity_program: str, registry) -> None:
    big = random.Random(1).randbytes(3_000_000)
    image = make_image([busybox_files() | {"hello": b"hello\n"}, {"big": big}], platform=machine_platform())
    registry.push("wfx/big", "1", image)
    layer = registry.blob("wfx/big", image.layers[1])
    # The server is gone for good: no attempt gets further.
    layer.cut = [2_000_000, *([-1] * 50)]
    wfx.env["WFX_FETCH_RETRIES"] = "1"
    flow = tool(wfx, f"{registry.host}/wfx/big:1")
    line = wfx.refused(4, "run", flow, "--containers", "singularity", "-o", "out")
    assert image.layers[1].removeprefix("sha256:")[:12] in line
    assert not (wfx.folder / "out").exists()
    layer.cut = []
    asked = len(registry.requests)
    done = wfx("run", flow, "--containers", "singularity", "-o", "out", "--json")
    assert done.code == 0, done.err
    spans = [r.headers.get("range", "") for r in registry.requests[asked:] if r.path.endswith(image.layers[1])]
    assert [span for span in spans if span and not span.startswith("bytes=0-")], spans


def test_an_image_for_another_processor_is_refused(wfx, runtime: str, registry) -> None:
    other = "linux/s390x" if machine_platform() != "linux/s390x" else "linux/amd64"
    registry.push("wfx/other", "1", make_image([busybox_files()], platform=other))
    line = wfx.refused(7, "run", tool(wfx, f"{registry.host}/wfx/other:1"), "--containers", runtime)
    assert other in line
    registry.push("wfx/other", "2", make_index({other: make_image([busybox_files()], platform=other)}))
    line = wfx.refused(7, "run", tool(wfx, f"{registry.host}/wfx/other:2"), "--containers", runtime)
    assert other in line


def test_an_image_without_a_shell_runs_what_it_has(wfx, runtime: str, registry) -> None:
    busybox = busybox_files()["bin/busybox"]
    files = {f"{name}/": "" for name in ("proc", "sys", "dev", "etc", "bin", "tmp", "root")}
    files["etc/passwd"], files["etc/group"] = b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\n"
    # A program of its own, which is no shell by any name.
    image = make_image([files | {"bin/cat": busybox, "hello": b"hello\n"}], platform=machine_platform())
    name = f"{registry.host}/wfx/bare:1"
    registry.push("wfx/bare", "1", image)
    done = wfx("run", tool(wfx, name), "--containers", runtime, "-o", "out", "--json")
    assert done.code == 0, done.err
    assert Path(done.json["outputs"]["said"]["path"]).read_text() == "hello\n"
    line = wfx.refused(1, "run", tool(wfx, name, "[sh, -c, 'cat /hello']"), "--containers", runtime, "-o", "two")
    assert "sh" in line
    assert (wfx.folder / "two/ro-crate-metadata.json").is_file()


def test_a_tag_that_moves_between_plan_and_run_is_reported(wfx, runtime: str, registry) -> None:
    name = f"{registry.host}/wfx/moving:1"
    first = registry.push("wfx/moving", "1", tools_image())
    flow = tool(wfx, name)
    assert wfx("plan", flow, "--containers", runtime).code == 0
    assert wfx("stage", flow, "--containers", runtime, "-o", "staged").code == 0
    second = registry.push(
        "wfx/moving", "1", make_image([busybox_files(), {"hello": b"other\n"}], platform=machine_platform())
    )
    done = wfx("run", flow, "--containers", runtime, "-o", "out", "--json")
    assert done.code == 0, done.err
    assert f"1 was {first[:19]}, and is {second[:19]} now" in done.err
    assert done.json["steps"][0]["image_digest"] == second
    # What was staged is run as it was staged.
    done = wfx("execute", "staged", "--json")
    assert done.code == 0, done.err
    assert done.json["steps"][0]["image_digest"] == first


def test_missing_credentials_are_told_from_a_missing_image(wfx, singularity_program: str) -> None:
    with Registry(auth="basic") as private:
        private.push("wfx/tools", "1", tools_image())
        line = wfx.refused(4, "run", tool(wfx, f"{private.host}/wfx/tools:1"), "--containers", "singularity")
        assert "401" in line or "login" in line or "credentials" in line
        assert private.host in line
    with Registry() as public:
        line = wfx.refused(4, "run", tool(wfx, f"{public.host}/wfx/none:1"), "--containers", "singularity")
        assert "credentials" not in line
        assert "wfx/none" in line


def test_a_daemon_that_stops_in_the_middle_of_a_run_fails_it(wfx, registry) -> None:
    registry.push("wfx/tools", "1", tools_image())
    folder = Path(tempfile.mkdtemp(prefix="wfx-daemon-"))
    daemon = DockerDaemon(folder)
    try:
        daemon.start()
        wfx.env |= daemon.environment
        flow = tool(wfx, f"{registry.host}/wfx/tools:1", "[sleep, '300']")
        process = wfx.start("run", flow, "--containers", "docker", "-o", "out")
        wait_until(lambda: bool(daemon.docker("ps", "-q")), "the container runs", 60)
        time.sleep(0.5)
        daemon.stop()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1, said
        assert "Traceback" not in said
    finally:
        daemon.stop()
        shutil.rmtree(folder, ignore_errors=True)
    graph = json.loads((wfx.folder / "out/ro-crate-metadata.json").read_text())["@graph"]
    states = {str(e.get("actionStatus")) for e in graph if e.get("actionStatus")}
    assert any("Failed" in state for state in states)
    assert wfx("runs", "show", wfx.folder / "out", "--json").json["status"] == "failed"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    require(os.geteuid() == 0, "mounting a small disk needs root")
    folder = Path(tempfile.mkdtemp(prefix="wfx-small-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], capture_output=True, check=False)
    require(done.returncode == 0, "a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("where", RUNTIMES)
def test_a_disk_that_is_full_while_an_image_is_unpacked_is_said(
    wfx, registry, small_disk: Path, where: str, request: pytest.FixtureRequest
) -> None:
    big = random.Random(2).randbytes(40_000_000)
    image = make_image([busybox_files() | {"hello": b"hello\n", "big": big}], platform=machine_platform())
    registry.push("wfx/big", "1", image)
    flow = tool(wfx, f"{registry.host}/wfx/big:1")
    stop = lambda: None  # noqa: E731
    if where == "docker":
        folder = Path(tempfile.mkdtemp(prefix="wfx-daemon-"))
        daemon = DockerDaemon(folder, data=small_disk)
        daemon.start()
        stop = daemon.stop
        wfx.env |= daemon.environment
    elif where == "podman":
        storage = PodmanStorage(small_disk)
        storage.prepare()
        stop = storage.remove
        wfx.env |= storage.environment
    else:
        request.getfixturevalue("singularity_program")
        cache = wfx.home / "cache/images"
        cache.mkdir(parents=True)
        (cache / "sif").symlink_to(small_disk)
    try:
        done = wfx("run", flow, "--containers", where, "-o", "out")
        assert done.code in (7, 9), done.err
        assert "Traceback" not in done.err
        assert "space" in done.last
        assert "no space left" in done.last.lower() or "free" in done.last
    finally:
        stop()
