"""The page's first part: what it is, what went wrong, what came out, what went in, and the steps between."""

from __future__ import annotations

import shlex

from wfx.engines import StepEvent

from wfx_ro_crate import people
from wfx_ro_crate.graph import DESCRIPTOR
from wfx_ro_crate.markup import Content, Markup, link, tag
from wfx_ro_crate.timeline import Line, axis, bars, duration, elapsed, lines, seconds, told
from wfx_ro_crate.view import View, size_of

MOST_ROWS = 40
MOST_STEPS = 60
MOST_AUTHORS = 12
PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp")
MOST_PICTURES = 8
WORDS = {
    "completed": "completed", "failed": "failed", "skipped": "skipped by a condition",
    "cached": "taken from an earlier attempt",
}  # fmt: skip


def top(view: View) -> Markup:
    """Show status, name, and who ran what when."""
    record = view.record
    description = record.plan.description
    words = {
        "completed": "Completed",
        "failed": "Failed",
        "interrupted": "Interrupted",
        "staged": "Staged, not yet run",
    }
    name, url = people.engine_of(record)
    spent = (seconds(record.ended) or 0) - (seconds(record.started) or 0)
    who: Content = tag("span", "not stated", class_="none")
    if record.agent:
        person = view.clean(record.agent.name)
        who = link(view.clean(record.agent.orcid), person) if record.agent.orcid else person
        if record.agent.affiliation:
            who = [who, ", ", view.clean(record.agent.affiliation)]
    facts = [
        ("Workflow", workflow_link(view)),
        ("Engine", [link(url, name) if url else name, f" {description.engine_version}"]),
        ("Planned", view.time(record.ended))
        if record.status == "staged"
        else ("Ran", [view.time(record.started), f" · {duration(max(spent, 0))}"]),
        ("By", who),
        ("Licence", licence(view)),
    ]
    if description.about.authors:
        facts.insert(1, ("Authors", authors(view)))
    name_of_it = description.name if description.name not in (record.plan.name, "") else ""
    about = "\n".join(filter(None, (name_of_it, record.publication.description or description.doc)))
    return tag(
        "header",
        tag(
            "div",
            tag("span", words.get(record.status, record.status), class_="pill"),
            tag("h1", view.clean(record.plan.name)),
            tag("p", view.short(about, 900), class_="lead") if about else None,
            tag("dl", [tag("div", tag("dt", key), tag("dd", value)) for key, value in facts], class_="facts"),
            class_="wrap",
        ),
        class_=f"top {record.status}",
    )


def authors(view: View) -> Content:
    """Name the workflow's authors, with links to those who have an ORCID iD."""
    found: list[Content] = []
    known = view.record.plan.description.about.authors
    for person in known[:MOST_AUTHORS]:
        name = view.short(person.name, 80)
        found += [", " if found else "", link(person.orcid, name) if person.orcid else name]
    return [*found, f" and {len(known) - MOST_AUTHORS} more" if len(known) > MOST_AUTHORS else ""]


def workflow_link(view: View) -> Content:
    """Link to the main document."""
    workflow = view.record.plan.workflow
    return view.file(f"workflow/{workflow.entry}", workflow.entry)


def licence(view: View) -> Content:
    """Show the crate's licence."""
    stated = view.record.publication.licence
    if not stated:
        return tag("span", "none stated", class_="none")
    found = view.entities.get("./", {}).get("license")
    target = found.get("@id", "") if isinstance(found, dict) else ""
    return link(target, view.clean(stated)) if target.startswith("http") else view.clean(stated)


def trouble(view: View) -> Markup:
    """Show why it failed, the cause first."""
    record = view.record
    failed = [e for e in view.events if e.state == "failed"]
    # The innermost execution is the cause, those around it failed because of it.
    inner = [e for e in failed if not any(other.parent == e.id for other in failed)]
    parts: list[Content] = [tag("h2", "What went wrong" if record.status == "failed" else "It was stopped")]
    if record.error and not inner:
        parts.append(tag("pre", view.clean(record.error)))
    for event in inner[:3]:
        code = f", exit code {event.exit_code}" if event.exit_code is not None else ""
        parts.append(tag("h3", view.clean(f"{'Step ' if event.step else ''}{event.id}{code}")))
        if event.command:
            parts.append(tag("p", "Command line: ", tag("code", view.short(shlex.join(event.command), 2000))))
        log = view.tail(event.log)
        # The error of a process is the end of its log, which says more.
        parts.append(log or tag("pre", view.clean(event.error or record.error or "Nothing says why.")))
    if len(inner) > 3:
        parts.append(tag("p", f"{len(inner) - 3} more executions failed; they stand in the timeline below."))
    if not inner:
        unclaimed = [log for log in record.logs if log not in {e.log for e in view.events}]
        parts += [view.tail(log) for log in unclaimed[:2]]
    return tag("section", *parts, class_="trouble", aria_label="Failure")


def outputs(view: View) -> Markup:
    """Show what came out."""
    record = view.record
    parameters = {p.id: p for p in record.plan.description.outputs}
    names = list(dict.fromkeys([*record.outputs, *parameters]))
    shown: Content
    if any(record.outputs.get(name) is not None for name in names):
        shown = view.table(names, parameters, record.outputs)
    else:
        shown = tag("p", "This run left no outputs.", class_="none")
    return tag("section", tag("h2", "Outputs"), shown, pictures(view))


