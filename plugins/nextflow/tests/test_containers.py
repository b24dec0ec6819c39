"""Processes in containers of each runtime, from an image that was fetched, without a network and without pulling."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.records import decode
from wfx.running import RunRecord
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.images import machine_platform, make_image
from wfx.testing.registries import DockerRegistry

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

# What a task's wrapper calls; `ps` and `awk` are for its trace.
PROGRAMS = "bash ps grep sed mawk cat ls ln mkdir rm mv cp sort date tail head tee touch sleep cut tr uniq env id stat printf chmod dirname basename readlink mktemp mkfifo wc hostname"

MAIN = """
process SORT {
    container '%s'
    publishDir params.outdir, mode: 'copy'
    input: path text
    output: path 'sorted.txt'
    script:
    \"\"\"
    (cat $text /inside; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ') | sort > sorted.txt
    \"\"\"
}
params.outdir = 'results'
workflow { SORT(Channel.fromPath(params.text)) }
"""


def files_of_the_machine() -> dict[str, Any]:
    """Bash and its company with their libraries: an image that Nextflow's wrapper runs in."""
    files: dict[str, Any] = {
        "bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin", "tmp/": "1777", "var/tmp/": "1777",
        "proc/": "", "sys/": "", "dev/": "", "root/": "", "usr/sbin/": "", "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": b"root:x:0:\n", "inside": b"inside\n", "usr/bin/sh": "bash", "usr/bin/awk": "mawk",
    }  # fmt: skip
    for name in PROGRAMS.split():
        program = shutil.which(name, path="/usr/bin:/bin")
        if program is None:
            continue
        real = Path(program).resolve()
        files[f"usr/bin/{name}"] = real
        told = subprocess.run(["ldd", real], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", told):
            place = library if library.startswith("/usr/") else f"/usr{library}"
            files[place.lstrip("/")] = Path(library).resolve()
    return files


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    layout = make_image([files_of_the_machine()], platform=machine_platform()).write_layout(folder / "layout")
    with DockerRegistry(folder / "data") as registry:
        registry.push(layout, "wfx/bash:1")
        yield f"{registry.host}/wfx/bash:1"


@pytest.fixture(params=["docker", "podman", "singularity", "labrun"])
def runtime(request: pytest.FixtureRequest, wfx: Any) -> str:
    if request.param == "singularity":
        request.getfixturevalue("singularity_program")
    elif request.param == "labrun":
        # A third party's, which speaks Docker's command line.
        wfx.environment |= request.getfixturevalue("new_runtime").environment
    else:
        name = "docker_daemon" if request.param == "docker" else "podman_storage"
        wfx.environment |= request.getfixturevalue(name).environment
    return str(request.param)


def test_a_process_runs_in_its_image(runtime: str, wfx: Any, image: str, tmp_path: Path) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text(MAIN % image)
    (tmp_path / "text.txt").write_text("b\na\n")
    done = wfx("run", "flow", "-i", "text=text.txt", "--containers", runtime, "-o", "out", check=None, timeout=200)
    assert done.exit_code == 0, f"{done}\n" + "\n".join(p.read_text() for p in (tmp_path / "out/logs").rglob("*.log"))
    assert (tmp_path / "out/outputs/sorted.txt").read_text() == "a\nb\ninside\nlo\n"
    record = decode(RunRecord, json.loads((tmp_path / "out/.wfx/record.json").read_bytes()))
    [event] = record.events
    assert (event.image, event.image_digest) == (image, record.lock.images[0].digest)
    assert record.plan.containers == (runtime,)
    assert [f for f in validate(tmp_path / "out", level="RECOMMENDED") if f.code not in PERSONAL] == []
    # Again from the store, with the registry out of reach.
    wfx("run", "flow", "-i", "text=text.txt", "--containers", runtime, "-o", "again", "--offline", timeout=200)
    assert (tmp_path / "again/outputs/sorted.txt").read_text() == "a\nb\ninside\nlo\n"


COMPUTED = """
params.registry = '%s'
params.tag = '1'
params.outdir = 'results'
process FIRST {
    container '%s/wfx/bash:1'
    output: path 'first.txt'
    script: "cat /inside > first.txt"
}
process SECOND {
    container %s
    publishDir params.outdir, mode: 'copy'
    input: path first
    output: path 'second.txt'
    script: "cat $first /inside > second.txt"
}
workflow { SECOND(FIRST()) }
"""


@pytest.fixture
def podman(wfx: Any, request: pytest.FixtureRequest) -> None:
    wfx.environment |= request.getfixturevalue("podman_storage").environment


@pytest.mark.usefixtures("podman")
def test_an_image_that_the_script_puts_together_is_planned(wfx: Any, image: str, tmp_path: Path) -> None:
    registry = image.partition("/")[0]
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text(
        COMPUTED % (registry, registry, '"${params.registry}/wfx/bash:${params.tag}"')
    )
    plan = wfx("plan", "flow", "--containers", "podman", "--json").json
    assert [item["image"] for item in plan["images"]] == [image]
    assert "found by running the script without its tasks" in " ".join(plan["description"]["warnings"])
    wfx("run", "flow", "--containers", "podman", "-o", "out", timeout=200)
    assert (tmp_path / "out/outputs/second.txt").read_text() == "inside\ninside\n"
    record = decode(RunRecord, json.loads((tmp_path / "out/.wfx/record.json").read_bytes()))
    assert {(event.step, event.image_digest) for event in record.events} == {
        (step, record.lock.images[0].digest) for step in ("FIRST", "SECOND")
    }
    assert record.warnings == ()
    # With other params the script chooses another image, which nobody has fetched.
    done = wfx("run", "flow", "-i", "tag=2", "--containers", "podman", "-o", "other", check=3, timeout=200)
    assert f"SECOND runs in the image {registry}/wfx/bash:2" in done.stderr
    assert "option config" in done.stderr


@pytest.mark.usefixtures("podman")
def test_an_image_that_was_not_planned_is_not_pulled_and_reported(wfx: Any, image: str, tmp_path: Path) -> None:
    registry = image.partition("/")[0]
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text(
        COMPUTED % (registry, registry, '{ "${params.registry}/wfx/${[first: "bash"][first.baseName]}:1" }')
    )
    plan = wfx("plan", "flow", "--containers", "podman")
    assert "the image of SECOND is put together while it runs, so it is not planned" in plan.stdout
    done = wfx("run", "flow", "--containers", "podman", "-o", "out", check=1, timeout=200)
    said = f"SECOND asked for the image {image}, which was not planned"
    assert said in done.stderr
    record = decode(RunRecord, json.loads((tmp_path / "out/.wfx/record.json").read_bytes()))
    assert said in record.warnings[0]
    second = next(event for event in record.events if event.step == "SECOND")
    assert (second.state, second.image, second.image_digest) == ("failed", image, None)
    assert "image not known" in second.error
    assert [f for f in validate(tmp_path / "out", level="RECOMMENDED") if f.code not in PERSONAL] == []


def test_without_containers_a_process_runs_as_it_is_and_that_is_said(wfx: Any, tmp_path: Path) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text((MAIN % "registry.invalid/none:1").replace(" /inside", ""))
    (tmp_path / "text.txt").write_text("b\na\n")
    done = wfx("run", "flow", "-i", "text=text.txt", "--containers", "none", "-o", "out")
    assert "without the containers that it suggests" not in done.stderr
    assert (tmp_path / "out/outputs/sorted.txt").read_text() == "a\nb\nlo\n"
    record = decode(RunRecord, json.loads((tmp_path / "out/.wfx/record.json").read_bytes()))
    assert (record.plan.containers, record.events[0].image, record.warnings) == (("none",), None, ())
