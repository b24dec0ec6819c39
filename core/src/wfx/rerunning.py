"""Run a recorded run again, and say whether it came to the same.

The same workflow, inputs, options and images, with the engine in the version that is recorded; what differs is said, and
what came of it is written into the crate of the new run.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfx import flow
from wfx.choosing import choose
from wfx.comparing.comparators import Settings
from wfx.comparing.judging import Comparison, judge
from wfx.comparing.sides import open_side, side_of
from wfx.crates.contents import engine_of, language
from wfx.crates.held import Held, hold, shown
from wfx.crates.opening import find_crate
from wfx.crates.reading import text
from wfx.definitions import Definition, on_this_machine
from wfx.engines import Engine
from wfx.errors import DefinitionError, EngineError, UsageError
from wfx.exporting import exporter_of
from wfx.planning import NONE, now
from wfx.records import encode
from wfx.rundirs import COMPARISON, RunDirectory
from wfx.running import ComparedWith, RunRecord
from wfx.staging import WITHOUT_EFFECT

if TYPE_CHECKING:
    from wfx.flow import Options, Outcome, Reporter
    from wfx.session import Session

RECORDED = "recorded"
"""In place of a version of the engine: the one that the run was made with."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What became of it."""

    outcome: Outcome
    comparison: Comparison


def rerun(
    argument: str, session: Session, options: Options, reporter: Reporter, *, engine_version: str = RECORDED,
    action: str = "", settings: Settings | None = None, by: dict[str, str] | None = None,
    machine: Mapping[str, Any] | None = None,
) -> Rerun:  # fmt: skip
    """Run again what a run, or a crate of anybody, records, and compare.

    `machine` has what `definitions.on_this_machine` takes: cores, memory, containers. Raises UsageError where nothing is
    recorded, EngineError where the engine cannot be had in the version that is recorded or asked for (`engine_version`: a
    version, `current` for the one that is here, or `recorded`).
    """
    crate = find_crate(argument, session)
    if crate is None:
        raise UsageError(f"there is no run and no crate '{argument}'", remedy="see `wfx runs list`")
    held = hold(crate, session, action)
    if held.action is None:
        raise DefinitionError(
            "the crate records no run to be made again", where=shown(held.where), remedy="run it with `wfx run`"
        )
    original = side_of(crate, shown(held.where), session, action)
    version = _version(held, session, reporter, engine_version)
    options = dataclasses.replace(options, force=True, outdir=_outdir(held, options))
    definition = dataclasses.replace(_definition(held, machine or {}, session), engine_version=version)
    outcome = flow.run(definition, session, options, reporter)
    made, by = open_side(str(outcome.directory), session), by or {}
    found = judge(original, made, settings or Settings(), by=by, default=by.get("", ""))
    _write_down(outcome, held, found, session)
    return Rerun(outcome, found)


def _definition(held: Held, machine: Mapping[str, Any], session: Session) -> Definition:
    definition = on_this_machine(Definition(held.workflow, name=held.name, crate=held), session, **machine)
    if held.exact is None:
        return definition
    plan = held.exact.plan
    recorded = {key: value for key, value in plan.options.items() if key not in WITHOUT_EFFECT}
    # What ran without its images is to run so again.
    containers = (NONE,) if plan.containers == (NONE,) and plan.description.images else definition.containers
    return dataclasses.replace(
        definition, engine=plan.description.engine, containers=containers, options={**definition.options, **recorded}
    )


def _version(held: Held, session: Session, reporter: Reporter, wanted: str) -> str:
    """Return the version of the engine to run with; empty where the crate tells of none."""
    name, recorded = _recorded(held)
    engine = _engine(held, session)
    if engine is None or not recorded:
        return "" if wanted == RECORDED else wanted
    if wanted != RECORDED:
        version = choose(engine, session, asked=wanted).version
        if version != recorded:
            reporter.warn(f"the run was made with {name} {recorded}, and is made again with {version}")
        return wanted
    try:
        choose(engine, session, asked=recorded)
    except EngineError as error:
        raise EngineError(
            f"the run was made with {name} {recorded}", where=shown(held.where), why=str(error),
            remedy="or go on with what is here: --engine-version current",
        ) from error  # fmt: skip
    return recorded


def _recorded(held: Held) -> tuple[str, str]:
    if held.exact is not None:
        description = held.exact.plan.description
        return description.engine.rpartition(".")[2], description.engine_version
    assert held.action is not None
    return engine_of(held.crate, held.action)


def _engine(held: Held, session: Session) -> type[Engine] | None:
    """Return the engine that will run it; None where only the documents tell which that is."""
    if held.exact is not None:
        key = held.exact.plan.description.engine
    else:
        spoken = language(held.crate, held.main)[2]
        key = next((k for k in session.plugins.keys("engine") if k.split(".")[0] == spoken), "")
    return session.plugins.engine(key) if key else None


def _outdir(held: Held, options: Options) -> Path:
    """Return a directory that holds nothing yet: what is compared with must not be written over."""
    if options.outdir is not None:
        if options.outdir.exists() and (not options.outdir.is_dir() or any(options.outdir.iterdir())):
            raise UsageError(
                "there is something already", where=str(options.outdir), remedy="choose another directory with -o"
            )
        return options.outdir
    stem = held.name or Path(held.workflow.uri.rpartition("=")[2]).stem or "run"
    base = options.runs / f"{stem.removesuffix('-again')}-again"
    number, path = 1, base
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def _write_down(outcome: Outcome, held: Held, found: Comparison, session: Session) -> None:
    """Enter the comparison into the crate of the new run, with a link to the original."""
    if outcome.record is None:
        return
    root = held.crate.root or {}
    identifier = text(root.get("identifier"))
    reference = held.crate.reference
    elsewhere = reference.safe() if reference is not None and not reference.on_this_machine else ""
    told = dataclasses.replace(
        found, first=identifier or elsewhere or text(root.get("name")) or "the original", second="./"
    )
    compared = ComparedWith(
        original=elsewhere or identifier, name=text(root.get("name")), identifier=identifier, reproduced=found.reproduced,
        summary=found.summary(), file=COMPARISON, time=now(),
    )  # fmt: skip
    with RunDirectory.reopen(outcome.directory) as directory:
        record: RunRecord = dataclasses.replace(outcome.record, comparison=compared)
        report = {"reproduced": told.reproduced, "summary": told.summary(), **encode(told)}
        data = json.dumps(report, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        directory.write_atomic(COMPARISON, data)
        directory.save("record", record)
        exporter_of("ro-crate", session).describe(record, directory.path)
        directory.journal.append({"event": "compared", "reproduced": found.reproduced, "with": compared.original})
