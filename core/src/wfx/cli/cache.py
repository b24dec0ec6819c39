"""`wfx cache`: look after the store of fetched things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from wfx.cli.display import show_size
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
