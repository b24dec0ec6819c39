"""Plans and outcomes, as lines for people and as the object that `--json` prints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wfx.cli.display import WORDS, show_size, show_time
from wfx.cli.inspect import about_lines
from wfx.cli.planlines import fetch_lines
from wfx.flow import Outcome
from wfx.planning import Plan, PlannedImage
from wfx.records import encode
from wfx.references import Reference
from wfx.values import JsonValue

MOST = 20


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan for people."""
    workflow, description = plan.workflow, plan.description
    yield f"workflow   {reference_text(workflow.reference)}"
    if workflow.revision:
        label = f" ({workflow.label})" if workflow.label else ""
        yield f"  pinned   {workflow.revision}{label}"
    yield f"  entry    {workflow.entry}{'#' + workflow.fragment if workflow.fragment else ''}"
    yield f"  sha256   {workflow.digest} over {len(workflow.documents)} documents"
    if workflow.licence or description.licence:
        yield f"  licence  {workflow.licence or description.licence}"
    yield from about_lines(description.about)
    yield f"engine     {description.engine} {description.engine_version}, language version {description.language_version}"
    if plan.program.declared:
        yield f"  asked    {plan.program.declared}"
    if plan.program.provided:
        yield f"  provided by wfx: {plan.program.reason}"
    steps = [
        f"{step.id}{' (scattered)' if step.scatter else ''}{' (conditional)' if step.conditional else ''}"
        for step in description.steps
    ]
    yield f"steps      {', '.join(steps) or 'one tool'}"
    for pinned in plan.images:
        much = show_size(pinned.size) if pinned.size is not None else "size unknown"
        yield f"image      {pinned.image}  {much}  {pinned.digest or 'no digest yet'}  for {plan.containers[0]}"
        facts = ", ".join(_image_facts(pinned))
        if facts:
            yield f"  {facts}"
    for image in () if plan.images else description.images:
        yield f"image      {image.image} for {image.tool}{'' if image.required else ' (a hint)'}"
    known = sum(item.known_size or item.expected.size or 0 for item in plan.files)
    unknown = sum(1 for item in plan.files if item.known_size is None and item.expected.size is None)
    yield f"inputs     {len(plan.files)} files, {show_size(known)}" + (
        f", {unknown} of unknown size" if unknown else ""
    )
    for item in plan.files[:MOST]:
        size = item.known_size if item.known_size is not None else item.expected.size
        digest = item.expected.sha256 or item.known_sha256
        shown = show_size(size) if size is not None else "size unknown"
        known_as = f"sha256 {digest[:12]}" if digest else "not fetched yet"
        yield f"  {item.path}  {shown}  {known_as}  {reference_text(item.reference)}"
    if len(plan.files) > MOST:
        yield f"  and {len(plan.files) - MOST} more"
    yield from fetch_lines(plan)
    for warning in dict.fromkeys((*plan.warnings, *description.warnings)):
        yield f"warning    {warning}"
    hosts = sorted({item.host for item in plan.files if item.host})
    if hosts:
        yield f"hosts      {', '.join(hosts)}"
    for who in sorted({item.own_network for item in plan.files if item.own_network}):
        count = sum(1 for item in plan.files if item.own_network == who)
        yield f"past gate  {count} files are fetched by {who}, whose connections wfx does not control"


def _image_facts(image: PlannedImage) -> Iterator[str]:
    if image.format == "sif":
        yield "a SIF file"
    if image.platform:
        yield image.platform
    if image.created:
        yield f"made {image.created[:10]}"
    if image.licence:
        yield f"licence {image.licence}"
    if image.user:
        yield f"user {image.user}"
    if image.signed:
        yield f"signed with {image.signed[:12]}"
    if image.entrypoint:
        yield f"entry point {' '.join(image.entrypoint)}"
    for base, digest in image.bases.items():
        yield f"built of {base} {digest[:19]}"


def outcome_report(outcome: Outcome) -> dict[str, Any]:
    """Return what `wfx run --json` prints (docs/reference/command-line.md)."""
    record = outcome.record
    report: dict[str, Any] = {
        "run": outcome.run,
        "status": record.status if record else "staged",
        "exit_code": 0 if record is None or record.status == "completed" else 1,
        "directory": str(outcome.directory.resolve()),
        "crate": str((outcome.directory / "ro-crate-metadata.json").resolve()) if record else None,
        "identity": outcome.lock.identity,
        "reused": outcome.reused,
        "outputs": {},
        "steps": [],
    }
    if record is not None:
        report["outputs"] = {
            name: with_paths(value, outcome.directory.resolve()) for name, value in record.outputs.items()
        }
        report["steps"] = [encode(event) for event in record.events]
        report["started"], report["ended"] = record.started, record.ended
        if record.warnings:
            report["warnings"] = list(record.warnings)
        if record.error:
            report["error"] = record.error
    return report