def pictures(view: View) -> Content:
    """Show the outputs that are pictures."""
    found: list[Markup] = []
    for identifier, entity in view.entities.items():
        if not identifier.startswith("outputs/") or not identifier.lower().endswith(PICTURES):
            continue
        name = str(entity.get("name", ""))
        image = tag("img", src=identifier, alt=f"The output {name}", loading="lazy")
        found.append(tag("figure", link(identifier, image), tag("figcaption", name)))
        if len(found) == MOST_PICTURES:
            break
    return tag("div", found, class_="figures") if found else None


def inputs(view: View) -> Markup:
    """Show what went in."""
    plan = view.record.plan
    parameters = {p.id: p for p in plan.description.inputs}
    names = list(dict.fromkeys([*parameters, *plan.inputs]))
    given = view.record.inputs_file
    return tag(
        "section",
        tag("h2", "Inputs"),
        view.table(names, parameters, plan.inputs)
        if names
        else tag("p", "The workflow takes no inputs.", class_="none"),
        tag("p", "As they were written: ", view.file(given, given), class_="small") if given else None,
    )


def steps(view: View) -> Markup:
    """Show the steps as a timeline."""
    found = lines(view.record.plan.description, view.events)
    counts: dict[str, int] = {}
    for event in view.events:
        counts[event.state] = counts.get(event.state, 0) + 1
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    rows = [step(view, line) for line in found[:MOST_STEPS]]
    rest: Content = None
    if len(found) > MOST_STEPS:
        more = [step(view, line) for line in found[MOST_STEPS:]]
        rest = tag("details", tag("summary", f"{len(more)} more steps"), more)
    legend = tag(
        "ul",
        [tag("li", WORDS.get(state, state), class_=state) for state in counts],
        class_="legend",
        aria_hidden="true",
    )
    one = "1 execution" if len(view.events) == 1 else f"{len(view.events)} executions"
    return tag(
        "section",
        tag("h2", "Steps"),
        tag("p", f"{one}: {said}.", class_="small"),
        axis(view.clock),
        rows,
        rest,
        legend,
    )


def step(view: View, line: Line) -> Markup:
    """Show a step."""
    times = [t for t in map(elapsed, line.events) if t is not None]
    took = duration(sum(times)) if times and line.state != "skipped" else ""
    note = "" if line.events and line.state == "completed" and len(line.events) == 1 else told(line)
    if line.state == "skipped" and len(line.counts) == 1:
        note = "skipped by its condition"
    # A tool that is written in its step has no name of its own.
    tool = line.tool if line.tool != line.title and not line.tool.endswith("/run") else ""
    return tag(
        "div",
        tag(
            "div",
            tag("span", view.short(line.title, 120), class_="name"),
            tag("div", view.short(" · ".join(filter(None, (tool, note))), 160), class_="small"),
            class_="title",
        ),
        bars(line, view.clock) if line.events else tag("span"),
        tag("div", took, class_="took"),
        details(view, line) if line.events and line.state != "skipped" else None,
        class_=f"step d{min(line.depth, 3)}",
    )


def details(view: View, line: Line) -> Markup:
    """Show the executions of a step."""
    # What failed is what a reader looks for.
    events = sorted(line.events, key=lambda e: e.state != "failed")
    rows = [row(view, event) for event in events[:MOST_ROWS]]
    left = len(events) - len(rows)
    titles = ("Execution", "Began", "Took", "Exit code", "CPU", "Memory", "Command line and log")
    head = tag("tr", [tag("th", t, scope="col", class_="num" if 0 < n < 6 else None) for n, t in enumerate(titles)])
    many = f"{len(events)} executions" if len(events) > 1 else "Details"
    return tag(
        "details",
        tag("summary", many),
        tag("p", view.short(line.doc, 600), class_="small") if line.doc else None,
        tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="scroll"),
        tag("p", f"and {left} more, all in ", link(DESCRIPTOR), class_="small") if left else None,
    )


def row(view: View, event: StepEvent) -> Markup:
    """Show an execution."""
    took = elapsed(event)
    cpu, memory = event.resources.get("cpu_seconds"), event.resources.get("max_memory_bytes")
    marks: list[str] = [] if event.state == "completed" else [event.state]
    marks += [f"attempt {event.attempt}"] if event.attempt > 1 else []
    return tag(
        "tr",
        tag("td", view.clean(event.id), tag("div", ", ".join(marks), class_="small") if marks else None),
        tag("td", view.clock.offset(event.started), class_="num"),
        tag("td", duration(took) if took is not None else "", class_="num"),
        tag("td", "" if event.exit_code is None else str(event.exit_code), class_="num"),
        tag("td", duration(cpu) if cpu is not None else "", class_="num"),
        tag("td", size_of(int(memory)) if memory else "", class_="num"),
        tag(
            "td",
            tag("code", view.short(shlex.join(event.command), 1000)) if event.command else None,
            tag("div", "in ", tag("code", view.clean(event.image)), class_="small") if event.image else None,
            tag("div", view.file(event.log, "log"), class_="small") if event.log else None,
        ),
    )
