"""`wfx why`: what kept a run from being reused, or what differs between two."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from wfx.cli.compare import report_fields
from wfx.cli.shared import common, open_session, print_json

if TYPE_CHECKING:
    from wfx.explaining import Differences, Explanation

MOST = 20


@click.command()
@click.argument("run")
@click.argument("other", required=False)
@common
def why(run: str, other: str | None, as_json: bool, level: int) -> None:
    """Explain why RUN was not answered by an earlier run, or what differs between RUN and OTHER.

    Of one run: in what it differs from the run before it of the same workflow, and what would keep it from being reused
    now. Of two (runs, directories, crates): what went into them, and at which step they part, and by what.
    """
    from wfx.explaining import why as explain
    from wfx.explaining import why_both
    from wfx.runs import Register

    with open_session(offline=other is None, level=level) as (session, _):
        if other is not None:
            both = why_both(run, other, session)
            if as_json:
                print_json(_fields(both))
            lines = differences_lines(both)
        else:
            register = Register(session.directories.state)
            found = explain(register.find(run), register.list(), session)
            if as_json:
                print_json(_fields(found))
            lines = explanation_lines(found)
        for line in () if as_json else lines:
            click.echo(_plain(line))


def _fields(found: Explanation | Differences) -> dict[str, object]:
    """Return all fields, those that say nothing too: whoever reads them need not know what may be missing."""
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    if "comparison" in fields:
        fields["comparison"] = report_fields(fields["comparison"])
    return fields


def explanation_lines(found: Explanation) -> Iterator[str]:
    """Yield for people why a run was not reused."""
    yield f"run {found.run[:8]}, {found.name}: {found.directory}"
    if not found.earlier:
        yield "It is the first run of its workflow, so there was none to reuse."
    else:
        yield f"It was not answered by run {found.earlier[:8]} ({found.earlier_directory}), because"
        yield from _listed([cause.text for cause in found.causes])
    if not found.now:
        yield "Asked for again as it was, it would be reused."
        return
    yield (
        "Asked for again as it was, it would be reused, though"
        if found.reusable
        else "Asked for again, it would be run, because"
    )
    yield from _listed([cause.text for cause in found.now])


def differences_lines(found: Differences) -> Iterator[str]:
    """Yield for people what differs between two runs, the causes first."""
    if found.same:
        yield "The two runs are the same: same workflow, inputs, engine, images and options, and the same came of each step."
        return
    if found.causes:
        yield "What went into them differs:"
        yield from _listed([cause.text for cause in found.causes])
    else:
        yield "The same went into both: workflow, inputs, engine, images and options."
    if found.steps:
        yield f"The first step that differs is {found.first_step}:"
        yield from _listed([reason.text for reason in found.steps[0].reasons])
        if len(found.steps) > 1:
            yield "After it:"
            after = [f"{step.step}: {'; '.join(reason.text for reason in step.reasons)}" for step in found.steps[1:]]
            yield from _listed(after)
    else:
        yield "No step that both record differs."
    outputs = found.comparison.outputs
    bad = [item for item in outputs if item.verdict not in ("identical", "equivalent")]
    if bad:
        yield "What came of it differs:"
        yield from _listed(
            [f"{item.output}: {item.verdict}{f', {item.detail}' if item.detail else ''}" for item in bad]
        )
    elif outputs:
        yield "All outputs are the same."


def _listed(texts: list[str]) -> Iterator[str]:
    for text in texts[:MOST]:
        yield f"  - {text}"
    if len(texts) > MOST:
        yield f"  - and {len(texts) - MOST} more"


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line).rstrip()
