"""What an engine tells of a run: an event for each execution of a step, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wfx.values import JsonValue, Values

SCHEMA = 1

StepState = Literal["started", "completed", "failed", "skipped", "cached"]


@dataclass(frozen=True, slots=True)
class StepEvent:
    """What happened to one execution of one step. A scatter has one for each instance.

    `started` comes when it begins; one of the others when it ends, with all fields filled. `cached` is the end of an
    execution whose outputs an earlier attempt at the same run had made. Times are ISO 8601 with a zone.
    """

    id: str
    """Unique in the run: `count`, `count_2` for the second instance of a scatter, `sub/align_3`."""
    step: str
    """Id of the Step in the description; empty where the engine knows none (a lone tool)."""
    state: StepState
    time: str
    attempt: int = 1
    parent: str = ""
    """Id of the execution of the subworkflow that it belongs to; empty for the main workflow."""
    tool: str = ""
    name: str = ""
    started: str = ""
    ended: str = ""
    exit_code: int | None = None
    command: tuple[str, ...] = ()
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    """Values by local name; files with `location` relative to the run directory where they lie in it, else with
    `basename`, `checksum`, `size`."""
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)
    """`cpu_seconds`, `wall_seconds`, `max_memory_bytes`, `cores`."""
    image: str | None = None
    image_digest: str | None = None
    log: str = ""
    """Path of its output for people, relative to the run directory."""
    error: str = ""
    """Why it failed, a few lines."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class WorkflowForm:
    """The workflow in another language, as a file that the engine has written beside its documents."""

    path: str
    """Relative to the run directory."""
    name: str
    """For people: `Abstract CWL of count`."""
    media_type: str
    language: str = ""
    """`cwl`, `galaxy`: key of a language of wfx."""
    abstract: bool = False
    """Whether it only tells of steps, and cannot be run."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How the engine's run ended."""

    status: Literal["completed", "failed"]
    exit_code: int
    outputs: Values
    """Files with `location` relative to the run directory, `checksum` and `size`."""
    command: tuple[str, ...] = ()
    """The equivalent command line, for people; paths relative to the run directory."""
    error: str = ""
    forms: tuple[WorkflowForm, ...] = ()
    warnings: tuple[str, ...] = ()
    """What the user should know of a run that has ended, such as an image that was used and not planned."""
