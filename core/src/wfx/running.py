"""Run: execute a staged run with its engine, and record what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from wfx.engines import StepEvent
from wfx.net import Contact
from wfx.planning import Plan
from wfx.staging import Lock
from wfx.values import Values

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Agent:
    """Who ran it; from the configuration or git's."""

    name: str
    orcid: str = ""
    """URI."""
    email: str = ""
    affiliation: str = ""
    affiliation_url: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """What only a person can say of a crate; from the configuration."""

    licence: str = ""
    """SPDX identifier or URI."""
    publisher: str = ""
    publisher_url: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What happened, in full: all that an exporter needs. Every path is relative to the run directory."""

    run: str
    """The run's id, unique: `3f2a9c1d-…`."""
    plan: Plan
    lock: Lock
    status: Literal["completed", "failed", "interrupted"]
    started: str
    """Of the engine, ISO 8601 with zone."""
    ended: str
    exit_code: int
    outputs: Values = field(default_factory=dict)
    events: tuple[StepEvent, ...] = ()
    """End events only, in the order of their ends; one for each real execution, earlier attempts included."""
    command: tuple[str, ...] = ()
    error: str = ""
    logs: tuple[str, ...] = ()
    """Paths of log files relative to the run directory."""
    agent: Agent | None = None
    publication: Publication = Publication()
    contacts: tuple[Contact, ...] = ()
    attempts: int = 1
    sandbox: str = ""
    """`bubblewrap 0.8.0` or `none`."""
    platform: str = ""
    """Operating system, architecture, Python; no host name."""
    inputs_file: str = ""
    """The inputs file as the user wrote it, relative to the run directory, without paths of this machine."""
    schema: int = SCHEMA
