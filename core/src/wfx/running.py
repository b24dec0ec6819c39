"""Run: execute a staged run with its engine, and record what happened."""

from __future__ import annotations

import dataclasses
import json
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wfx.engines import Engine, EngineResult, StepEvent, WorkflowForm
from wfx.errors import Interrupted, WfxError
from wfx.expectedoutputs import files_below, unmet
from wfx.journal import last_handle
from wfx.net import Contact
from wfx.planning import Plan, now
from wfx.records import decode, encode
from wfx.redaction import redact
from wfx.staging import Lock, StagedRun
from wfx.values import JsonValue, Values

if TYPE_CHECKING:
    from wfx.config import Config
    from wfx.rundirs import RunDirectory

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
class ComparedWith:
    """What came of holding a run against the one that it repeats."""

    original: str
    """Address or identifier of the original crate; empty where it has neither."""
    name: str
    identifier: str
    """Of the original crate: `urn:uuid:…`."""
    reproduced: bool
    summary: str
    """`reproduced, 7 of 7 outputs identical`."""
    file: str
    """The comparison in full, relative to the run directory."""
    time: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What happened, in full: all that an exporter needs. Every path is relative to the run directory."""

    run: str
    """The run's id, unique: `3f2a9c1d-…`."""
    plan: Plan
    lock: Lock
    status: Literal["completed", "failed", "interrupted", "staged"]
    """`staged`: it has not begun."""
    started: str
    """Of the engine, ISO 8601 with zone; empty where it has not begun."""
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
    comparison: ComparedWith | None = None
    """Of a run that repeats another."""
    forms: tuple[WorkflowForm, ...] = ()
    """The workflow in other languages."""
    warnings: tuple[str, ...] = ()
    """What the engine says of the run that the plan did not foresee, and expectations that the outputs do not meet."""
    schema: int = SCHEMA


ENDS = frozenset({"completed", "failed", "skipped", "cached"})


def execute(
    directory: RunDirectory,
    staged: StagedRun,
    engine: Engine,
    *,
    config: Config,
    sandbox: str,
    contacts: Callable[[], tuple[Contact, ...]] = tuple,
    on_event: Callable[[StepEvent], None] = lambda event: None,
) -> RunRecord:
    """Run a staged run with its engine, journal what happens, and return the record; it is saved in the directory too.

    A failing workflow gives a record with status `failed`. When a signal stops it the record says `interrupted`, is
    saved, and Interrupted goes on to the caller. Raises EngineError when the engine itself breaks, after the failed
    record has been saved.
    """
    earlier = _finished_before(directory)
    attempt = directory.state.attempts + 1
    directory.advance("running", attempts=attempt)
    events: list[StepEvent] = []

    def take(told: StepEvent) -> None:
        # A tool may say anything, a URL with a password too.
        event = told = dataclasses.replace(told, error=redact(told.error)) if told.error else told
        if event.state == "cached" and event.id in earlier:
            # What counts is the real execution, in an earlier attempt: its times, its command, its resources.
            event = earlier[event.id]
        else:
            event = dataclasses.replace(event, attempt=attempt)
        directory.journal.append({"event": "step", "step": encode(event)})
        if event.state in ENDS:
            events.append(event)
        on_event(told)

    def handle(value: JsonValue) -> None:
        directory.journal.append({"event": "handle", "handle": value})

    started = now()
    record = RunRecord(
        run=directory.state.run, plan=staged.plan, lock=staged.lock, status="interrupted", started=started, ended=started,
        exit_code=0, agent=agent(config), publication=publication(config), attempts=attempt,
        sandbox=sandbox, platform=machine(),
    )  # fmt: skip
    problem: WfxError | None = None
    try:
        known = last_handle(directory.journal.path) if engine.capabilities.remote else None
        anew = known is None
        result = engine.run(staged, take, handle) if anew else engine.attach(known, staged, take, handle)
    except Interrupted as error:
        problem = error
        engine.cancel()
        result = EngineResult("failed", error.exit_status, {}, error=f"stopped by the user: {error}")
    except WfxError as error:
        problem = error
        result = EngineResult("failed", error.exit_code, {}, error=str(error))
    record = dataclasses.replace(
        record,
        status="interrupted" if isinstance(problem, Interrupted) else result.status,
        ended=now(),
        exit_code=result.exit_code,
        outputs=result.outputs,
        contacts=contacts(),
        events=tuple(events),
        command=result.command,
        forms=result.forms,
        error=redact(result.error),
        warnings=(
            *map(redact, result.warnings),
            *(unmet(staged.plan.outputs, result.outputs, directory.path) if result.status == "completed" else ()),
        ),
        logs=tuple(f"logs/{name}" for name in files_below(directory.path, "logs")),
        inputs_file=_inputs_file(directory.path),
    )
    directory.save("record", record)
    directory.advance(record.status)
    if problem is not None:
        raise problem
    return record


