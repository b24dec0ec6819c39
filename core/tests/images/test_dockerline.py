"""Docker's command line, read into data."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from wfx.dockerline import FLAGS, SHORT, ContainerMount, ContainerStart, ImageLook, read_docker_line
from wfx.errors import UsageError
from wfx.testing.requirements import require_program


def start(*words: str, environment: dict[str, str] | None = None) -> ContainerStart:
    found = read_docker_line(["run", *words], environment or {})
    assert isinstance(found, ContainerStart)
    return found


def test_what_cwltool_writes_is_read() -> None:
    found = start(
        "-i", "--mount=type=bind,source=/work/out,target=/XyZ", "--mount=type=bind,source=/tmp/t,target=/tmp",
        '--mount="type=bind","source=/data/a, b.txt","target=/var/lib/cwl/a, b.txt",readonly', "--workdir=/XyZ",
        "--read-only=true", "--net=none", "--log-driver=none", "--user=1000:1000", "--rm", "--cidfile=/tmp/x.cid",
        "--env=TMPDIR=/tmp", "--env=HOME=/XyZ", "lab/tools:1", "sh", "-c", "echo --rm; exit 3",
    )  # fmt: skip
    assert found.image == "lab/tools:1"
    assert found.command == ("sh", "-c", "echo --rm; exit 3")
    assert found.mounts == (
        ContainerMount("/work/out", "/XyZ"), ContainerMount("/tmp/t", "/tmp"),
        ContainerMount("/data/a, b.txt", "/var/lib/cwl/a, b.txt", writable=False),
    )  # fmt: skip
    assert (found.folder, found.network, found.user, found.read_only) == ("/XyZ", "none", "1000:1000", True)
    assert found.environment == {"TMPDIR": "/tmp", "HOME": "/XyZ"}
    assert found.id_file == "/tmp/x.cid"
    assert dict(found.options) == {"interactive": "", "log-driver": "none", "rm": ""}


def test_what_nextflow_writes_is_read() -> None:
    found = start(
        "-i", "--cpu-shares", "1024", "--memory", "512m", "-e", "NXF_TASK_WORKDIR", "-e", "MISSING", "-v",
        "/work/ab:/work/ab", "-w", "/work/ab", "--network", "none", "--name", "nxf-1", "image@sha256:1", "/bin/bash",
        "-ue", ".command.run", environment={"NXF_TASK_WORKDIR": "/work/ab"},
    )  # fmt: skip
    assert found.command == ("/bin/bash", "-ue", ".command.run")
    assert found.environment == {"NXF_TASK_WORKDIR": "/work/ab"}
    assert found.mounts == (ContainerMount("/work/ab", "/work/ab"),)
    assert (found.name, found.folder, found.network) == ("nxf-1", "/work/ab", "none")
    assert ("memory", "512m") in found.options


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-itw/x", "img"), {"folder": "/x"}),
        (("-it", "-w=/x", "img"), {"folder": "/x"}),
        (("--entrypoint", "/bin/sh", "img"), {"entrypoint": ("/bin/sh",)}),
        (("--entrypoint=", "img"), {"entrypoint": ()}),
        (("img",), {"entrypoint": None, "network": "", "read_only": False}),
        (("--read-only", "img"), {"read_only": True}),
        (("--read-only=false", "img"), {"read_only": False}),
        (("--tmpfs", "/scratch:size=1g", "img"), {"mounts": (ContainerMount("", "/scratch"),)}),
        (("-v/a:/b:ro,z", "img"), {"mounts": (ContainerMount("/a", "/b", writable=False),)}),
        (("--mount", "type=bind,src=/a,dst=/b,readonly=false", "img"), {"mounts": (ContainerMount("/a", "/b"),)}),
        (("--", "img", "--rm"), {"image": "img", "command": ("--rm",)}),
        (("img", "-v", "/a:/b"), {"image": "img", "command": ("-v", "/a:/b"), "mounts": ()}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_are_read_in_each_of_their_forms(words: tuple[str, ...], expected: dict[str, object]) -> None:
    found = start(*words)
    assert {name: getattr(found, name) for name in expected} == expected


def test_variables_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# comment\nA=1\nB\nC\n\nD=x=y\n")
    assert start("--env-file", str(tmp_path / "env"), "img", environment={"B": "2"}).environment == {
        "A": "1", "B": "2", "D": "x=y",
    }  # fmt: skip


@pytest.mark.parametrize("words", [["inspect", "a", "b"], ["image", "inspect", "--format", "{{.Id}}", "a", "b"]])
def test_a_look_at_images_is_read(words: list[str]) -> None:
    assert read_docker_line(words) == ImageLook(("a", "b"))


@pytest.mark.parametrize(
    "words",
    [[], ["pull", "img"], ["run"], ["run", "--rm"], ["run", "-v"], ["run", "-Z", "img"], ["container", "inspect", "x"],
     ["run", "-v", "cache:/x", "img"], ["run", "--mount", "type=volume,target=/x", "img"], ["run", "--env-file", "/none", "i"]],
    ids=" ".join,
)  # fmt: skip
def test_what_it_cannot_do_is_said(words: list[str]) -> None:
    with pytest.raises(UsageError):
        read_docker_line(words)


@pytest.mark.real
def test_the_options_without_a_value_are_docker_s_own() -> None:
    docker = require_program("docker", package="docker.io")
    said = subprocess.run([docker, "run", "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^ {2}(?:-(\w), | {4})--([a-z0-9-]+)(?: ([a-z0-9]\S*))?(?: |$)", said, re.M)
    assert len(found) > 90
    flags = {name for _, name, kind in found if not kind}
    # What this version has not may be another's.
    assert flags <= FLAGS
    assert not (FLAGS - flags) & {name for _, name, _ in found}
    assert {short: name for short, name, _ in found if short}.items() <= SHORT.items()
