"""`wfx run`, `plan`, `stage` and `execute`: the way of a workflow, whole or in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wfx.cli.shared import common, engine_options, offline_option, open_session, print_json, site_option

if TYPE_CHECKING:
    from wfx.definitions import Definition
    from wfx.flow import Options, Outcome
    from wfx.planning import Plan

F = TypeVar("F", bound=Callable[..., Any])


def what_to_run(function: F) -> F:
    """Add the arguments and options that say what is run."""
    for decorator in reversed([
        click.argument("workflow"),
        click.argument("inputs_file", required=False),
        click.option(
            "-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE",
            help="An input: NAME=VALUE (read by its type), NAME:=JSON, or NAME=@REFERENCE. A repeated one appends.",
        ),
        click.option(
            "--security-context", type=click.Path(path_type=Path), metavar="FILE",
            help="Of a stage definition of WfExS, the file of its security contexts.",
        ),
        click.option("--action", default="", help="Of a crate with several runs, the one whose inputs are taken."),
        click.option("--name", help="Name of the run."),
        click.option("--engine", help="Engine, as LANGUAGE.ENGINE or either half."),
        click.option(
            "--engine-version", metavar="VERSION|current",
            help="Version of the engine, provided where it is missing; current: the one that is here.",
        ),
        click.option("--containers", metavar="LIST", help="Container runtimes in order of preference, or none."),
        engine_options,
        click.option("--cores", type=click.IntRange(1), help="Cores that the run may use."),
        click.option("--memory", metavar="SIZE", help="Memory that the run may use: 8GB."),
        click.option("--allow-local", is_flag=True, help="Let a workflow from elsewhere name files of this machine."),
        click.option("--trust", is_flag=True, help="Run a workflow from elsewhere without a sandbox."),
        click.option("--sandbox", type=click.Choice(["auto", "require", "none"]), help="Whether to use bubblewrap."),
        site_option,
        offline_option,
    ]):  # fmt: skip
        function = decorator(function)
    return function


outdir_option = click.option(
    "-o", "--outdir", type=click.Path(path_type=Path), help="The run directory. Default: ./wfx-runs/NAME-ID."
)
force_option = click.option("--force", is_flag=True, help="Run anew even where a finished run would answer.")


@click.command()
@what_to_run
@outdir_option
@force_option
@click.option("--dry-run", is_flag=True, help="The same as `wfx plan`.")
@common
def run(
    dry_run: bool, as_json: bool, level: int, outdir: Path | None, force: bool, offline: bool, sandbox: str | None,
    site: str | None, allow_local: bool, trust: bool, **what: Any,
) -> int:  # fmt: skip
    """Fetch, stage and run a workflow, and leave a crate.

    WORKFLOW is a path, a URL, a git reference, a definition file or a crate (a folder, a zip, its metadata), whose run's
    inputs are then taken where no others are given. INPUTS_FILE is the engine's own form of inputs (a
    CWL job file, YAML or JSON); the files in it may be references of any scheme.
    """
    from wfx import flow

    with open_session(offline=offline, level=level, settings=run_settings(sandbox, site)) as (session, display):
        definition = run_definition(what, session)
        options = _options(session, definition, outdir=outdir, force=force, allow_local=allow_local, trust=trust)
        if dry_run:
            return _show_plan(flow.plan_only(definition, session, options), as_json)
        outcome = flow.run(definition, session, options, display)
        display.finish()
        return show_outcome(outcome, as_json, level)


@click.command()
@what_to_run
@common
def plan(
    as_json: bool, level: int, offline: bool, sandbox: str | None, site: str | None, allow_local: bool, trust: bool,
    **what: Any,
) -> int:  # fmt: skip
    """Say what a run would fetch and do, without doing it.

    The workflow's documents are fetched and pinned, the inputs are checked, and the place of each remote input is
    asked for its size.
    """
    from wfx import flow

    with open_session(offline=offline, level=level, settings=run_settings(sandbox, site)) as (session, _):
        definition = run_definition(what, session)
        options = _options(session, definition, allow_local=allow_local, trust=trust)
        return _show_plan(flow.plan_only(definition, session, options), as_json)


@click.command()
@what_to_run
@outdir_option
@force_option
@common
def stage(
    as_json: bool, level: int, outdir: Path | None, force: bool, offline: bool, sandbox: str | None,
    site: str | None, allow_local: bool, trust: bool, **what: Any,
) -> int:  # fmt: skip
    """Bring everything a run needs into its directory, and stop before the engine runs."""
    from wfx import flow

    with open_session(offline=offline, level=level, settings=run_settings(sandbox, site)) as (session, display):
        definition = run_definition(what, session)
        options = _options(
            session, definition, outdir=outdir, force=force, allow_local=allow_local, trust=trust, stage_only=True
        )
        outcome = flow.run(definition, session, options, display)
        display.finish()
        return show_outcome(outcome, as_json, level)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@force_option
@click.option("--trust", is_flag=True, help="Run a workflow from elsewhere without a sandbox.")
@click.option("--sandbox", type=click.Choice(["auto", "require", "none"]), help="Whether to use bubblewrap.")
@site_option
@common
def execute(
    directory: Path, force: bool, trust: bool, sandbox: str | None, site: str | None, as_json: bool, level: int
) -> int:
    """Run what `wfx stage` has left in DIRECTORY; no connection is opened, but to the server of a run elsewhere."""
    from wfx import flow

    with open_session(offline=not flow.needs_of(directory), level=level, settings=run_settings(sandbox, site)) as (
        session,
        display,
    ):
        outcome = flow.execute(directory, session, flow.Options(force=force, trust=trust), display)
        display.finish()
        return show_outcome(outcome, as_json, level)


def run_settings(sandbox: str | None, site: str | None) -> dict[str, Any]:
    """Return the settings that options of the command line are."""
    return {name: value for name, value in (("sandbox", sandbox), ("site", site)) if value}


def run_definition(what: dict[str, Any], session: Any) -> Definition:
    """Return the definition that the arguments of `what_to_run` ask for."""
    from wfx.definitions import from_command_line

    return from_command_line(session=session, **what)


def _options(session: Any, definition: Definition, **given: Any) -> Options:
    from wfx.flow import Options

    return Options(runs=Path(session.config.get_str("run.directory")), **given)


def _show_plan(plan: Plan, as_json: bool) -> int:
    if as_json:
        from wfx.cli.planlines import to_fetch
        from wfx.records import encode

        report = encode(plan)
        assert isinstance(report, dict)
        print_json({**report, "to_fetch": to_fetch(plan)})
        return 0
    from wfx.cli.summaries import plan_lines

    for line in plan_lines(plan):
        click.echo(line)
    return 0


def show_outcome(outcome: Outcome, as_json: bool, level: int) -> int:
    """Print what became of a run; return the exit code."""
    from wfx.cli import summaries

    if as_json:
        print_json(summaries.outcome_report(outcome))
    elif level >= 0:
        for line in summaries.outcome_lines(outcome):
            click.echo(line)
    else:
        click.echo(str(outcome.directory))
    record = outcome.record
    if record is not None and record.status == "failed":
        click.echo(f"wfx: {summaries.failure_line(outcome)}", err=True)
        return 1
    return 0