def _finished_before(directory: RunDirectory) -> dict[str, StepEvent]:
    """Return the completed steps of earlier attempts, from the journal."""
    finished: dict[str, StepEvent] = {}
    for line in directory.journal.read():
        if line.get("event") == "step":
            event = decode(StepEvent, line["step"])
            if event.state == "completed":
                finished[event.id] = event
    return finished


def agent(config: Config) -> Agent | None:
    """Return who runs it, from the configuration or git's; None where nobody says."""
    person = config.person()
    if not person.get("name"):
        return None
    orcid = person.get("orcid", "")
    if orcid and not orcid.startswith("http"):
        orcid = f"https://orcid.org/{orcid}"
    return Agent(
        name=person["name"], orcid=orcid, email=person.get("email", ""), affiliation=person.get("affiliation", ""),
        affiliation_url=person.get("affiliation_url", ""),
    )  # fmt: skip


def publication(config: Config) -> Publication:
    """Return what the configuration says of crates."""
    return Publication(
        licence=config.get_str("crate.licence"),
        publisher=config.get_str("crate.publisher"),
        publisher_url=config.get_str("crate.publisher_url"),
        description=config.get_str("crate.description"),
    )


def machine() -> str:
    """Return what a result may depend on of this machine, without its name."""
    return f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}"


def keep_policy(directory: RunDirectory, record: RunRecord, plan: Plan) -> RunRecord:
    """Hold a finished run to what a later definition says of disclosure and outputs, which its identity does not tell."""
    words = {item.path: item.disclosable for item in plan.files}
    files = tuple(
        dataclasses.replace(item, disclosable=words.get(item.path, item.disclosable)) for item in record.plan.files
    )
    if files == record.plan.files and plan.outputs == record.plan.outputs:
        return record
    earlier = set(unmet(record.plan.outputs, record.outputs, directory.path))
    warnings = [text for text in record.warnings if text not in earlier]
    warnings += unmet(plan.outputs, record.outputs, directory.path)
    record = dataclasses.replace(
        record, plan=dataclasses.replace(record.plan, files=files, outputs=plan.outputs), warnings=tuple(warnings)
    )
    directory.save("plan", record.plan)
    directory.save("record", record)
    write_public(directory, record.plan, record.lock)
    return record


def write_public(directory: RunDirectory, plan: Plan, lock: Lock) -> None:
    """Write plan, lock and the inputs as the engine reads them into the crate, without paths of this machine."""
    for name, value in (("plan.json", plan), ("lock.json", lock), ("inputs.json", plan.inputs)):
        text = json.dumps(without_local_paths(encode(value)), ensure_ascii=False, indent=1)
        directory.write_atomic(name, text.encode("utf-8", "surrogateescape"))


LOCAL_URI = re.compile(r"(?:[a-z]+\+)?file:/[^#?]*?([^/#?]*)/*(?=[#?]|$)", re.I)


def without_local_paths(value: Any) -> Any:
    """Replace each `file:` URI, `git+file:` too, by `local:` and the name of the file or repository."""
    if isinstance(value, str):
        return LOCAL_URI.sub(r"local:\1", value, count=1) if LOCAL_URI.match(value) else value
    if isinstance(value, list):
        return [without_local_paths(item) for item in value]
    if isinstance(value, Mapping):
        return {without_local_paths(key): without_local_paths(item) for key, item in value.items()}
    return value


def _inputs_file(directory: Path) -> str:
    names = sorted(p.name for p in directory.glob("inputs-as-given.*"))
    return names[0] if names else ""
