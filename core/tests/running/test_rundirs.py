"""Who may have a directory, and what it says of its run."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.errors import DefinitionError, MachineError, UsageError
from wfx.journal import Journal, read_journal
from wfx.rundirs import RunDirectory, read_state, status_of

HOLD = """
import sys, time
from pathlib import Path
from wfx.rundirs import RunDirectory
directory = RunDirectory.claim(Path(sys.argv[1]), request="r", name="n")
directory.advance("running")
print("held", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class Thing:
    word: str
    number: int = 0


def claim(path: Path, request: str = "r") -> RunDirectory:
    return RunDirectory.claim(path, request=request, name="n")


def hold(path: Path) -> subprocess.Popen[bytes]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.stdout.close()
    return holder


def everything_below(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


@pytest.mark.parametrize("empty", [True, False])
def test_a_new_or_empty_directory_becomes_a_fresh_run(tmp_path: Path, empty: bool) -> None:
    path = tmp_path / "a" / "b"
    if empty:
        path.mkdir(parents=True)
    with claim(path) as directory:
        assert directory.fresh
        assert directory.state.status == "created"
        assert directory.path == path
        assert {p.name for p in path.iterdir()} == {".wfx", "workflow", "inputs", "outputs", "logs"}
        assert directory.engine_state.is_dir()
        assert directory.tmp.is_dir()


def test_a_run_of_ours_is_taken_over_with_its_state(tmp_path: Path) -> None:
    with claim(tmp_path / "r") as first:
        first.advance("staged", identity="i")
    with claim(tmp_path / "r", request="other") as second:
        assert not second.fresh
        assert second.state.run == first.state.run
        assert (second.state.identity, second.state.request, second.state.status) == ("i", "r", "staged")


@pytest.mark.parametrize("name", ["thesis.doc", ".hidden", ".wfx", "inputs"])
def test_somebody_elses_folder_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text("mine")
    before = everything_below(tmp_path)
    with pytest.raises(UsageError, match="not empty") as caught:
        claim(tmp_path)
    assert caught.value.remedy
    assert everything_below(tmp_path) == before


def test_a_file_or_a_link_is_no_run_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("file", "link"):
        with pytest.raises(UsageError):
            claim(tmp_path / name)
    assert not (tmp_path / "elsewhere").exists()


def test_a_claim_killed_at_its_beginning_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / ".wfx").mkdir()
    (tmp_path / ".wfx" / "lock").touch()
    (tmp_path / ".wfx" / ".wfx-123").write_text("{")
    (tmp_path / "inputs").mkdir()
    with claim(tmp_path) as directory:
        assert directory.fresh


def test_a_second_process_is_told_who_has_the_directory(tmp_path: Path) -> None:
    holder = hold(tmp_path / "r")
    try:
        with pytest.raises(MachineError, match=f"in use by process {holder.pid} since 20") as caught:
            claim(tmp_path / "r")
        assert caught.value.exit_code == 9
        assert status_of(tmp_path / "r") == "running"
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_is_interrupted_and_can_be_taken(tmp_path: Path, number: int) -> None:
    holder = hold(tmp_path / "r")
    holder.send_signal(number)
    holder.wait()
    assert status_of(tmp_path / "r") == "interrupted"
    with claim(tmp_path / "r") as directory:
        assert directory.state.status == "running"


def test_a_process_id_alone_makes_no_run_alive(tmp_path: Path) -> None:
    with claim(tmp_path / "r") as directory:
        directory.advance("running")
        assert status_of(directory.path) == "running"
    # The process that it names, this one, is alive; but nobody holds the lock.
    state = read_state(directory.path)
    assert state is not None
    assert state.owner.pid == os.getpid()
    assert status_of(directory.path) == "interrupted"


@pytest.mark.parametrize("status", ["staged", "completed", "failed", "interrupted"])
def test_a_settled_status_stays(tmp_path: Path, status: str) -> None:
    with claim(tmp_path / "r") as directory:
        directory.advance(status)  # type: ignore[arg-type]
    assert status_of(directory.path) == status


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(fd: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(MachineError, match="does not support locks") as caught:
        claim(tmp_path / "r")
    assert caught.value.remedy


def test_an_unwritable_parent_is_named(tmp_path: Path) -> None:
    # Linux lets nobody make a folder in there, root neither.
    parent = Path("/proc/self") if sys.platform == "linux" else tmp_path
    if sys.platform != "linux":
        tmp_path.chmod(0o500)
    with pytest.raises(MachineError) as caught:
        claim(parent / "new" / "run")
    assert "cannot be made in" in str(caught.value)
    assert caught.value.exit_code == 9


def test_abandon_takes_everything_away_again(tmp_path: Path) -> None:
    directory = claim(tmp_path / "runs" / "r")
    sealed = directory.inputs / "folder"
    sealed.mkdir()
    (sealed / "file").write_text("x")
    (sealed / "file").chmod(0o444)
    sealed.chmod(0o500)
    directory.write_atomic("plan.json", b"{}")
    directory.abandon()
    assert everything_below(tmp_path) == []


def test_abandon_leaves_a_folder_that_was_there_and_a_strangers_file(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    claim(tmp_path / "r").abandon()
    assert everything_below(tmp_path) == ["r"]
    directory = claim(tmp_path / "r")
    (tmp_path / "r" / "mine.txt").write_text("x")
    directory.abandon()
    assert everything_below(tmp_path) == ["r", "r/mine.txt"]


def test_records_come_back(tmp_path: Path) -> None:
    with claim(tmp_path / "r") as directory:
        directory.save("thing", Thing("a\udcffb", 2))
        assert directory.load("thing", Thing) == Thing("a\udcffb", 2)
        with pytest.raises(DefinitionError, match="no plan yet"):
            directory.load("plan", Thing)
        (directory.state_folder / "thing.json").write_text('{"word": ')
        with pytest.raises(DefinitionError, match="not the JSON"):
            directory.load("thing", Thing)


def test_an_atomic_write_follows_no_link_of_an_engine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "file").write_text("precious")
    with claim(tmp_path / "r") as directory:
        directory.outputs.rmdir()
        directory.outputs.symlink_to(home)
        with pytest.raises(MachineError):
            directory.write_atomic("outputs/file", b"x")
        (directory.logs / "file").symlink_to(home / "file")
        directory.write_atomic("logs/file", b"new")
        assert (directory.logs / "file").read_bytes() == b"new"
        directory.clear("outputs")
    assert (home / "file").read_text() == "precious"


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    with claim(tmp_path / "r") as directory:
        directory.write_atomic("a/b/file", b"old")
        (directory.path / "a" / "b" / "folder" / "in").mkdir(parents=True)
        with pytest.raises(MachineError) as caught:
            directory.write_atomic("a/b/folder", b"x")
        assert "a/b/folder" in str(caught.value)
        assert sorted(p.name for p in (directory.path / "a" / "b").iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    "name", ["with space", "-n", "--", "new\nline", "ünïcode 🧬", "a" * 255, "per%cent", "quote'\"", "\udcff"]
)
def test_strange_names_are_directories_like_any(tmp_path: Path, name: str) -> None:
    with claim(tmp_path / name) as directory:
        directory.advance("completed")
    assert status_of(tmp_path / name) == "completed"


def test_umask_is_respected(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with claim(tmp_path / "r") as directory:
            directory.write_atomic("plan.json", b"{}")
            assert [p for p in directory.path.rglob("*") if p.stat().st_mode & 0o077] == []
    finally:
        os.umask(before)


def test_restart_is_a_new_run_with_nothing_of_the_old(tmp_path: Path) -> None:
    with claim(tmp_path / "r") as directory:
        old = directory.state.run
        (directory.outputs / "x").write_text("x")
        directory.advance("completed", identity="i", attempts=3)
        directory.restart()
        assert directory.state.run != old
        assert (directory.state.status, directory.state.identity, directory.state.attempts) == ("created", None, 0)
        assert list(directory.outputs.iterdir()) == []
        assert next(directory.journal.read())["run"] == directory.state.run


# -- the journal


def test_the_journal_begins_with_schema_and_run_and_times_everything(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "id")
    journal.append({"event": "step", "n": 1})
    first, second = journal.read()
    assert (first["schema"], first["run"]) == (1, "id")
    assert second["n"] == 1
    assert second["time"].endswith("+00:00")
    journal.close()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 200))
def test_a_journal_cut_anywhere_keeps_its_whole_lines_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = Journal(path, "id")
    for number in range(3):
        journal.append({"event": "step", "n": number, "text": "ü\n"})
    journal.close()
    data = path.read_bytes()[: -cut or None]
    path.write_bytes(data)
    whole = [json.loads(line) for line in data.split(b"\n")[:-1]]
    again = Journal(path, "id")
    again.append({"event": "status", "status": "running"})
    again.close()
    events = [event for event in read_journal(path) if event["event"] != "journal"]
    assert events[-1]["status"] == "running"
    # A last line that lacks nothing but its end is whole as well.
    assert [e["n"] for e in events[:-1]][: len(whole) - 1] == [e["n"] for e in whole if e["event"] == "step"]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none")) == []
