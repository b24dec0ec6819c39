"""`wfx compare`: whether two runs came to the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wfx.cli.shared import common, offline_option, open_session, print_json
from wfx.errors import NotReproduced, UsageError

if TYPE_CHECKING:
    from wfx.comparing.judging import Comparison

F = TypeVar("F", bound=Callable[..., Any])


def comparison_options(function: F) -> F:
    """Add the options that say what counts as the same, and where the report goes."""
    for decorator in reversed([
        click.option(
            "--as", "comparators", multiple=True, metavar="[OUTPUT=]NAME",
            help="Compare an output, or all, by this: vcf, sam, json, html, png, text, unordered, gzip or bytes.",
        ),
        click.option(
            "--tolerance", type=click.FloatRange(0), default=1e-6, show_default=True, metavar="NUMBER",
            help="Relative difference of numbers.",
        ),
        click.option("--html", type=click.Path(path_type=Path), help="Write the comparison as a page to this file too."),
    ]):  # fmt: skip
        function = decorator(function)
    return function


def read_comparators(texts: tuple[str, ...]) -> dict[str, str]:
    """Read the options `--as`: output → comparator, for all under the empty name. Raises UsageError."""
    from wfx.comparing.comparators import named

    by: dict[str, str] = {}
    for text in texts:
        output, mark, name = text.rpartition("=")
        named(name)
        by[output if mark else ""] = name
    return by


@click.command()
@click.argument("first")
@click.argument("second")
@comparison_options
@click.option("--action", default="", help="Of a crate with several runs, the one to compare (in both crates).")
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
    from wfx.comparing.comparators import Settings
    from wfx.comparing.judging import judge
    from wfx.comparing.sides import open_side

    by = read_comparators(comparators)
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
        print_json(report_fields(found))
        return
    for line in comparison_lines(found, level):
        if level > -2:
            click.echo(line)


def report_fields(found: Comparison) -> dict[str, object]:
    """Return what `--json` prints of a comparison."""
    import dataclasses

    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return {"reproduced": found.reproduced, "summary": found.summary(), **fields}


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
