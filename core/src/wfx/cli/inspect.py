"""`wfx inspect`: what a crate or a workflow holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from wfx.cli.shared import common, engine_options, offline_option, open_session, print_json

if TYPE_CHECKING:
    from wfx.about import About
    from wfx.crates.contents import Contents, CrateValue
    from wfx.engines import Description

MOST = 40


@click.command()
@click.argument("reference")
@click.option(
    "--action", default="", help="Of a crate with several runs, the one whose values are shown: its number or id."
)
@click.option("--engine", help="Engine, as LANGUAGE.ENGINE or either half.")
@engine_options
@click.option("--allow-local", is_flag=True, help="Let a workflow from elsewhere name files of this machine.")
@click.option("--trust", is_flag=True, help="Describe a workflow from elsewhere without a sandbox.")
@offline_option
@common
def inspect(
    reference: str, action: str, engine: str | None, options: tuple[str, ...], allow_local: bool, trust: bool,
    offline: bool, as_json: bool, level: int,
) -> None:  # fmt: skip
    """Say what REFERENCE holds: a crate of anybody, a run, or a workflow.

    Of a crate: profiles, workflow and language, inputs with types and values, outputs, steps, images, licences, people,
    the runs that it records, and what in it cannot be used. Of a workflow: what its engine says of it.
    """
    from wfx import flow
    from wfx.crates.contents import contents
    from wfx.crates.opening import find_crate
    from wfx.definitions import from_command_line

    with open_session(offline=offline, level=level) as (session, _):
        crate = find_crate(reference, session)
        if crate is not None:
            found = contents(crate, action)
            if as_json:
                print_json({"kind": "crate", "reference": reference, **_report(found)})
                return
            for line in crate_lines(found):
                click.echo(_plain(line))
            return
        definition = from_command_line(reference, session, engine=engine, options=options)
        description = flow.describe(definition, session, flow.Options(allow_local=allow_local, trust=trust))
    if as_json:
        print_json({"kind": "workflow", "reference": reference, "description": description})
        return
    for line in workflow_lines(description):
        click.echo(_plain(line))


def _report(found: Contents) -> dict[str, object]:
    import dataclasses

    return {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}


def _plain(line: str) -> str:
    """Take out what would move the cursor of a terminal: crates come from anybody."""
    return "".join(c if c.isprintable() else " " for c in line)


def crate_lines(found: Contents) -> Iterator[str]:
    """Yield a crate for people."""
    yield f"crate      {found.name or 'without a name'}"
    if found.description and found.description != found.name:
        yield f"  about    {_short(found.description)}"
    yield f"  form     RO-Crate {found.version or 'of no stated version'}, {found.files} files"
    for profile in found.profiles:
        yield f"  profile  {profile}"
    for licence in found.licences:
        yield f"  licence  {_short(licence)}"
    yield from _listed("  people   ", found.people)
    if found.workflow:
        named = f" ({found.workflow_name})" if found.workflow_name not in ("", found.workflow) else ""
        yield f"workflow   {found.workflow}{named}"
        language = " ".join(filter(None, (found.language or found.engine, found.language_version)))
        known = f" (engine: {found.engine})" if found.engine else " (no engine of wfx is known for it)"
        yield f"  language {language or 'not stated'}{known}"
    if found.steps:
        yield f"steps      {', '.join(found.steps[:MOST])}"
    yield from _listed("image      ", found.images)
    yield from _parameters("input", found.inputs)
    yield from _parameters("output", found.outputs)
    for number, run in enumerate(found.runs, 1):
        times = f", {run.started or '?'} to {run.ended or '?'}" if run.started or run.ended else ""
        engine = f", {run.engine}" if run.engine else ""
        yield f"run {number}      {run.status or 'no status'}{times}{engine}  {run.id}"
        if run.error:
            yield f"  error    {_short(run.error)}"
    grave = [note for note in found.notes if note.matters]
    for note in (grave + [note for note in found.notes if not note.matters])[:MOST]:
        yield f"{'problem' if note.matters else 'note':<11}{f'{note.where}: ' if note.where else ''}{note.what}"
    if len(found.notes) > MOST:
        yield f"and {len(found.notes) - MOST} more notes"


def workflow_lines(description: Description) -> Iterator[str]:
    """Yield for people what an engine says of a workflow."""
    from wfx.valuetypes import type_name

    yield f"workflow   {description.name or description.entry}"
    if description.doc:
        yield f"  about    {_short(description.doc)}"
    yield f"  entry    {description.entry}{'#' + description.fragment if description.fragment else ''}"
    yield f"  engine   {description.engine} {description.engine_version}, language version {description.language_version}"
    if description.licence:
        yield f"  licence  {description.licence}"
    yield from about_lines(description.about)
    yield f"steps      {', '.join(step.id for step in description.steps[:MOST]) or 'one tool'}"
    for image in description.images[:MOST]:
        yield f"image      {image.image} for {image.tool}{'' if image.required else ' (a hint)'}"
    for side, parameters in (("input", description.inputs), ("output", description.outputs)):
        for item in parameters:
            default = f", default {item.default}" if item.has_default else ""
            state = "" if side == "output" else ", required" if item.required else ", optional"
            yield f"{side:<11}{item.id}: {type_name(item.type)}{state}{_short(default)}"
    for warning in description.warnings[:MOST]:
        yield f"warning    {warning}"


def about_lines(about: About) -> Iterator[str]:
    """Yield what a workflow's authors say of it, for people."""
    for head, said in (("version", about.version), ("doi", about.doi), ("home", about.home or about.repository)):
        if said:
            yield f"  {head:<9}{_short(said)}"
    if about.authors:
        people = [f"{author.name} <{author.orcid}>" if author.orcid else author.name for author in about.authors]
        yield f"  authors  {_short(', '.join(people))}"
    if about.keywords:
        yield f"  keywords {_short(', '.join(about.keywords))}"


def _parameters(side: str, found: Sequence[CrateValue]) -> Iterator[str]:
    for item in found[:MOST]:
        kind = f" ({item.type})" if item.type else ""
        said = ", ".join(item.values)
        yield f"{side:<11}{item.name}{kind}" + (f" = {_short(said)}" if said else "")
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more {side}s"


def _listed(head: str, items: Sequence[str]) -> Iterator[str]:
    for item in items[:MOST]:
        yield f"{head}{_short(item)}"
    if len(items) > MOST:
        yield f"{head}and {len(items) - MOST} more"


def _short(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}…"
