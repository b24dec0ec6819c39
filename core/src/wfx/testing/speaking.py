"""The contract of container factories that speak Docker's command line, shown by running containers.

::

    @pytest.mark.real
    class TestCommandLine(SpeakingFactoryContract):
        factory = MyFactory

The image is made of the machine's static busybox (`apt install busybox-static`); nothing is pulled.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from wfx.containers import ContainerFactory, FactoryContext, LoadedImage
from wfx.errors import WfxError
from wfx.testing.containers import NAME, tools_image
from wfx.testing.processes import wait_until

RUN = "33333333-3333-4333-8333-333333333333"
SECONDS = 120.0


@dataclass(slots=True)
class Speaker:
    """The runtime as an engine has it: a command line that begins with `docker`."""

    program: Path
    environment: dict[str, str]
    image: str

    def docker(self, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as engines write it."""
        return subprocess.run(
            [self.program, *map(str, words)], env=self.environment, input=stdin, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip

    def run(self, *words: str | Path, options: tuple[str | Path, ...] = (), stdin: str = "") -> str:
        """Run a command in a container; return what it prints."""
        done = self.docker("run", "-i", "--rm", "--net=none", *options, self.image, *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout


def bind(source: Path, target: str, *, writable: bool = False) -> str:
    """Return the option for a mount, as cwltool writes it."""
    return f"--mount=type=bind,source={source},target={target}" + ("" if writable else ",readonly")


class SpeakingFactoryContract:
    """What engines that drive Docker rely on in a runtime that speaks its command line; a subclass gives the class.

    The rules, each a test of its own: the command runs in the image, in the folder and with the variables that it is
    given, and its exit code is the program's; mounts are seen at their places, also such as the image has not; what it
    writes is the caller's; neither the image nor what is mounted read-only can be changed; there is no network; what
    ends the program ends the container; an image that is not loaded is refused.
    """

    factory: ClassVar[type[ContainerFactory]]
    patience: ClassVar[float] = 30.0
    """Seconds in which a container ends after its program."""

    def context(self, folder: Path) -> FactoryContext:
        """Return what the factory gets; `folder` is for converted images."""
        return FactoryContext(cache=folder)

    # -- the bench

    @pytest.fixture
    def made(self, tmp_path: Path) -> ContainerFactory:
        """Return the factory."""
        cache = tmp_path / "cache"
        cache.mkdir()
        return self.factory(self.context(cache))

    @pytest.fixture
    def loaded(self, made: ContainerFactory, tmp_path: Path) -> Iterator[LoadedImage]:
        """Return an image with a shell, loaded."""
        image = made.load(tools_image().write_layout(tmp_path / "layout"), NAME, tools_image().digest)
        yield image
        with contextlib.suppress(WfxError):
            made.unload(image)

    @pytest.fixture
    def speaker(self, made: ContainerFactory, loaded: LoadedImage, tmp_path: Path) -> Iterator[Speaker]:
        """Return the runtime as the core gives it to an engine: as `docker`."""
        access = made.access(RUN)
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(access.wrapper or f'#!/bin/sh\nexec "{access.program}" "$@"\n')
        program.chmod(0o755)
        environment = {"PATH": os.environ.get("PATH", os.defpath), **access.environment}
        yield Speaker(program, environment, loaded.name)
        with contextlib.suppress(WfxError):
            made.clean(RUN)

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        """Return a folder for what a container writes."""
        folder = tmp_path / "out"
        folder.mkdir()
        return folder

    # -- the rules

    def test_it_says_that_it_speaks_docker_s_command_line(self) -> None:
        """Name `docker` in the capabilities: by that engines find it."""
        assert "docker" in self.factory.capabilities.speaks

    def test_a_command_runs_in_the_image_with_its_input_and_its_exit_code(self, speaker: Speaker) -> None:
        """Give the program its words as they are, what comes on its input, and back its exit code."""
        assert speaker.run("cat", "/hello", "-", stdin="two words") == "hello\ntwo words"
        assert speaker.run("sh", "-c", 'printf "%s|" "$@"', "sh", "a b", "", "$HOME", "*") == "a b||$HOME|*|"
        done = speaker.docker("run", "--rm", "--net=none", speaker.image, "sh", "-c", "echo said >&2; exit 42")
        assert done.returncode == 42
        assert "said" in done.stderr

    def test_it_begins_in_the_folder_with_the_variables_that_it_is_given(self, speaker: Speaker) -> None:
        """Take `--workdir` and `--env`, and nothing of the caller's own variables; the image's own `PATH` stays."""
        speaker.environment["SECRET_OF_THE_CALLER"] = "1"
        options = ("--workdir=/var/tmp", "--env=GREETING=good day=x", "--env", "EMPTY=")
        said = speaker.run(
            "sh", "-c", 'pwd; echo "$GREETING|${EMPTY-unset}|${SECRET_OF_THE_CALLER-none}"', options=options
        )
        assert said.splitlines() == ["/var/tmp", "good day=x||none"]

    def test_mounts_are_seen_at_their_places(self, speaker: Speaker, out: Path, tmp_path: Path) -> None:
        """Show files and folders of the machine, also below folders of the image, and where the image has none."""
        (tmp_path / "in.txt").write_text("given")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "b, c.txt").write_text("b")
        options = (
            bind(tmp_path / "in.txt", "/etc/wfx/new/in.txt"), "--volume", f"{tmp_path / 'folder'}:/data/folder:ro",
            bind(out, "/nowhere/yet", writable=True), bind(tmp_path / "in.txt", "/nowhere/yet/in.txt"),
            "--workdir=/nowhere/yet",
        )  # fmt: skip
        script = "cat /etc/wfx/new/in.txt /data/folder/* in.txt /etc/passwd > out.txt"
        speaker.run("sh", "-c", script, options=options)
        assert (out / "out.txt").read_text().startswith("givenbgivenroot:")

    def test_what_it_writes_is_the_caller_s(self, speaker: Speaker, out: Path) -> None:
        """Leave files that belong to whoever started it, who asks for that with `--user`."""
        options = (bind(out, "/out", writable=True), f"--user={os.geteuid()}:{os.getegid()}", "--workdir=/out")
        speaker.run("sh", "-c", "echo x > file; mkdir folder", options=options)
        assert {(p.stat().st_uid, p.stat().st_gid) for p in out.iterdir()} == {(os.geteuid(), os.getegid())}

    def test_nothing_changes_the_image_or_what_is_mounted_read_only(self, speaker: Speaker, tmp_path: Path) -> None:
        """Let no container change what the next one sees, nor a file that it is only to read."""
        given = tmp_path / "given.txt"
        given.write_text("given")
        options = (bind(given, "/given.txt"), "--read-only=true")
        script = "echo x > /given.txt; echo x > /hello; rm -rf /bin/ls; echo x > /etc/passwd; true"
        speaker.docker("run", "--rm", "--net=none", *options, speaker.image, "sh", "-c", script)
        assert given.read_text() == "given"
        assert speaker.run("cat", "/hello", "/etc/passwd") == "hello\nroot:x:0:0:root:/root:/bin/sh\n"
        assert speaker.run("ls", "/hello") == "/hello\n"

    def test_without_a_network_there_is_none(self, speaker: Speaker) -> None:
        """Show nothing but the loopback interface where the engine says `--net=none`."""
        lines = speaker.run("cat", "/proc/net/dev").splitlines()
        assert [line.split(":")[0].strip() for line in lines if ":" in line] == ["lo"]

    def test_nothing_of_the_machine_is_seen_but_the_mounts(self, speaker: Speaker, tmp_path: Path) -> None:
        """Hide the machine's own files and processes."""
        (tmp_path / "private").write_text("private")
        assert speaker.run("sh", "-c", f"cat {tmp_path}/private 2>/dev/null || echo none").strip() == "none"
        assert int(speaker.run("sh", "-c", "ls /proc | grep -c '^[0-9]'")) < 10

    def test_a_container_ends_with_its_program(self, made: ContainerFactory, speaker: Speaker, out: Path) -> None:
        """Leave no process behind where the program is killed and `clean` has been called."""
        mark = f"wfx-{uuid.uuid4().hex}"
        options = [bind(out, "/out", writable=True), "--workdir=/out", "--net=none", "--rm"]
        script = "echo x > started; while true; do sleep 1; done"
        with subprocess.Popen(
            [speaker.program, "run", *options, speaker.image, "sh", "-c", script, mark], env=speaker.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                wait_until((out / "started").exists, "the container starts", timeout=SECONDS)
                assert _running(mark)
            finally:
                process.kill()
        made.clean(RUN)
        wait_until(lambda: not _running(mark), "the container ends with its program", self.patience)

    def test_an_image_that_is_not_loaded_does_not_run(self, speaker: Speaker) -> None:
        """Fetch nothing: say by the exit code that an image is not there, asked by `inspect` or by `run`."""
        other = speaker.image[:-1] + ("0" if speaker.image[-1] != "0" else "1")
        assert speaker.docker("inspect", speaker.image).returncode == 0
        assert speaker.docker("inspect", other).returncode != 0
        done = speaker.docker("run", "--rm", "--net=none", other, "true")
        assert done.returncode != 0
        assert done.stderr.strip(), "it says nothing of what is wrong"


def _running(mark: str) -> bool:
    """Say whether a process has the word on its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                return True
    return False
