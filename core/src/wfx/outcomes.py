"""How to run, what is told meanwhile, and what comes of it: the values that go in and out of `wfx.flow`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wfx.engines import StepEvent
from wfx.planning import Plan
from wfx.rundirs import RunDirectory
from wfx.running import RunRecord
from wfx.staging import Lock
from wfx.values import JsonValue, Values
from wfx.valuetypes import map_files

if TYPE_CHECKING:
    from wfx.closures import Closure


class Reporter(Protocol):
    """What is told while a run goes on; the command line shows it."""

    def phase(self, text: str) -> None:
        """A stage begins."""

    def step(self, event: StepEvent) -> None:
        """A step began or ended."""

    def warn(self, text: str) -> None:
        """Something that the user should know, though it goes on."""


class Silent:
    """Tells nothing."""

    def phase(self, text: str) -> None:
        """Ignore it."""

    def step(self, event: StepEvent) -> None:
        """Ignore it."""

    def warn(self, text: str) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: everything that is not part of what is run."""

    outdir: Path | None = None
    runs: Path = Path("wfx-runs")
    """Where run directories go that have no `outdir`."""
    force: bool = False
    allow_local: bool = False
    trust: bool = False
    stage_only: bool = False
    export: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    directory: Path
    run: str
    plan: Plan
    lock: Lock
    record: RunRecord | None = None
    """None where it was only staged."""
    reused: bool = False
    """Whether the finished run of the same identity answered."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A definition of which everything is in the store."""

    plan: Plan
    lock: Lock
    closure: Closure
    values: Values
    """The inputs with absolute locations, as they are before the engine binds them."""


def finished(directory: RunDirectory, plan: Plan, lock: Lock, options: Options) -> Outcome | None:
    """Return the outcome of the finished run that the directory holds, if its outputs are still there."""
    state = directory.state
    if options.force or state.status != "completed" or state.identity != lock.identity or not directory.has("record"):
        return None
    record = directory.load("record", RunRecord)
    if not (directory.path / "ro-crate-metadata.json").is_file() or not _intact(record.outputs, directory.path):
        return None
    return Outcome(directory.path, state.run, record.plan, record.lock, record, reused=True)


def _intact(outputs: Values, directory: Path) -> bool:
    """Say whether each output file is there with its size: what a stat can tell."""
    good = True

    def look(item: dict[str, JsonValue], path: tuple[str | int, ...]) -> JsonValue:
        nonlocal good
        location = item.get("location")
        if isinstance(location, str) and "://" not in location:
            try:
                info = (directory / location).stat()
            except OSError:
                good = False
            else:
                good = good and (item.get("size") in (None, info.st_size) or item["class"] == "Directory")
        return item

    map_files(outputs, look)
    return good
