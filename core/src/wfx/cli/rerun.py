"""`wfx rerun`: run again what a crate records, and say whether it came to the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wfx.cli.compare import comparison_options, read_comparators, report, report_fields
from wfx.cli.shared import common, offline_option, open_session, print_json, site_option
from wfx.errors import NotReproduced, WorkflowFailed


@click.command()
@click.argument("crate")
@click.option(
    "-o", "--outdir", type=click.Path(path_type=Path), help="The new run's directory. Default: ./wfx-runs/NAME-again."
)
@click.option(
    "--engine-version",
    metavar="VERSION|current",
    default="recorded",
    show_default=True,
    help="Version of the engine, provided where it is missing; current: the one that is here.",
)
@click.option("--action", default="", help="Of a crate with several runs, the one to make again.")
@comparison_options
@click.option("--containers", metavar="LIST", help="Container runtimes in order of preference, or none.")
@click.option("--cores", type=click.IntRange(1), help="Cores that the run may use.")
@click.option("--memory", metavar="SIZE", help="Memory that the run may use: 8GB.")
@click.option("--allow-local", is_flag=True, help="Let a workflow from elsewhere name files of this machine.")
@click.option("--trust", is_flag=True, help="Run a workflow from elsewhere without a sandbox.")
@click.option("--sandbox", type=click.Choice(["auto", "require", "none"]), help="Whether to use bubblewrap.")
@site_option
@offline_option
@common
def rerun(
    crate: str, outdir: Path | None, engine_version: str, action: str, comparators: tuple[str, ...], tolerance: float,
    html: Path | None, allow_local: bool, trust: bool, sandbox: str | None, site: str | None, offline: bool,
    as_json: bool, level: int, **machine: Any,
) -> int:  # fmt: skip
    """Run again what CRATE records (a run, its directory, a crate of anybody), and compare.

    The same workflow, inputs and images are run with the same version of the engine. The new run's crate records the
    comparison, with a link to the original. The exit code is 0 where all outputs are the same, 10 where not.
    """
    from wfx import flow
    from wfx.cli import summaries
    from wfx.comparing.comparators import Settings
    from wfx.rerunning import rerun as run_again

    by = read_comparators(comparators)
    settings = {name: value for name, value in (("sandbox", sandbox), ("site", site)) if value}
    with open_session(offline=offline, level=level, settings=settings) as (session, display):
        options = flow.Options(
            outdir=outdir, runs=Path(session.config.get_str("run.directory")), allow_local=allow_local, trust=trust
        )
        found = run_again(
            crate, session, options, display, engine_version=engine_version,
            action=action, settings=Settings(tolerance), by=by, machine=machine,
        )  # fmt: skip
        display.finish()
    outcome, comparison = found.outcome, found.comparison
    if as_json:
        if html is not None:
            report(comparison, as_json=False, level=-2, html=html)
        print_json({**summaries.outcome_report(outcome), "comparison": report_fields(comparison)})
    else:
        report(comparison, as_json=False, level=level, html=html)
        if level >= 0:
            click.echo(f"crate:  {summaries.path_text(outcome.directory)}")
    if comparison.reproduced:
        return 0
    if outcome.record is not None and outcome.record.status == "failed":
        click.echo(f"wfx: {summaries.failure_line(outcome)}", err=True)
        return WorkflowFailed.exit_code
    return NotReproduced.exit_code
