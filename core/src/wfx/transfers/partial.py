"""A file that has come in part, and what is known of it: kept beside it, so that the next attempt goes on."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wfx.errors import MachineError


@dataclass(slots=True)
class PartialFile:
    """What of a partial file is here: sorted ranges `[start, stop)` that do not touch."""

    path: Path
    total: int | None = None
    validator: str | None = None
    done: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def load(cls, partial: Path) -> PartialFile:
        """Read it from beside the partial file; what cannot be read counts as nothing."""
        state = cls(partial)
        try:
            data = json.loads(partial.with_name(partial.name + ".json").read_bytes())
            size = partial.stat().st_size
            state.total, state.validator = data["total"], data["validator"]
            state.done = [(int(start), int(stop)) for start, stop in data["done"] if 0 <= start < stop <= size]
        except (OSError, ValueError, KeyError, TypeError):
            state.done = []
        return state

    def save(self, descriptor: int) -> None:
        """Write it, after the bytes that it speaks of are on the disk."""
        os.fdatasync(descriptor) if hasattr(os, "fdatasync") else os.fsync(descriptor)
        target = self.path.with_name(self.path.name + ".json")
        temporary = target.with_name(target.name + f".{os.getpid()}")
        value = {"total": self.total, "validator": self.validator, "done": self.done}
        temporary.write_text(json.dumps(value))
        temporary.replace(target)

    def clear(self) -> None:
        """Forget everything, and remove the files."""
        self.done, self.total, self.validator = [], None, None
        for path in (self.path, self.path.with_name(self.path.name + ".json")):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def prefix(self) -> int:
        """Return how much of the beginning is here."""
        return self.done[0][1] if self.done and self.done[0][0] == 0 else 0

    def add(self, start: int, stop: int) -> None:
        """Enter a range."""
        if start == stop:
            return
        merged: list[tuple[int, int]] = []
        for other in sorted([*self.done, (start, stop)]):
            if merged and other[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], other[1]))
            else:
                merged.append(other)
        self.done = merged

    def missing(self) -> list[tuple[int, int]]:
        """Return what is not here, where the total is known."""
        assert self.total is not None
        gaps, position = [], 0
        for start, stop in self.done:
            if position < start:
                gaps.append((position, start))
            position = stop
        if position < self.total:
            gaps.append((position, self.total))
        return gaps


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Tell a full disk from a broken connection, which is an OSError too."""
    try:
        yield
    except OSError as error:
        raise MachineError.of(error) from error
