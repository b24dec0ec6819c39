"""`wfx compare`: whether two runs came to the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wfx.cli.shared import common, offline_option, open_session, print_json
from wfx.errors import NotReproduced, UsageError

if TYPE_CHECKING:
    from wfx.comparing.judging import Comparison


@click.command()
@click.argument("first")
@click.argument("second")
@click.option(
    "--as",
    "comparators",
    multiple=True,
    metavar="[OUTPUT=]NAME",
    help="Compare an output, or all, by this comparator: vcf, sam, json, html, png, text, unordered, gzip, bytes.",
)
@click.option(
    "--tolerance", type=click.FloatRange(0), default=1e-6, show_default=True, help="Relative difference of numbers."
)
@click.option("--action", default="", help="Of a crate with several runs, the one to compare (in both crates).")
@click.option("--html", type=click.Path(path_type=Path), help="Write a report to this file too.")
@offline_option
@common
def compare(
    first: str, second: str, comparators: tuple[str, ...], tolerance: float, action: str, html: Path | None,
    offline: bool, as_json: bool, level: int,
) -> int:  # fmt: skip
    """Say whether SECOND came to the same as FIRST; each is a run, its directory, or a crate of anybody.

    Each output is identical (the same bytes), equivalent (the same by a comparator that suits the type of file), or
    different. The exit code is 0 where all are the same, 10 where not.
    """
    from wfx.comparing.comparators import Settings, named
    from wfx.comparing.judging import judge
    from wfx.comparing.sides import open_side

    by: dict[str, str] = {}
    for text in comparators:
        output, mark, name = text.rpartition("=")
        named(name)
        by[output if mark else ""] = name
    with open_session(offline=offline, level=level) as (session, _):
        sides = [open_side(argument, session, action) for argument in (first, second)]
        unknown = [name for name in by if name and name not in {**sides[0].outputs, **sides[1].outputs}]
        if unknown:
            known = ", ".join(dict.fromkeys((*sides[0].outputs, *sides[1].outputs)))
            raise UsageError(
                f"there is no output '{unknown[0]}'", where="--as", remedy=f"the outputs: {known or 'none'}"
            )
        found = judge(sides[0], sides[1], Settings(tolerance), by=by, default=by.get("", ""))
    report(found, as_json=as_json, level=level, html=html)
    return 0 if found.reproduced else NotReproduced.exit_code


def report(found: Comparison, *, as_json: bool, level: int, html: Path | None = None) -> None:
    """Show a comparison: a table, or one JSON object, and the page where one is asked for."""
    if html is not None:
        from wfx.comparing.pages import page

        html.write_text(page(found), "utf-8", errors="replace")
    if as_json:
        print_json({"reproduced": found.reproduced, "summary": found.summary(), **_fields(found)})
        return
    for line in comparison_lines(found, level):
        click.echo(line)


def _fields(found: Comparison) -> dict[str, object]:
    import dataclasses

    return {f.name: getattr(found, f.name) for f in dataclasses.fields(found) if f.name != "reproduced"}


def comparison_lines(found: Comparison, level: int = 0) -> Iterator[str]:
    """Yield a comparison for people, its result last."""
    if (level >= 0 and not (found.reproduced and all(c.verdict == "identical" for c in found.outputs))) or level > 0:
        rows = [
            (c.output if c.file in ("", c.output) else f"{c.output}: {c.file}", c.verdict, c.by, c.detail)
            for c in found.outputs
        ]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        for row in rows:
            yield _plain("  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]))
    if level >= 0:
        for item in found.circumstances:
            yield _plain(f"{item.kind} {item.name}: {item.first} → {item.second}")
    yield found.summary()


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line).rstrip()
