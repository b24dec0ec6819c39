"""The crate as a page for people: one file, no script, nothing from elsewhere, every value escaped."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wfx.running import RunRecord

from wfx_ro_crate import evidence, sections
from wfx_ro_crate.graph import DESCRIPTOR
from wfx_ro_crate.markup import Markup, link, raw, tag
from wfx_ro_crate.view import View

# Whatever a browser might be talked into: the page loads pictures of its own folder and nothing else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:; base-uri 'none'; form-action 'none'"


def preview(record: RunRecord, directory: Path, document: Mapping[str, Any]) -> str:
    """Return the page of a run; `document` is its metadata."""
    view = View(record, directory, document)
    style = importlib.resources.files("wfx_ro_crate").joinpath("page.css").read_text("utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", view.clean(f"{record.plan.name} · {record.status}")),
        tag("link", rel="alternate", type="application/ld+json", href=DESCRIPTOR),
        tag("style", raw(style)),
    )
    body = tag(
        "body",
        link("#content", "Skip to the results", class_="skip"),
        sections.top(view),
        tag("main", tag("div", _parts(view), class_="wrap"), id="content"),
        tag("footer", tag("div", evidence.footer(view), class_="wrap")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _parts(view: View) -> Iterable[Markup]:
    staged = view.record.status == "staged"
    if view.record.status != "completed" and not staged:
        yield sections.trouble(view)
    if not staged:
        yield sections.outputs(view)
    yield sections.inputs(view)
    if view.events:
        yield sections.steps(view)
    yield evidence.provenance(view)
    yield evidence.software(view)
    yield evidence.again(view)
    yield evidence.cite(view)
