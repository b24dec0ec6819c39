"""`wfx cache`: look after the store of fetched things."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wfx.cli.display import show_size
from wfx.cli.run import what_to_run
from wfx.cli.shared import common, open_session, print_json
from wfx.errors import UsageError

if TYPE_CHECKING:
    from wfx.session import Session


@click.group()
def cache() -> None:
    """Look after the store of fetched things."""


@cache.command("list")
@common
def list_cache(as_json: bool, level: int) -> None:
    """Say how much the store holds, and list the references that it remembers."""
    from wfx.store.care import usage

    with open_session(level=level) as (session, _):
        used = usage(session.store)
        rows = session.store.references()
    if as_json:
        print_json({"usage": used, "references": [{"reference": r, "known": known} for r, known in rows]})
        return
    click.echo(
        f"{used.blobs} things, {show_size(used.bytes)}; {used.references} references; unfinished transfers "
        f"{show_size(used.partial_bytes)}; {used.quarantined} in quarantine"
    )
    for reference, known in rows:
        click.echo(f"{known.sha256[:12]}  {show_size(known.size):>9}  {known.kind:9}  {reference}")


@cache.command("verify")
@click.option("--incremental", is_flag=True, help="Leave out what was verified within the last 30 days.")
@common
def verify_cache(incremental: bool, as_json: bool, level: int) -> int:
    """Read everything in the store and compare it with its digest; what differs is set aside."""
    from wfx.store.care import verify

    with open_session(level=level) as (session, _):
        report = verify(session.store, incremental=incremental)
    if as_json:
        print_json(report)
    else:
        for fault in report.faults:
            click.echo(fault)
        repaired = f", index repaired ({report.listed + report.forgotten})" if report.listed or report.forgotten else ""
        skipped = f", {report.skipped} verified before" if report.skipped else ""
        click.echo(
            f"{report.checked} checked ({show_size(report.bytes)}){skipped}, {len(report.faults)} faults{repaired}"
        )
    return 5 if report.faults else 0


@cache.command("gc")
@click.option("--older-than", default="30d", metavar="TIME", help="Keep what came within this time: 12h, 30d, 0.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@common
def collect_garbage(older_than: str, dry_run: bool, as_json: bool, level: int) -> None:
    """Remove what no registered run needs."""
    from wfx.store.care import gc

    match = re.fullmatch(r"(\d+)([smhd]?)", older_than)
    if match is None:
        raise UsageError(f"--older-than {older_than!r} is no time", remedy="write it as 12h or 30d")
    seconds = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]
    with open_session(level=level) as (session, _):
        report = gc(session.store, _kept(session), older_than=seconds, dry_run=dry_run)
    if as_json:
        print_json(report)
    else:
        verb = "would remove" if dry_run else "removed"
        click.echo(f"{verb} {report.blobs} things, {show_size(report.bytes)}; kept {report.kept}")


def _kept(session: Session) -> set[str]:
    from wfx.runs import Register

    kept: set[str] = Register(session.directories.state).digests()
    return kept


@cache.command("export")
@what_to_run
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The bundle to write, a tar.")
@common
def export_bundle(
    output: Path, as_json: bool, level: int, offline: bool, sandbox: str | None, site: str | None, allow_local: bool,
    trust: bool, **what: Any,
) -> None:  # fmt: skip
    """Write all that a run needs into one file, for a machine without a network.

    WORKFLOW is what `wfx run` takes, a run's directory or name too: it is fetched where it is not in the store yet, and
    its documents, inputs and images go into the bundle, with the files of this machine that it names.
    """
    from wfx.bundles import export
    from wfx.cli.run import run_definition, run_settings
    from wfx.flow import Options

    with open_session(offline=offline, level=level, settings=run_settings(sandbox, site)) as (session, display):
        definition = run_definition(what, session)
        bundle = export(definition, session, output, Options(allow_local=allow_local, trust=trust), display.phase)
        display.finish()
    if as_json:
        print_json(bundle)
        return
    click.echo(f"{bundle.path}: {show_size(bundle.size)}, {bundle.blobs} blobs, identity {bundle.identity[:12]}")
    click.echo(f"sha256 of its manifest: {bundle.manifest}")


@cache.command("import")
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for what is to be run; by default ./NAME."
)
@click.option("--sha256", default="", help="What the manifest's sha256 must be, as `wfx cache export` printed it.")
@common
def import_bundle(bundle: Path, output: Path | None, sha256: str, as_json: bool, level: int) -> None:
    """Take a bundle into the store, every byte compared with its manifest, and say how to run it.

    One that was interrupted goes on where it stopped. The bundle says what references mean from now on: take only those
    of people whom you trust.
    """
    from wfx.unbundling import take_in

    folder = output or Path(bundle.name.partition(".")[0] or "bundle")
    with open_session(level=level) as (session, _):
        taken = take_in(bundle, session, folder, sha256=sha256)
    if as_json:
        print_json(taken)
        return
    click.echo(f"{taken.new} blobs taken in ({show_size(taken.bytes)}), {taken.there} were here already")
    click.echo(f"run it with: wfx run {taken.start} --offline")


@cache.command("path")
@click.argument("digest", required=False)
@common
def path(digest: str | None, as_json: bool, level: int) -> None:
    """Print where the store lies, or where the bytes with a sha256 lie in it."""
    with open_session(level=level) as (session, _):
        found = session.store.root if digest is None else session.store.blob(digest.lower().removeprefix("sha256:"))
    if found is None:
        raise UsageError(f"the store has nothing with the digest {digest}")
    if as_json:
        print_json({"path": str(found)})
    else:
        click.echo(str(found))
