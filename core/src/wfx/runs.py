"""The register of runs: where each run of this user lies, and what it is doing, whatever became of it meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wfx.errors import DefinitionError, MachineError, UsageError, WfxError
from wfx.records import decode, encode
from wfx.rundirs import (
    OWN_NAMES,
    RunDirectory,
    RunState,
    Status,
    foreign_names,
    machine_errors,
    read_state,
    remove_contents,
    status_of,
)

SCHEMA = 1
SHORTEST_PREFIX = 4


@dataclass(frozen=True, slots=True)
class RunEntry:
    """What the register keeps of a run."""

    run: str
    """Id, a UUID."""
    name: str
    directory: Path
    """Absolute."""
    created: str
    workflow: str = ""
    """The workflow's reference, without secrets."""
    identity: str | None = None
    schema: int = SCHEMA


# `missing`: nothing lies there any more. `replaced`: another run does. `broken`: its state cannot be read.
RegisteredStatus = Status | Literal["missing", "replaced", "broken"]


@dataclass(frozen=True, slots=True)
class RegisteredRun:
    """A run as the register knows it, with what its directory says at this moment."""

    entry: RunEntry
    status: RegisteredStatus
    state: RunState | None = None
    """None unless the run is where the register says."""

    @property
    def directory(self) -> Path:
        """Where it lies, or lay."""
        return self.entry.directory


class Register:
    """The register below a state folder; one small file a run, so that many processes can write at once."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "runs"

    def register(self, entry: RunEntry, digests: Iterable[str] | None = None) -> None:
        """Enter a run, or renew its entry. `digests` are the stored things that it needs (`cache gc` keeps them)."""
        with machine_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            if digests is not None:
                self._write(f"{entry.run}.digests", "".join(f"{digest}\n" for digest in sorted(set(digests))))
            self._write(f"{entry.run}.json", json.dumps(encode(entry), ensure_ascii=False))

    def enter(self, directory: RunDirectory, workflow: str = "", digests: Iterable[str] | None = None) -> None:
        """Enter the run of a directory that this process holds."""
        state = directory.state
        entry = RunEntry(state.run, state.name, directory.path, state.created, workflow, state.identity)
        self.register(entry, digests)

    def forget(self, run: str) -> None:
        """Take a run out of the register; its directory stays as it is."""
        with machine_errors():
            for ending in ("digests", "json"):
                (self.folder / f"{run}.{ending}").unlink(missing_ok=True)

    def list(self) -> list[RegisteredRun]:
        """Return all runs, the newest first, each with what is true of it now."""
        runs = [_look(entry) for entry in self._entries()]
        return sorted(runs, key=lambda run: run.entry.created, reverse=True)

    def find(self, text: str) -> RegisteredRun:
        """Return the run with this id (or its first four letters or more), name, or directory.

        A run directory that was moved, or that came from elsewhere, is found by its path and entered anew. Raises
        UsageError, with near misses, where there is none, or more than one.
        """
        entries = list(self._entries())
        chosen = [entry for entry in entries if entry.run == text]
        if not chosen and len(text) >= SHORTEST_PREFIX:
            chosen = [entry for entry in entries if entry.run.startswith(text.lower())]
        if not chosen:
            chosen = [entry for entry in entries if entry.name == text]
        if not chosen and (at_path := self._at_path(Path(text), entries)):
            chosen = [at_path]
        if len(chosen) > 1:
            several = ", ".join(f"{entry.run[:8]} ({entry.created[:16]})" for entry in chosen[-5:])
            raise UsageError(f"{len(chosen)} runs match '{text}'", why=several, remedy="give more of the id")
        if not chosen:
            words = [entry.name for entry in entries] + [entry.run[:8] for entry in entries]
            near = difflib.get_close_matches(text, sorted(set(words)), 3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "see `wfx runs list`"
            raise UsageError(f"no run '{text}'", remedy=remedy)
        return _look(chosen[0])

    def find_finished(self, identity: str) -> RegisteredRun | None:
        """Return the newest completed run of an identity that is still where it was."""
        for run in self.list():
            if run.status == "completed" and run.state is not None and run.state.identity == identity:
                return run
        return None

    def remove(self, run: RegisteredRun) -> None:
        """Delete a run's directory and its entry; of a run that is gone, the entry alone.

        Nothing is deleted that wfx did not make: raises UsageError where foreign files lie in the directory, or where
        another run does; MachineError while it is running. No link is followed.
        """
        path = run.directory
        if run.status in ("missing", "replaced"):
            self.forget(run.entry.run)
            return
        if run.status == "broken":
            raise UsageError(
                "its state cannot be read, so nothing is deleted", where=str(path), remedy="delete it yourself"
            )
        with RunDirectory.reopen(path) as directory:
            if directory.state.run != run.entry.run:
                raise UsageError("another run lies there now", where=str(path))
            if foreign := foreign_names(path):
                names = ", ".join(foreign[:5])
                raise UsageError(f"there are files that wfx did not make: {names}", where=str(path), remedy="move them")
            with machine_errors():
                remove_contents(path, OWN_NAMES)
                # The working directory of a shell, or a folder that others may not write: empty is good enough.
                with contextlib.suppress(OSError):
                    path.rmdir()
        self.forget(run.entry.run)

    def digests(self) -> set[str]:
        """Return what the runs that still exist need of the store."""
        kept: set[str] = set()
        for run in self.list():
            if run.status != "missing":
                try:
                    kept.update((self.folder / f"{run.entry.run}.digests").read_text().split())
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise MachineError.of(error) from error
        return kept

    # -- files

    def _entries(self) -> Iterator[RunEntry]:
        try:
            files = sorted(self.folder.glob("*.json"))
        except OSError as error:
            raise MachineError.of(error) from error
        for file in files:
            try:
                yield decode(RunEntry, json.loads(file.read_bytes().decode("utf-8", "surrogateescape")), str(file))
            except FileNotFoundError:
                continue  # another wfx has just removed it
            except (OSError, ValueError, DefinitionError):
                # The entry of a crash or of a later version: the others are worth showing all the same.
                continue

    def _at_path(self, path: Path, entries: Iterable[RunEntry]) -> RunEntry | None:
        try:
            state = read_state(path)
        except WfxError:
            return None
        if state is None:
            return None
        path = path.resolve()
        known = next((entry for entry in entries if entry.run == state.run), None)
        if known is not None and known.directory == path:
            return known
        if known is not None and _look(known).state is not None:
            # A copy: the first one keeps its place in the register.
            return dataclasses.replace(known, directory=path)
        workflow = known.workflow if known is not None else ""
        entry = RunEntry(state.run, state.name, path, state.created, workflow, state.identity)
        self.register(entry)
        return entry

    def _write(self, name: str, text: str) -> None:
        temporary = self.folder / f".{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.folder / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _look(entry: RunEntry) -> RegisteredRun:
    """Say what is true of an entry now."""
    try:
        state = read_state(entry.directory)
        if state is None:
            return RegisteredRun(entry, "missing")
        if state.run != entry.run:
            return RegisteredRun(entry, "replaced")
        return RegisteredRun(entry, status_of(entry.directory), state)
    except WfxError:
        return RegisteredRun(entry, "broken")
