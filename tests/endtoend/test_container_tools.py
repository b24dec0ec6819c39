"""What CWL says of tools in containers, in each runtime: folders, users, network, inputs that are only read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.registries import Registry

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

TOOL = """\
cwlVersion: {version}
class: CommandLineTool
requirements:
  DockerRequirement: {docker}
  {more}
baseCommand: [sh, -c]
arguments: ['{script}']
inputs:
  words: File
  folder: Directory?
outputs:
  shown: stdout
  made: {{type: 'File?', outputBinding: {{glob: made.txt}}}}
stdout: shown.txt
"""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        yield f"{registry.host}/wfx/tools:1"


@pytest.fixture(params=["docker", "podman", "singularity"])
def runtime(request: pytest.FixtureRequest, wfx: Any) -> str:
    if request.param == "docker":
        wfx.env |= request.getfixturevalue("docker_daemon").environment
    elif request.param == "podman":
        wfx.env |= request.getfixturevalue("podman_storage").environment
    else:
        request.getfixturevalue("singularity_program")
    name: str = request.param
    return name


def run(wfx: Any, runtime: str, image: str, script: str, more: str = "", version: str = "v1.2", **docker: str) -> Any:
    requirement = json.dumps({"dockerPull": image, **docker})
    wfx.write("words.txt", "b\na\n")
    wfx.write("folder/inside.txt", "1\n")
    wfx.write("tool.cwl", TOOL.format(docker=requirement, more=more, script=script, version=version))
    done = wfx("run", "tool.cwl", "-i", "words=words.txt", "-i", "folder=folder", "--containers", runtime, "-o", "out",
               "--json")  # fmt: skip
    assert done.code == 0, done.err
    return done


def shown(done: Any) -> list[str]:
    return Path(done.json["outputs"]["shown"]["path"]).read_text().splitlines()


def test_folders_users_and_inputs_are_as_cwl_says(wfx, runtime: str, image: str) -> None:
    script = (
        'pwd; echo "$HOME"; echo "$TMPDIR"; id -u; echo x > "$TMPDIR/t" && echo written; '
        "grep -c cwltool-tmp /proc/self/mountinfo; echo made > made.txt; "
        'echo no 2>/dev/null >> "$(inputs.words.path)" || echo kept; '
        'echo no 2>/dev/null > "$(inputs.folder.path)/new" || echo kept; '
        'cat "$(inputs.words.path)"'
    )
    done = run(wfx, runtime, image, script.replace("'", "''"))
    where, home, temporary, user, written, mounts, first, second, *words = shown(done)
    assert where == home
    assert where.startswith("/")
    assert temporary == "/tmp"
    assert int(user) == os.geteuid()
    assert written == "written"
    assert int(mounts) >= 1
    assert (first, second) == ("kept", "kept")
    assert words == ["b", "a"]
    for made in (wfx.folder / "out/outputs").iterdir():
        assert made.stat().st_uid == os.geteuid()
    assert sorted(p.name for p in (wfx.folder / "folder").iterdir()) == ["inside.txt"]
    assert (wfx.folder / "words.txt").read_text() == "b\na\n"


def test_the_output_directory_is_where_the_tool_wants_it(wfx, runtime: str, image: str) -> None:
    done = run(wfx, runtime, image, "pwd; echo made > /results/made.txt", dockerOutputDirectory="/results")
    assert shown(done) == ["/results"]
    assert (wfx.folder / "out/outputs/made.txt").read_text() == "made\n"


def test_a_requirement_counts_more_than_a_hint(wfx, runtime: str, image: str) -> None:
    run(wfx, runtime, image, "cat /hello")
    text = (wfx.folder / "tool.cwl").read_text()
    other = text + "hints: {DockerRequirement: {dockerPull: registry.invalid/nothing:1}}\n"
    (wfx.folder / "tool.cwl").write_text(other)
    done = wfx("run", "tool.cwl", "-i", "words=words.txt", "--containers", runtime, "-o", "two", "--json")
    assert done.code == 0, done.err
    assert shown(done) == ["hello"]


@pytest.mark.parametrize("version", ["v1.0", "v1.2"])
def test_there_is_no_network_unless_the_tool_asks_and_the_user_allows(
    wfx, runtime: str, image: str, version: str
) -> None:
    # The loopback's line begins with its name, as the others' do.
    script = "grep -c : /proc/net/dev"
    asks = "NetworkAccess: {networkAccess: true}" if version != "v1.0" else ""
    done = run(wfx, runtime, image, script, asks, version)
    assert shown(done) == ["1"]
    assert ("container.network" in done.err) == bool(asks)
    if runtime != "singularity":
        return  # the tests' daemon and storage have no network to give
    wfx.env["WFX_CONTAINER_NETWORK"] = "true"
    here = sum(":" in line for line in Path("/proc/net/dev").read_text().splitlines())
    done = wfx("run", "tool.cwl", "-i", "words=words.txt", "--containers", runtime, "-o", "two", "--json")
    assert done.code == 0, done.err
    assert shown(done) == [str(here)]
    if asks:
        (wfx.folder / "tool.cwl").write_text((wfx.folder / "tool.cwl").read_text().replace(asks, ""))
        done = wfx("run", "tool.cwl", "-i", "words=words.txt", "--containers", runtime, "-o", "three", "--json")
        assert shown(done) == ["1"], done.err