def with_paths(value: JsonValue, directory: Path) -> Any:
    """Return an output value with absolute `path` and `location`, as an engine would print it."""
    if isinstance(value, list):
        return [with_paths(item, directory) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: with_paths(item, directory) for key, item in value.items()}
    location = value.get("location")
    if value.get("class") in ("File", "Directory") and isinstance(location, str) and "://" not in location:
        result["path"] = os.path.join(directory, location)
        result["location"] = Path(result["path"]).as_uri()
    return result


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what became of a run, for people."""
    directory = path_text(outcome.directory)
    record = outcome.record
    if record is None:
        yield f"staged in {directory}: {len(outcome.lock.items)} inputs, identity {outcome.lock.identity[:12]}"
        yield f"run it with: wfx execute {_quoted(directory)}"
        return
    if outcome.reused:
        yield f"nothing has changed: this is the run of {record.ended} (use --force to run it anew)"
    names = list(record.outputs)
    if names:
        yield "outputs:"
    for name in names[:MOST]:
        yield f"  {name}: {value_text(record.outputs[name], directory)}"
    if len(names) > MOST:
        yield f"  and {len(names) - MOST} more"
    counts: dict[str, int] = {}
    for event in record.events:
        counts[event.state] = counts.get(event.state, 0) + 1
    steps = ", ".join(f"{count} {WORDS[state]}" for state, count in counts.items())
    yield f"{record.status} in {show_time(_seconds(record.started, record.ended))}" + (f" ({steps})" if steps else "")
    yield f"crate:  {directory}  (open {os.path.join(directory, 'ro-crate-preview.html')})"
    yield f"check:  wfx check {_quoted(directory)}"
    # Of a run that came to nothing there is nothing to compare with: it is tried again where it lies.
    again = (
        f"wfx rerun {_quoted(directory)}"
        if record.status == "completed"
        else f"wfx execute {_quoted(directory)} --force"
    )
    yield f"again:  {again}"


def failure_line(outcome: Outcome) -> str:
    """Return the one line that says why a workflow failed, and where to read more."""
    record = outcome.record
    assert record is not None
    directory = path_text(outcome.directory)
    failures = [event for event in record.events if event.state == "failed"]
    # One that was tried again with success is not why: the engine names those that are.
    failed = next((event for event in failures if f"'{event.id}'" in record.error), next(iter(failures), None))
    reason = (failed.error if failed and failed.error else record.error).strip()
    first = " ".join(reason.split())[:500] or f"exit code {record.exit_code}"
    if failed is None:
        return f"the workflow failed: {first}; logs are in {os.path.join(directory, 'logs')}"
    code = f" with exit code {failed.exit_code}" if failed.exit_code else ""
    return f"the workflow failed: step {failed.id}{code}: {first}; see wfx runs logs {outcome.run[:8]} {failed.id}"


def _seconds(started: str, ended: str) -> float:
    import datetime

    return (datetime.datetime.fromisoformat(ended) - datetime.datetime.fromisoformat(started)).total_seconds()


def path_text(path: Path) -> str:
    """Return a path as people write it: from where they are, where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def reference_text(reference: Reference) -> str:
    """Return a reference as people wrote it: a local one as a path."""
    return path_text(reference.path) if reference.is_local and not reference.fragment else str(reference)


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def value_text(value: JsonValue, directory: str) -> str:
    """Return an output as people read it: the path and size of a file, a few items of a list."""
    if isinstance(value, list):
        shown = ", ".join(value_text(item, directory) for item in value[:5])
        return f"[{shown}{', …' if len(value) > 5 else ''}] ({len(value)})" if value else "[]"
    if isinstance(value, dict) and value.get("class") in ("File", "Directory"):
        size = value.get("size")
        text = os.path.join(directory, str(value.get("location", value.get("basename", ""))))
        return f"{text} ({show_size(size)})" if isinstance(size, int) else text
    return str(encode(value))
