"""Run directories: one folder a run, which becomes the crate; its state lies in `.wfx` and stays out of it.

A run is alive as long as somebody holds its lock (flock(2) on `.wfx/lock`), never because a number in a file happens to
be the id of some process. The lock is handed on to the supervisor, which keeps it until the engine's last process is
dead; so whoever gets the lock has the directory for himself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from wfx.errors import DefinitionError, MachineError, UsageError
from wfx.journal import Journal
from wfx.locks import Lock, LockHeld, Owner
from wfx.planning import now
from wfx.records import decode, encode

T = TypeVar("T")

SCHEMA = 1
STATE = ".wfx"

Status = Literal["created", "planned", "staged", "running", "completed", "failed", "interrupted"]

FOLDERS = ("workflow", "inputs", "outputs", "logs")
COMPARISON = "comparison.json"
# What wfx and its exporters write into the top of a run directory; anything else there is somebody else's.
OWN_NAMES = frozenset({
    STATE, *FOLDERS, "plan.json", "lock.json", "inputs.json", "ro-crate-metadata.json", "ro-crate-preview.html",
    "ro-crate-preview_files", COMPARISON,
})  # fmt: skip
OWN_PREFIXES = ("inputs-as-given.", ".wfx-")


@dataclass(frozen=True, slots=True)
class RunState:
    """What `.wfx/run.json` says of a run."""

    run: str
    """Id, a UUID."""
    name: str
    request: str
    """sha256 over what was asked for."""
    status: Status
    created: str
    identity: str | None = None
    """sha256 over what is run; known once it is staged."""
    attempts: int = 0
    wfx: str = ""
    """Version that wrote this."""
    owner: Owner = Owner()
    """The process that had the directory last."""
    schema: int = SCHEMA


@contextlib.contextmanager
def machine_errors(remedy: str | None = None) -> Iterator[None]:
    """Turn what the operating system refuses into a MachineError that names the path."""
    try:
        yield
    except OSError as error:
        raise MachineError.of(error, remedy) from error


class RunDirectory:
    """A run's directory, held by its lock until `release`. Made by `claim` or `reopen`, not by itself."""

    def __init__(self, path: Path, lock: Lock, state: RunState, *, fresh: bool, made: tuple[Path, ...] = ()) -> None:
        self.path = path
        self.fresh = fresh
        """Whether this process made it; then `abandon` may take it away again."""
        self._lock = lock
        self._state = state
        self._made = made
        self._journal: Journal | None = None

    # -- taking one

    @classmethod
    def claim(cls, path: Path, *, request: str, name: str) -> RunDirectory:
        """Make the directory, or take over an empty one or a run of ours; the caller compares its `state`.

        Raises UsageError for somebody else's folder, in which nothing is touched, and MachineError where another
        process has it, where it cannot be written, or where the file system has no locks.
        """
        path = _absolute(path)
        _refuse_foreign(path)
        made = _make_folders(path)
        lock = _take_lock(path)
        try:
            state = read_state(path)
            if state is not None:
                directory = cls(path, lock, state, fresh=False)
                directory._update(owner=Owner.this())
                return directory
            _refuse_foreign(path)
            state = RunState(str(uuid.uuid4()), name, request, "created", now(), wfx=_version(), owner=Owner.this())
            directory = cls(path, lock, state, fresh=True, made=made)
            with machine_errors():
                for folder in FOLDERS:
                    (path / folder).mkdir(exist_ok=True)
                for folder in ("engine", "tmp"):
                    (path / STATE / folder).mkdir(exist_ok=True)
            directory.save("run", state)
            directory.journal.append({"event": "created", "name": name, "request": request})
        except BaseException:
            lock.release()
            raise
        return directory

    @classmethod
    def reopen(cls, path: Path) -> RunDirectory:
        """Take the run that lies in `path`. Raises UsageError where there is none, MachineError where it is in use."""
        path = _absolute(path)
        if read_state(path) is None:
            raise UsageError("there is no run here", where=str(path), remedy="see `wfx runs list`")
        lock = _take_lock(path)
        state = read_state(path)
        if state is None:
            lock.release()
            raise UsageError("the run has just been removed", where=str(path))
        directory = cls(path, lock, state, fresh=False)
        directory._update(owner=Owner.this())
        return directory

    def release(self) -> None:
        """Let go of the directory. A supervisor that is still at work keeps the lock until it has finished."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._lock.release()

    def abandon(self) -> None:
        """Take away a fresh directory again, with the folders above it that were made for it, and release it."""
        assert self.fresh
        with machine_errors():
            remove_contents(self.path, OWN_NAMES)
            self.release()
            for folder in self._made:
                try:
                    folder.rmdir()
                except OSError:
                    break  # somebody has put something there

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    # -- where things lie

    @property
    def workflow(self) -> Path:
        """The workflow's documents."""
        return self.path / "workflow"

    @property
    def inputs(self) -> Path:
        """The staged inputs."""
        return self.path / "inputs"

    @property
    def outputs(self) -> Path:
        """The results, as real files."""
        return self.path / "outputs"

    @property
    def logs(self) -> Path:
        """Logs that belong to the run."""
        return self.path / "logs"

    @property
    def state_folder(self) -> Path:
        """What wfx keeps for itself: never exported."""
        return self.path / STATE

    @property
    def engine_state(self) -> Path:
        """The engine's work directory, HOME and caches, kept for a resume."""
        return self.path / STATE / "engine"

    @property
    def tmp(self) -> Path:
        """Temporary files of the engine."""
        return self.path / STATE / "tmp"

    @property
    def lock_fd(self) -> int:
        """Return the descriptor that holds the lock, for a supervisor to inherit."""
        return self._lock.fd

    # -- what is known of it

    @property
    def state(self) -> RunState:
        """What `.wfx/run.json` says."""
        return self._state

    @property
    def journal(self) -> Journal:
        """What happened, one JSON line each; open for appending."""
        if self._journal is None:
            self._journal = Journal(self.state_folder / "journal.jsonl", self.state.run)
        return self._journal

    def advance(self, status: Status, *, identity: str | None = None, attempts: int | None = None) -> None:
        """Note that the run has come to `status`, in `run.json` and in the journal, durably."""
        changes: dict[str, Any] = {"status": status}
        if identity is not None:
            changes["identity"] = identity
        if attempts is not None:
            changes["attempts"] = attempts
        self._update(**changes)
        self.journal.append({"event": "status", **changes})

    def _update(self, **changes: Any) -> None:
        self._state = dataclasses.replace(self._state, **changes)
        self.save("run", self._state)

    def save(self, kind: str, value: object) -> None:
        """Write a record (`plan`, `lock`, `record`) into the state folder."""
        text = json.dumps(encode(value), ensure_ascii=False, separators=(",", ":"))
        self.write_atomic(f"{STATE}/{kind}.json", text.encode("utf-8", "surrogateescape"))

    def load(self, kind: str, cls: type[T]) -> T:
        """Read a record back. Raises DefinitionError where it is missing or broken."""
        return load_record(self.path, kind, cls)

    def write_atomic(self, relative: str, data: bytes) -> None:
        """Write a file whole and durably, or not at all. Its folder is made; no link on the way is followed."""
        *folders, name = relative.split("/")
        with machine_errors(), _opened_folder(self.path, folders) as folder:
            temporary = f".wfx-{uuid.uuid4().hex[:12]}"
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with open(os.open(temporary, flags, 0o666, dir_fd=folder), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                error.filename = str(self.path / relative)
                raise
            os.fsync(folder)

    def restart(self) -> None:
        """Make it a new run of the same request: what the last one left is removed, and it gets an id of its own."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        # First of all, so that a crash in the middle leaves no run that says it is complete.
        self._update(run=str(uuid.uuid4()), status="created", created=now(), identity=None, attempts=0)
        with machine_errors():
            for folder in (*FOLDERS, f"{STATE}/engine", f"{STATE}/tmp"):  # noqa: S108 (below .wfx)
                self.clear(folder)
            for kind in ("journal.jsonl", "record.json", "plan.json", "lock.json"):
                (self.state_folder / kind).unlink(missing_ok=True)
            (self.path / COMPARISON).unlink(missing_ok=True)
        self.journal.append({"event": "created", "name": self.state.name, "request": self.state.request})

    def has(self, kind: str) -> bool:
        """Say whether a record has been saved."""
        return (self.state_folder / f"{kind}.json").is_file()

    def clear(self, folder: str) -> None:
        """Empty one of the run's own folders, read-only parts too; links in it are removed, not followed."""
        assert folder in FOLDERS or folder.startswith(STATE + "/")
        with machine_errors():
            _remove(self.path / folder)
            (self.path / folder).mkdir(parents=True)


# -- looking at a directory without taking it


def read_state(path: Path) -> RunState | None:
    """Read `.wfx/run.json`; None where there is no run. Raises DefinitionError for a broken one."""
    try:
        return load_record(path, "run", RunState)
    except FileNotFoundError:
        return None


def load_record(path: Path, kind: str, cls: type[T]) -> T:
    """Read `.wfx/KIND.json` of the run in `path`, without its lock."""
    file = path / STATE / f"{kind}.json"
    try:
        data = json.loads(file.read_bytes().decode("utf-8", "surrogateescape"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if kind == "run":
            raise FileNotFoundError(str(file)) from error
        raise DefinitionError(f"the run has no {kind} yet", where=str(path), remedy="run it again") from error
    except OSError as error:
        raise MachineError.of(error) from error
    except ValueError as error:
        raise DefinitionError("not the JSON that wfx writes", where=str(file), why=str(error)) from error
    return decode(cls, data, str(file))


def status_of(path: Path) -> Status:
    """Return what a run is doing, whoever died meanwhile: an unfinished run that nobody holds is `interrupted`.

    Raises UsageError where there is no run.
    """
    state = read_state(path)
    if state is None:
        raise UsageError("there is no run here", where=str(path))
    if state.status in ("completed", "failed", "interrupted", "staged"):
        return state.status
    held = Lock.is_held(path / STATE / "lock")
    # The supervisor of a dead wfx holds the lock for as long as it cleans up; the run is over all the same.
    return state.status if held and state.owner.may_be_alive() else "interrupted"


def foreign_names(path: Path) -> list[str]:
    """Return what lies at the top of a run directory and was not made by wfx."""
    with machine_errors():
        names = sorted(item.name for item in path.iterdir())
    return [name for name in names if not _is_own(name)]


def _is_own(name: str) -> bool:
    return name in OWN_NAMES or name.startswith(OWN_PREFIXES)


def remove_contents(path: Path, names: Iterable[str]) -> None:
    """Remove what wfx made in a run directory, `.wfx` last, so that a removal that was interrupted can go on."""
    present = [name for name in [item.name for item in path.iterdir()] if _is_own(name) or name in names]
    for name in sorted(present, key=lambda name: name == STATE):
        _remove(path / name)


def _remove(path: Path) -> None:
    """Remove a file, a link or a tree; folders that were made read-only are opened first."""

    def retry(function: Any, name: str, _: Any) -> None:
        for folder in (str(Path(name).parent), name):
            if stat.S_ISDIR(os.lstat(folder).st_mode):
                os.chmod(folder, 0o700)
        if function in (os.open, os.scandir, os.lstat):
            shutil.rmtree(name, onerror=retry)
        else:
            function(name)

    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path, onerror=retry)
    else:
        path.unlink()


# -- taking a directory


def _absolute(path: Path) -> Path:
    """Resolve the links above the last part, which itself must be no link."""
    path = Path(os.path.abspath(path))
    with machine_errors():
        if path.is_symlink():
            raise UsageError(
                "a run directory cannot be a symbolic link", where=str(path), remedy=f"name {path.resolve()}"
            )
        return path.parent.resolve() / path.name


def _refuse_foreign(path: Path) -> None:
    try:
        names = [item.name for item in path.iterdir()]
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UsageError("not a folder", where=str(path), remedy="choose another run directory with -o") from None
    except OSError as error:
        raise MachineError.of(error) from error
    if not names or read_state(path) is not None or _unborn(path, names):
        return
    raise UsageError(
        "the folder is not empty, and no run of wfx", where=str(path),
        remedy="choose another run directory with -o, or an empty one",
    )  # fmt: skip


def _unborn(path: Path, names: list[str]) -> bool:
    """Say whether it is a claim of ours that was killed before it had written its first record."""
    state = path / STATE
    if not set(names) <= {STATE, *FOLDERS} or state.is_symlink() or not state.is_dir():
        return False
    with machine_errors():
        names = [item.name for item in state.iterdir()]
    return all(name in ("lock", "engine", "tmp") or name.startswith(".wfx-") for name in names)


def _make_folders(path: Path) -> tuple[Path, ...]:
    """Make the directory and the folders above it; return those that were not there, innermost first."""
    made: list[Path] = []
    missing = path
    while not os.path.lexists(missing):
        made.append(missing)
        missing = missing.parent
    try:
        for folder in reversed(made):
            folder.mkdir(exist_ok=True)
        (path / STATE).mkdir(exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"the run directory cannot be made in {missing}", where=str(path), why=error.strerror,
            remedy="choose another with -o",
        ) from error  # fmt: skip
    return tuple(made)


def _take_lock(path: Path) -> Lock:
    def owner() -> Owner:
        state = read_state(path)
        return state.owner if state is not None else Owner()

    try:
        return Lock.take(path / STATE / "lock", owner)
    except LockHeld as held:
        raise MachineError(f"the run directory is in use by {held}", where=str(path), remedy="wait for it") from held


@contextlib.contextmanager
def _opened_folder(path: Path, folders: list[str]) -> Iterator[int]:
    """Open a folder below `path` one part at a time: a link that an engine may have put in the way is refused."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    current = os.open(path, flags)
    try:
        for part in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=current)
            following = os.open(part, flags | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _version() -> str:
    from wfx import __version__

    return __version__
