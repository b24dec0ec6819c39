"""What wfx keeps of engines: whole or not there, as it was installed, and nobody's while a run uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from wfx import provided
from wfx.engines import Engine
from wfx.errors import EngineError, IntegrityError, MachineError, UsageError
from wfx.testing.processes import wait_until

# Installs in a process of its own; the program that brings it waits for a file.
INSTALL = """
import sys, types
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Toy
from wfx import provided
def provide(cls, job):
    (job.into / "half").write_text("half")
    job.run(["sh", "-c", "echo $$ > %s/client; until [ -e %s/go ]; do sleep 0.05; done" % (sys.argv[2], sys.argv[2])])
    return Toy.__dict__["provide"].__func__(cls, job)
cls = type("Slow", (Toy,), {"provide": classmethod(provide)})
kept = provided.install(Path(sys.argv[2]) / "engines", cls, "3.0", lambda text: print(text, flush=True))
print(kept.version, flush=True)
"""


def start(tmp_path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", INSTALL, str(Path(__file__).parent), str(tmp_path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_version_is_brought_once_and_kept_with_the_digests_of_all_files(tmp_path: Path, toy: type[Engine]) -> None:
    kept = provided.install(tmp_path, toy, "3.0")
    assert provided.install(tmp_path, toy, "3.0") == kept
    assert toy.provided == ["3.0"]
    assert (kept.version, kept.files, kept.folder) == ("3.0", 2, tmp_path / "toy.toy/3.0")
    assert kept.size == len("toy 3.0") + len("bin/toy")
    files = json.loads((kept.folder / "files.json").read_bytes())
    assert set(files) == {"bin/toy", "toy"}
    assert provided.kept(tmp_path, toy) == [kept]
    provided.verify(kept)


def test_the_digest_is_that_of_its_packages_wherever_it_lies(tmp_path: Path, toy: type[Engine]) -> None:
    one, other = (provided.install(tmp_path / name, toy, "3.0") for name in "ab")
    assert one.digest == other.digest
    assert provided.install(tmp_path / "a", toy, "4.1").digest != one.digest


def test_the_newest_version_comes_first(tmp_path: Path, toy: type[Engine]) -> None:
    toy.published = ("1.9", "1.10", "2.0")
    for version in ("1.10", "2.0", "1.9"):
        provided.install(tmp_path, toy, version)
    assert [kept.version for kept in provided.kept(tmp_path, toy)] == ["2.0", "1.10", "1.9"]


def test_a_failure_leaves_nothing(tmp_path: Path, toy: type[Engine]) -> None:
    with pytest.raises(EngineError, match="no such version"):
        provided.install(tmp_path, toy, "8.8")
    assert [path.name for path in (tmp_path / "toy.toy").iterdir()] == [provided.LOCK]


def test_another_version_than_the_one_that_was_asked_for_is_not_kept(tmp_path: Path, toy: type[Engine]) -> None:
    provide = toy.provide

    def wrong(job: object) -> str:
        provide(job)  # type: ignore[arg-type]
        return "4.1"

    toy.provide = wrong  # type: ignore[method-assign, assignment]
    with pytest.raises(EngineError, match=r"Toy 3\.0 was asked for, and 4\.1 came"):
        provided.install(tmp_path, toy, "3.0")
    assert provided.kept(tmp_path, toy) == []


@pytest.mark.parametrize("version", ["../../x", "", ".hidden", "3.0/..", "a b", "-r", "3.0\n"])
def test_what_is_no_version_is_no_path(tmp_path: Path, toy: type[Engine], version: str) -> None:
    with pytest.raises(UsageError, match="is no version of Toy"):
        provided.install(tmp_path, toy, version)
    assert list(tmp_path.iterdir()) == []


def test_kill_9_leaves_nothing_that_is_seen_and_the_next_one_goes_on(tmp_path: Path, toy: type[Engine]) -> None:
    with start(tmp_path) as process:
        wait_until(lambda: (tmp_path / "client").exists() and (tmp_path / "client").read_text(), "it is half installed")
        client = int((tmp_path / "client").read_text())
        assert (tmp_path / "engines/toy.toy/.3.0.part/half").exists()
        assert provided.kept(tmp_path / "engines", toy) == []
        os.kill(process.pid, signal.SIGKILL)
    # The package client ends with wfx.
    wait_until(lambda: not Path(f"/proc/{client}").exists(), "the package client has ended")
    assert provided.kept(tmp_path / "engines", toy) == []
    kept = provided.install(tmp_path / "engines", toy, "3.0")
    assert not (kept.folder / "half").exists()
    assert {path.name for path in kept.folder.parent.iterdir()} == {provided.LOCK, "3.0"}


def test_two_at_once_install_it_once(tmp_path: Path) -> None:
    with start(tmp_path) as first:
        wait_until(lambda: (tmp_path / "client").exists(), "the first one installs")
        with start(tmp_path) as second:
            assert second.stdout is not None
            assert "waiting for another wfx" in second.stdout.readline()
            (tmp_path / "go").touch()
            told = second.stdout.read()
        assert first.stdout is not None
        assert first.stdout.read().splitlines()[-1] == "3.0"
    assert told.splitlines() == ["3.0"]
    assert (first.returncode, second.returncode) == (0, 0)


@pytest.mark.parametrize("change", ["content", "same size", "gone", "link", "record", "list"])
def test_what_is_no_longer_what_was_installed_is_not_used(tmp_path: Path, toy: type[Engine], change: str) -> None:
    kept = provided.install(tmp_path, toy, "3.0")
    program = kept.folder / "bin/toy"
    match change:
        case "content":
            program.write_text("something longer")
        case "same size":
            program.write_text("toy 3.x")
        case "gone":
            program.unlink()
        case "link":
            (kept.folder / "toy").unlink()
            (kept.folder / "toy").symlink_to("bin/yot")
        case "record":
            (kept.folder / "installation.json").write_text("{")
        case "list":
            (kept.folder / "files.json").unlink()
    with pytest.raises((IntegrityError, EngineError)) as caught:
        provided.find(tmp_path, toy, "3.0")
    assert "install it again" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_file_whose_time_alone_changed_is_what_was_installed(tmp_path: Path, toy: type[Engine]) -> None:
    kept = provided.install(tmp_path, toy, "3.0")
    os.utime(kept.folder / "bin/toy", (1, 1))
    assert provided.find(tmp_path, toy, "3.0") == kept


def test_a_change_that_keeps_size_and_time_is_found_by_reading_all(tmp_path: Path, toy: type[Engine]) -> None:
    kept = provided.install(tmp_path, toy, "3.0")
    info = (kept.folder / "bin/toy").stat()
    (kept.folder / "bin/toy").write_text("toy 3.x")
    os.utime(kept.folder / "bin/toy", ns=(info.st_atime_ns, info.st_mtime_ns))
    provided.check(kept)
    with pytest.raises(IntegrityError, match=r"bin/toy: toy 3\.0 is not what was installed"):
        provided.verify(kept)


def test_one_that_a_run_uses_is_not_removed(tmp_path: Path, toy: type[Engine]) -> None:
    kept = provided.install(tmp_path, toy, "3.0")
    with provided.in_use(kept.installation), pytest.raises(MachineError, match=r"a run uses toy 3\.0"):
        provided.remove(tmp_path, toy, "3.0")
    assert provided.find(tmp_path, toy, "3.0") == kept
    assert provided.remove(tmp_path, toy, "3") == kept
    assert provided.kept(tmp_path, toy) == []
    assert [path.name for path in (tmp_path / "toy.toy").iterdir()] == [provided.LOCK]
    with pytest.raises(UsageError, match="is not kept here"):
        provided.remove(tmp_path, toy, "3.0")


def test_a_folder_without_a_record_is_no_version_and_makes_place_for_one(tmp_path: Path, toy: type[Engine]) -> None:
    (tmp_path / "toy.toy/3.0").mkdir(parents=True)
    (tmp_path / "toy.toy/3.0/rest").write_text("")
    assert provided.kept(tmp_path, toy) == []
    kept = provided.install(tmp_path, toy, "3.0")
    assert not (kept.folder / "rest").exists()
