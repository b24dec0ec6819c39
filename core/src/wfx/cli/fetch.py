"""`wfx fetch`: references into the store, or to a place of the user's."""

from __future__ import annotations

from pathlib import Path

import click

from wfx.cli.display import show_size
from wfx.cli.shared import common, offline_option, open_session, print_json
from wfx.errors import UsageError


@click.command()
@click.argument("references", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it here: a file, or a folder for several.")
@click.option("--sha256", help="Digest that the (one) reference must have.")
@click.option("--size", type=click.IntRange(0), help="Bytes that the (one) reference must have.")
@offline_option
@common
def fetch(
    references: tuple[str, ...], output: Path | None, sha256: str | None, size: int | None, offline: bool, as_json: bool,
    level: int,
) -> None:  # fmt: skip
    """Fetch REFERENCES, verified and resumable, and print what each turned out to be."""
    from wfx.fetching import Expected, Source
    from wfx.inputfiles import expected_of
    from wfx.references import Reference

    if len(references) > 1 and (sha256 or size is not None):
        raise UsageError("--sha256 and --size belong to one reference")
    expected = Expected(size=size)
    if sha256:
        expected = Expected(expected_of({"checksum": f"sha256${sha256}"}, "--sha256").sha256, size)
    sources = [Source(Reference.parse_named(text), expected) for text in references]
    with open_session(offline=offline, level=level) as (session, display):
        fetched = session.fetch(sources)
        display.finish()
        targets = []
        for item in fetched:
            name = item.name or item.reference.name or item.sha256[:12]
            target = None
            if output is not None:
                into_folder = len(fetched) > 1 or output.is_dir()
                target = session.deliver(item, output / name if into_folder else output)
            targets.append(target)
    if as_json:
        report = [
            {
                "reference": str(item.reference), "kind": item.kind, "sha256": item.sha256, "size": item.size,
                "pinned": str(item.pinned) if item.pinned else None, "from_store": item.from_store,
                "path": str(target) if target else None,
            }
            for item, target in zip(fetched, targets, strict=True)
        ]  # fmt: skip
        print_json({"fetched": report})
        return
    for item, target in zip(fetched, targets, strict=True):
        origin = " (from the store)" if item.from_store and item.local is None else ""
        click.echo(f"sha256 {item.sha256}  {show_size(item.size)}  {target or item.reference}{origin}")
