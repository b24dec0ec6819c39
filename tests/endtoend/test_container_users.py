"""Containers for users without rights: their files are theirs, their sandbox holds, and what else they run goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wfx.images import oci_archive, read_layout
from wfx.testing.containers import tools_image
from wfx.testing.processes import wait_until
from wfx.testing.requirements import require_program
from wfx.testing.runtimes import PodmanStorage
from wfx.testing.users import OtherUser

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes", "wfx.testing.users"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {dockerLoad: tools.tar, dockerImageId: wfx/tools}}
baseCommand: [sh, -c, 'cat /hello "$0" > made.txt; mkdir folder; echo x > folder/file; chmod 600 made.txt']
inputs: {words: {type: File, inputBinding: {position: 1}}}
outputs:
  made: {type: File, outputBinding: {glob: made.txt}}
  folder: {type: Directory, outputBinding: {glob: folder}}
"""
SLEEPER = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {dockerLoad: tools.tar, dockerImageId: wfx/tools}}
baseCommand: [sh, -c, 'echo > started; sleep 300']
inputs: {}
outputs: {}
"""


@dataclass
class Seat:
    """A user at the machine, with a folder for a run."""

    user: OtherUser
    folder: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        words = ["env", "-C", str(self.folder), sys.executable, "-m", "wfx", *arguments]
        return self.user.command(words, {"WFX_HOME": str(self.folder / "home"), **self.environment})

    def wfx(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False
        )

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)
        os.chown(self.folder / name, self.user.uid, self.user.gid)


@pytest.fixture
def seat(other_user: OtherUser) -> Iterator[Seat]:
    folder = other_user.home / "work"
    folder.mkdir()
    os.chown(folder, other_user.uid, other_user.gid)
    made = Seat(other_user, folder, {})
    layout = tools_image().write_layout(folder / "layout")
    made.write("tools.tar", b"".join(oci_archive(read_layout(layout))))
    made.write("tool.cwl", TOOL.encode())
    made.write("sleeper.cwl", SLEEPER.encode())
    made.write("words.txt", b"two words\n")
    yield made
    shutil.rmtree(folder)


@pytest.fixture(params=["singularity", "podman", "labrun"])
def runtime(request: pytest.FixtureRequest, seat: Seat) -> str:
    tried = seat.user.run("unshare", "--map-root-user", "true")
    if tried.returncode != 0:
        pytest.skip(f"users get no namespaces of this kernel: {tried.stderr.strip()[-200:]}")
    if request.param == "singularity":
        request.getfixturevalue("singularity_program")
    elif request.param == "podman":
        rootless_podman(seat.user)
    else:
        new = request.getfixturevalue("new_runtime")
        shutil.copytree(new.environment["PYTHONPATH"].split(os.pathsep)[0], seat.folder / "site")
        seat.environment["PYTHONPATH"] = str(seat.folder / "site")
    return str(request.param)


def rootless_podman(user: OtherUser) -> None:
    """Skip where the machine gives users no ranges of ids, or its kernel no namespaces."""
    require_program("podman")
    require_program("newuidmap", package="uidmap")
    tried = user.run("podman", "unshare", "true")
    if tried.returncode != 0:
        pytest.skip(f"podman does not work here without root: {tried.stderr.strip()[-200:]}")


def graph_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    return found


def test_a_user_without_rights_runs_containers_and_has_their_files(seat: Seat, runtime: str) -> None:
    done = seat.wfx("run", "tool.cwl", "-i", "words=words.txt", "--containers", runtime, "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    made = seat.folder / "out" / "outputs" / "made.txt"
    assert made.read_text() == "hello\ntwo words\n"
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in (seat.folder / "out").rglob("*")}
    assert owners == {(seat.user.uid, seat.user.gid)}
    [image] = [entity for entity in graph_of(seat.folder / "out") if entity["@type"] == "ContainerImage"]
    assert f"sha256:{image['sha256']}" == tools_image().digest
    record = json.loads((seat.folder / "out" / ".wfx" / "record.json").read_text())
    if shutil.which("bwrap"):
        assert record["sandbox"].startswith("bubblewrap")
    # Once more, from what is loaded; and with no sandbox the files are his too.
    again = seat.wfx(
        "run",
        "tool.cwl",
        "-i",
        "words=words.txt",
        "--containers",
        runtime,
        "-o",
        "bare",
        "--sandbox",
        "none",
        "--offline",
    )
    assert again.returncode == 0, again.stderr
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in (seat.folder / "bare").rglob("*")}
    assert owners == {(seat.user.uid, seat.user.gid)}


def test_a_killed_run_of_a_user_leaves_no_container(seat: Seat, runtime: str) -> None:
    process = subprocess.Popen(
        seat.command("run", "sleeper.cwl", "--containers", runtime, "-o", "out"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: any((seat.folder / "out").rglob("started")), "the tool began", 60)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_until(lambda: not sleepers(seat.user), "no process is left", 60)
    if runtime == "podman":
        wait_until(lambda: not seat.user.run("podman", "ps", "-aq").stdout.strip(), "no container is left", 60)


def sleepers(user: OtherUser) -> list[str]:
    """Return the command lines of a user's processes that sleep."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            if path.stat().st_uid >= user.uid and b"300" in words:
                found.append(str(words))
        except OSError:
            continue
    return found


def test_what_else_a_user_runs_in_podman_goes_on(seat: Seat) -> None:
    rootless_podman(seat.user)
    loaded = seat.user.run("podman", "load", "--quiet", "--input", str(seat.folder / "tools.tar"))
    assert loaded.returncode == 0, loaded.stderr
    name = loaded.stdout.strip().rpartition(" ")[2]
    started = seat.user.run("podman", "run", "--detach", "--network", "none", name, "sleep", "1000")
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    try:
        done = seat.wfx("run", "tool.cwl", "-i", "words=words.txt", "--containers", "podman", "-o", "out")
        assert done.returncode == 0, done.stderr
        said = seat.user.run("podman", "exec", container, "echo", "still here")
        assert said.stdout == "still here\n", said.stderr
        assert seat.user.run("podman", "ps", "-q", "--no-trunc").stdout.split() == [container]
    finally:
        seat.user.run("podman", "rm", "--force", "--time", "0", container)


def test_what_else_root_runs_in_podman_goes_on(wfx: Any, podman_storage: PodmanStorage) -> None:
    wfx.env |= podman_storage.environment
    layout = tools_image().write_layout(wfx.folder / "layout")
    wfx.write("tools.tar", b"".join(oci_archive(read_layout(layout))))
    wfx.write("words.txt", "two words\n")
    name = podman_storage.podman("load", "--quiet", "--input", str(wfx.folder / "tools.tar")).rpartition(" ")[2]
    container = podman_storage.podman("run", "--detach", "--network", "none", name, "sleep", "1000")
    try:
        done = wfx("run", wfx.write("tool.cwl", TOOL), "-i", "words=words.txt", "--containers", "podman", "-o", "out")
        assert done.code == 0, done.err
        assert podman_storage.podman("exec", container, "echo", "still here") == "still here"
    finally:
        podman_storage.podman("rm", "--force", "--time", "0", container)
