"""Stage: bring everything of a plan into the run directory, and write down the digest of each as the lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wfx.planning import Plan
from wfx.references import Reference

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Locked:
    """One thing that was staged, and proof of what it is."""

    path: str
    """Relative to the run directory."""
    kind: Literal["file", "directory"]
    sha256: str
    """Of a directory: of its manifest (`wfx.store`)."""
    size: int
    origin: Reference
    """As the user or the workflow gave it."""
    pinned: Reference | None = None
    revision: str = ""
    hops: tuple[Reference, ...] = ()
    media_type: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """What staging adds to the plan."""

    identity: str
    """sha256 over canonical JSON of workflow, inputs, engine with version, images and options that can change a
    result; times, hosts and mirrors stay out of it."""
    items: tuple[Locked, ...]
    """The inputs; the workflow's documents stand in the plan with their digests."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A run directory in which everything of the lock lies."""

    directory: Path
    plan: Plan
    lock: Lock
    needs: tuple[str, ...] = ()
    """Origins that the run itself must still reach: none for an engine of this machine."""
