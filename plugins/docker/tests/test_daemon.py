"""What is said when the daemon is not there, stops, or has no room."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.containers import ContainerFactory, FactoryContext
from wfx.errors import ContainerError
from wfx.testing.containers import tools_image
from wfx.testing.images import busybox_files, machine_platform, make_image
from wfx.testing.requirements import require
from wfx.testing.runtimes import DockerDaemon
from wfx_docker import DockerFactory


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DOCKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def factory() -> ContainerFactory:
    return DockerFactory()


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a docker command, whatever the machine has."""
    path = tmp_path / "bin" / "docker"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")


def test_a_daemon_that_is_not_there_is_said_with_its_address(
    factory: ContainerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    found = factory.available()
    assert not found.usable
    assert "cannot be reached" in found.problem
    assert "nobody listens there" in found.problem
    assert "start it" in found.remedy
    with pytest.raises(ContainerError) as caught:
        factory.load(tools_image().write_layout(tmp_path / "layout"), "wfx/tools:1", tools_image().digest)
    assert caught.value.exit_code == 7
    assert f"unix://{tmp_path}/none.sock" in str(caught.value)


def test_the_setting_counts_before_the_environment_and_that_before_the_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch)
    name = "rootless"
    import hashlib

    meta = tmp_path / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(
        json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///run/user/7/docker.sock"}}})
    )
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))
    script = "from wfx_docker import DockerFactory; print(DockerFactory().access('r').environment['DOCKER_HOST'])"
    done = subprocess.run(
        [os.sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=dict(os.environ),  # type: ignore[attr-defined]
    )
    assert done.stdout.strip() == "unix:///run/user/7/docker.sock", done.stderr
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert DockerFactory().access("r").environment["DOCKER_HOST"] == "tcp://127.0.0.1:1"
    given = DockerFactory(FactoryContext(settings={"host": "unix:///given.sock"}))
    access = given.access("r")
    assert access.environment["DOCKER_HOST"] == "unix:///given.sock"
    assert access.writable == (Path("/given.sock"),)


def test_the_sdk_is_imported_only_when_a_daemon_is_asked() -> None:
    script = (
        "import sys, wfx_docker; wfx_docker.DockerFactory(); print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([os.sys.executable, "-c", script], capture_output=True, text=True)  # type: ignore[attr-defined]
    assert done.stdout.split() == ["False", "False"], done.stderr


@pytest.mark.real
def test_a_daemon_that_stops_during_a_load_is_an_error_in_one_line(tmp_path: Path) -> None:
    require(os.geteuid() == 0, "dockerd needs root")
    folder = Path(tempfile.mkdtemp(prefix="wfx-docker-"))
    daemon = DockerDaemon(folder)
    try:
        daemon.start()
        image = make_image([{"big": os.urandom(60_000_000)}], platform=machine_platform(), compression="")
        layout = image.write_layout(tmp_path / "layout")
        factory = DockerFactory(FactoryContext(settings={"host": daemon.endpoint}))
        stop = threading.Timer(0.15, lambda: daemon._process.terminate())  # type: ignore[union-attr]
        stop.start()
        with pytest.raises(ContainerError) as caught:
            for number in range(100):
                factory.unload(factory.load(layout, f"wfx/big:{number}", image.digest))
        assert caught.value.exit_code == 7
        assert "\n" not in str(caught.value)
        daemon.stop()
        # The next one goes on.
        daemon.start()
        assert factory.load(layout, "wfx/big:1", image.digest).image_id == image.config_digest
    finally:
        daemon.stop()
        subprocess.run(["rm", "-rf", folder], check=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True, text=True)
    require(done.returncode == 0, f"a small disk can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.real
def test_a_full_disk_says_where_and_leaves_no_image(small_disk: Path, tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="wfx-docker-"))
    daemon = DockerDaemon(folder, data=small_disk / "data")
    try:
        daemon.start()
        image = make_image([busybox_files(), {"big": os.urandom(30_000_000)}], platform=machine_platform())
        factory = DockerFactory(FactoryContext(settings={"host": daemon.endpoint}))
        with pytest.raises(ContainerError, match="free some space") as caught:
            factory.load(image.write_layout(tmp_path / "layout"), "wfx/big:1", image.digest)
        assert caught.value.exit_code == 7
        assert daemon.docker("images", "-q") == ""
    finally:
        daemon.stop()
        subprocess.run(["rm", "-rf", folder], check=False)


@pytest.mark.real
def test_a_layer_in_zstd_is_unpacked_for_a_daemon_that_cannot(
    docker_daemon: DockerDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wfx.testing.requirements import require_program

    require_program("zstd")
    image = make_image([busybox_files(), {"hello": b"zstd\n"}], platform=machine_platform(), compression="zstd")
    factory = DockerFactory(FactoryContext(settings={"host": docker_daemon.endpoint}))
    loaded = factory.load(image.write_layout(tmp_path / "layout"), "wfx/zstd:1", image.digest)
    assert docker_daemon.docker("run", "--rm", "--network", "none", loaded.name, "cat", "/hello") == "zstd"
    assert loaded.image_id == image.config_digest
    factory.unload(loaded)


@pytest.mark.parametrize("state", ["1", "0", ""], ids=["enforced", "permissive", "off"])
def test_where_selinux_is_enforced_containers_may_use_what_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    program(tmp_path, monkeypatch)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    if state:
        (tmp_path / "enforce").write_text(state)
    monkeypatch.setattr("wfx.containers.SELINUX", tmp_path / "enforce")
    access = DockerFactory().access("r1")
    said = "--pull never --security-opt label=disable"
    assert (said in " ".join(access.run_options)) == (state == "1")
    assert (said in access.wrapper) == (state == "1")
