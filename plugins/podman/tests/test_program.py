"""What is said when podman is not there, fails, or has no room; and what its wrapper does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from wfx.containers import FactoryContext, wrapper_script
from wfx.errors import ContainerError, IntegrityError
from wfx.testing.containers import tools_image
from wfx_podman import PodmanFactory

INFO = {
    "host": {
        "arch": "amd64",
        "os": "linux",
        "security": {"rootless": True},
        "remoteSocket": {"path": "/run/user/7/podman/podman.sock"},
    },
    "store": {"graphRoot": "/home/ann/.local/share/containers/storage", "runRoot": "/run/user/7/containers"},
    "version": {"Version": "5.1.0"},
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A podman that says what its file says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "podman"
    path.write_text('#!/bin/sh\ncat >/dev/null </dev/null\n. "$(dirname "$0")/does"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (folder / "info.json").write_text(json.dumps(INFO))
    return folder / "does"


def test_what_it_says_of_itself_is_read(fake: Path, tmp_path: Path) -> None:
    home, runtime = tmp_path / "home", tmp_path / "user" / "7"
    text = json.dumps(INFO).replace("/home/ann", str(home)).replace("/run/user/7", str(runtime))
    (fake.parent / "info.json").write_text(text)
    fake.write_text('cat "$(dirname "$0")/info.json"')
    wanted = [home / ".local/share/containers/storage", runtime / "containers", runtime / "libpod/tmp"]
    for folder in wanted:
        folder.mkdir(parents=True)
    found = PodmanFactory().available()
    assert (found.version, found.rootless, found.platforms) == ("5.1.0", True, ("linux/amd64",))
    access = PodmanFactory().access("r1")
    # A home of the engine's own changes nothing, and neither does a sandbox with one id alone.
    assert access.environment["XDG_DATA_HOME"] == str(home / ".local/share")
    assert access.environment["XDG_RUNTIME_DIR"] == str(runtime)
    assert access.prefix == (access.program, "unshare")
    assert sorted(access.writable) == sorted(wanted)


def test_whoever_asks_for_his_own_id_inside_gets_it_as_root_there(fake: Path) -> None:
    fake.write_text('case $1 in info) cat "$(dirname "$0")/info.json";; *) echo "$@";; esac')
    wrapper = PodmanFactory().access("r1").wrapper
    done = subprocess.run(
        ["sh", "-c", wrapper, "podman", "run", "--userns=keep-id", "--rm", "image", "true"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["run", "--label", "wfx.run=r1", "--pull=never", "--rm", "image", "true"]


def test_a_service_elsewhere_has_its_own_ranges_of_ids(fake: Path) -> None:
    info = {**INFO, "host": {**INFO["host"], "serviceIsRemote": True}}
    (fake.parent / "info.json").write_text(json.dumps(info))
    fake.write_text('cat "$(dirname "$0")/info.json"')
    access = PodmanFactory().access("r1")
    assert access.prefix == ()
    assert "--userns=keep-id" not in access.wrapper


def test_a_program_that_fails_is_a_problem_and_no_exception(fake: Path) -> None:
    fake.write_text("echo 'Error: permission denied: /run/x' >&2; exit 125")
    found = PodmanFactory().available()
    assert not found.usable
    assert "permission denied" in found.problem
    assert "may use podman" in found.remedy


def test_a_program_that_talks_nonsense_is_a_problem_and_no_exception(fake: Path) -> None:
    fake.write_text("echo 'hello'")
    assert not PodmanFactory().available().usable


def test_a_full_disk_says_what_to_do(fake: Path, tmp_path: Path) -> None:
    fake.write_text(
        'case $1 in image) echo "Error: wfx: image not known" >&2; exit 125;;\n'
        'load) head -c 100000 >/dev/null; echo "Error: writing blob: no space left on device" >&2; exit 125;; esac'
    )
    layout = tools_image().write_layout(tmp_path / "layout")
    with pytest.raises(ContainerError, match="free some space") as caught:
        PodmanFactory().load(layout, "wfx/tools:1", tools_image().digest)
    assert caught.value.exit_code == 7
    assert "wfx/tools:1" in str(caught.value)


def test_an_image_that_became_another_is_refused(fake: Path, tmp_path: Path) -> None:
    fake.write_text(f"echo '{json.dumps([{'Id': 'ff' * 32, 'RepoTags': []}])}'")
    layout = tools_image().write_layout(tmp_path / "layout")
    with pytest.raises(IntegrityError):
        PodmanFactory().load(layout, "wfx/tools:1", tools_image().digest)


def test_the_program_is_a_setting(tmp_path: Path) -> None:
    found = PodmanFactory(FactoryContext(settings={"program": str(tmp_path / "none")})).available()
    assert str(tmp_path / "none") in found.problem
    assert found.remedy


@pytest.mark.parametrize(
    ("given", "called"),
    [
        (["run", "--rm", "--userns=keep-id", "x", "a b", "*"], ["run", "--label", "wfx.run=r 1", "--pull=never", "--rm", "x", "a b", "*"]),
        (["create", "x"], ["create", "--label", "wfx.run=r 1", "--pull=never", "x"]),
        (["container", "run", "x"], ["run", "--label", "wfx.run=r 1", "--pull=never", "x"]),
        (["ps", "-q"], ["ps", "-q"]), ([], []), (["inspect", ""], ["inspect", ""]),
    ],
)  # fmt: skip
def test_the_wrapper_changes_what_starts_and_nothing_else(tmp_path: Path, given: list[str], called: list[str]) -> None:
    real = tmp_path / "real one"
    real.write_text('#!/bin/sh\nfor x; do printf "%s\\n" "$x"; done\necho "$MARK" >&2\n')
    real.chmod(0o755)
    wrapper = tmp_path / "podman"
    wrapper.write_text(
        wrapper_script(
            "podman",
            str(real),
            ("--label", "wfx.run=r 1", "--pull=never"),
            drop=("--userns=keep-id",),
            environment={"MARK": "a 'b'"},
        )
    )
    wrapper.chmod(0o755)
    done = subprocess.run([wrapper, *given], capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.stdout.split("\n")[:-1] == called
    assert done.stderr.strip() == "a 'b'"


@pytest.mark.parametrize("state", ["1", "0", ""], ids=["enforced", "permissive", "off"])
def test_where_selinux_is_enforced_containers_may_use_what_is_mounted(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    fake.write_text('cat "$(dirname "$0")/info.json"')
    if state:
        (tmp_path / "enforce").write_text(state)
    monkeypatch.setattr("wfx.containers.SELINUX", tmp_path / "enforce")
    access = PodmanFactory().access("r1")
    said = "--pull=never --security-opt label=disable"
    assert (said in " ".join(access.run_options)) == (state == "1")
    assert (said in access.wrapper) == (state == "1")
