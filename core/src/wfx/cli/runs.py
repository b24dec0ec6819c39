"""`wfx runs`: the register of runs, and what one run did."""

from __future__ import annotations

from pathlib import Path

import click

from wfx.cli.display import show_time
from wfx.cli.shared import common, open_session, print_json, print_table, site_option
from wfx.cli.summaries import reference_text, value_text
from wfx.engines import StepEvent
from wfx.errors import UsageError
from wfx.journal import read_journal
from wfx.records import decode, encode
from wfx.references import Reference
from wfx.rundirs import STATE, load_record
from wfx.running import RunRecord
from wfx.runs import Register, RegisteredRun


@click.group()
def runs() -> None:
    """List, show and remove runs, and read their logs."""


@runs.command("list")
@click.option("--status", help="Only runs with this status: running, completed, failed, interrupted, staged, missing.")
@common
def list_runs(status: str | None, as_json: bool, level: int) -> None:
    """List the runs, the newest first, each with what is true of it now."""
    with open_session(level=level) as (session, _):
        found = [run for run in Register(session.directories.state).list() if status in (None, run.status)]
    if as_json:
        print_json({"runs": [_report(run) for run in found]})
        return
    rows = [(r.entry.run[:8], r.status, r.entry.created[:19], r.entry.name, str(r.directory)) for r in found]
    print_table(("RUN", "STATUS", "CREATED", "NAME", "DIRECTORY"), rows)


@runs.command("show")
@click.argument("run")
@common
def show(run: str, as_json: bool, level: int) -> None:
    """Show RUN (an id or its beginning, a name, or a directory): what it is, its steps, its outputs."""
    with open_session(level=level) as (session, _):
        found = Register(session.directories.state).find(run)
    record = _record(found)
    events = _events(found.directory)
    if as_json:
        outputs = record.outputs if record else {}
        print_json({**_report(found), "steps": events, "outputs": outputs, "error": record.error if record else ""})
        return
    click.echo(f"run        {found.entry.run}")
    click.echo(f"status     {found.status}")
    click.echo(f"directory  {found.directory}")
    click.echo(f"workflow   {reference_text(Reference(found.entry.workflow)) if found.entry.workflow else 'not known'}")
    if found.state is not None:
        click.echo(f"attempts   {found.state.attempts}")
        click.echo(f"identity   {found.state.identity or 'not known yet'}")
    if record is not None:
        click.echo(f"engine     {record.plan.description.engine} {record.plan.description.engine_version}")
        click.echo(f"time       {record.started} to {record.ended}")
        if record.error:
            click.echo(f"error      {' '.join(record.error.split())}")
    for event in events:
        took = f" in {show_time(event.resources['wall_seconds'])}" if "wall_seconds" in event.resources else ""
        code = f", exit code {event.exit_code}" if event.exit_code else ""
        click.echo(f"step       {event.id}: {event.state}{took}{code}")
    for name, value in (record.outputs if record else {}).items():
        click.echo(f"output     {name}: {value_text(value, '')}")


@runs.command("logs")
@click.argument("run")
@click.argument("step", required=False)
@common
def logs(run: str, step: str | None, as_json: bool, level: int) -> None:
    """Print the log of RUN's engine, or of one STEP."""
    with open_session(level=level) as (session, _):
        found = Register(session.directories.state).find(run)
    events = _events(found.directory)
    if step is None:
        places = (found.directory / "logs" / "engine.log", found.directory / STATE / "engine" / "stderr.log")
        paths = [path for path in places if path.is_file()][:1]
    else:
        chosen = [event for event in events if event.id == step or event.step == step]
        if not chosen:
            known = ", ".join(event.id for event in events) or "none yet"
            raise UsageError(f"the run has no step '{step}'", remedy=f"its steps: {known}")
        paths = [found.directory / event.log for event in chosen if event.log]
    texts = {
        str(path.relative_to(found.directory)): path.read_text("utf-8", "replace") for path in paths if path.is_file()
    }
    if as_json:
        print_json({"run": found.entry.run, "logs": texts})
        return
    if not texts:
        click.echo("there is no log: it said nothing", err=True)
    for name, text in texts.items():
        if len(texts) > 1:
            click.echo(f"==> {name} <==")
        click.echo(text, nl=not text.endswith("\n"))


@runs.command("attach")
@click.argument("run")
@site_option
@common
def attach_run(run: str, site: str | None, as_json: bool, level: int) -> int:
    """Wait for RUN, which goes on on its server though nobody here waits for it, and leave its crate."""
    from wfx import elsewhere
    from wfx.cli.run import show_outcome

    with open_session(level=level, settings={"site": site} if site else {}) as (session, display):
        outcome = elsewhere.attach(Register(session.directories.state).find(run), session, display)
        display.finish()
        return show_outcome(outcome, as_json, level)


@runs.command("stop")
@click.argument("run")
@site_option
@common
def stop_run(run: str, site: str | None, as_json: bool, level: int) -> None:
    """Stop RUN: the wfx that runs it here ends as with Ctrl-C; what goes on on a server is cancelled there."""
    from wfx import elsewhere

    with open_session(level=level, settings={"site": site} if site else {}) as (session, _):
        found = Register(session.directories.state).find(run)
        done = elsewhere.stop(found, session)
    if as_json:
        print_json({"run": found.entry.run, "stopped": True, "how": done})
    elif level >= 0:
        click.echo(f"{found.entry.run[:8]}: {done}")


@runs.command("rm")
@click.argument("run", nargs=-1, required=True)
@common
def remove(run: tuple[str, ...], as_json: bool, level: int) -> None:
    """Remove runs: their directories, as far as wfx made them, and their entries in the register."""
    removed = []
    with open_session(level=level) as (session, _):
        register = Register(session.directories.state)
        # All are found before the first is removed: a slip of the pen costs nothing.
        for found in {found.entry.run: found for found in map(register.find, run)}.values():
            register.remove(found)
            removed.append({"run": found.entry.run, "directory": str(found.directory)})
    if as_json:
        print_json({"removed": removed})
        return
    for item in removed:
        click.echo(f"removed {item['run'][:8]} {item['directory']}")


def _report(run: RegisteredRun) -> dict[str, object]:
    return {
        "run": run.entry.run,
        "name": run.entry.name,
        "status": run.status,
        "created": run.entry.created,
        "directory": str(run.directory),
        "workflow": run.entry.workflow,
        "identity": run.state.identity if run.state else run.entry.identity,
        "state": encode(run.state) if run.state else None,
    }


def _record(run: RegisteredRun) -> RunRecord | None:
    if not (run.directory / STATE / "record.json").is_file():
        return None
    return load_record(run.directory, "record", RunRecord)


def _events(directory: Path) -> list[StepEvent]:
    """Return the last event of each execution, from the journal: of a run that is going on, too."""
    last: dict[str, StepEvent] = {}
    for line in read_journal(directory / STATE / "journal.jsonl"):
        if line.get("event") == "step":
            event = decode(StepEvent, line["step"])
            last[event.id] = event
    return list(last.values())
