"""The steps of a run as a timeline: one line a step, its executions as bars, drawn without a script."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wfx.engines import Description, StepEvent

from wfx_ro_crate.markup import Markup, raw, tag, text

WIDTH = 1000
"""Units of a bar's box; bars closer than one unit are drawn as one."""
ORDER = {"failed": 0, "completed": 1, "cached": 2, "skipped": 3}


@dataclass(slots=True)
class Line:
    """One step with its executions, or the steps of one subworkflow's execution."""

    step: str
    title: str
    tool: str
    depth: int
    doc: str = ""
    events: list[StepEvent] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many executions ended how."""
        counts: dict[str, int] = {}
        for event in self.events:
            counts[event.state] = counts.get(event.state, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: ORDER[item[0]]))

    @property
    def state(self) -> str:
        """What the step as a whole came to."""
        return next(iter(self.counts), "none")


def lines(description: Description, events: Sequence[StepEvent]) -> list[Line]:
    """Group executions by step, in the order of the workflow; a subworkflow's steps come below it."""
    by_step: dict[str, list[StepEvent]] = {}
    for event in events:
        by_step.setdefault(event.step or event.id, []).append(event)
    names = {tool.id: tool.name for tool in description.tools}
    steps = {step.id: step for step in description.steps}

    def place(step: str) -> list[int]:
        parts = step.split("/")
        prefixes = ("/".join(parts[: n + 1]) for n in range(len(parts)))
        return [steps[p].position if p in steps else 1_000_000 for p in prefixes]

    found = []
    for identifier in sorted({*steps, *by_step}, key=lambda s: (place(s), s)):
        step = steps.get(identifier)
        tool = step.tool if step else next((e.tool for e in by_step[identifier]), "")
        found.append(
            Line(
                identifier,
                (step.name if step else "") or identifier.rpartition("/")[2],
                names.get(tool) or tool,
                identifier.count("/"),
                step.doc if step else "",
                sorted(by_step.get(identifier, ()), key=lambda e: (e.started or e.time, e.id)),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Clock:
    """The time axis of a run."""

    start: float
    length: float

    @classmethod
    def of(cls, started: str, ended: str, events: Iterable[StepEvent]) -> Clock:
        """Span the run and each execution in it, of earlier attempts too."""
        moments = [m for m in (seconds(started), seconds(ended)) if m is not None]
        for event in events:
            moments += [m for m in (seconds(event.started), seconds(event.ended)) if m is not None]
        if not moments:
            return cls(0, 1)
        return cls(min(moments), max(max(moments) - min(moments), 0.001))

    def span(self, event: StepEvent) -> tuple[float, float] | None:
        """Return where on the axis an execution lies, from 0 to WIDTH; None where its times are unknown."""
        start, end = seconds(event.started), seconds(event.ended or event.time)
        if start is None or end is None:
            return None
        return tuple((moment - self.start) / self.length * WIDTH for moment in (start, max(start, end)))  # type: ignore[return-value]

    def offset(self, moment: str) -> str:
        """Return a time as the run's own."""
        at = seconds(moment)
        return "" if at is None else f"+{duration(at - self.start)}"


def seconds(moment: str) -> float | None:
    """Return a time as a number; None for one that is none."""
    try:
        time = datetime.datetime.fromisoformat(moment)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo else None


def duration(value: float) -> str:
    """Return a length of time for people."""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def elapsed(event: StepEvent) -> float | None:
    """Return how long an execution took, in seconds."""
    start, end = seconds(event.started), seconds(event.ended or event.time)
    return None if start is None or end is None else max(0.0, end - start)


def bars(line: Line, clock: Clock) -> Markup:
    """Draw the executions of a step; those that a reader could not tell apart are one bar."""
    merged: list[tuple[str, float, float]] = []
    for state in ("skipped", "cached", "completed", "failed"):
        spans = sorted(s for e in line.events if e.state == state and (s := clock.span(e)) is not None)
        for start, end in spans:
            if merged and merged[-1][0] == state and start <= merged[-1][2] + 1:
                merged[-1] = (state, merged[-1][1], max(end, merged[-1][2]))
            else:
                merged.append((state, start, end))
    drawn = "".join(
        f'<rect class="{state}" x="{min(start, WIDTH - 3):.1f}" y="3" width="{max(end - start, 3):.1f}" height="14" rx="2"/>'
        for state, start, end in merged
    )
    label = text(f"{line.title}: {told(line)}")
    return raw(
        f'<svg class="bar" viewBox="0 0 {WIDTH} 20" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<line x1="0" y1="10" x2="{WIDTH}" y2="10"/>{drawn}</svg>'
    )


def told(line: Line) -> str:
    """Say in a few words what became of a step."""
    if not line.events:
        return "did not run"
    parts = [f"{count} {state}" if len(line.events) > 1 else state for state, count in line.counts.items()]
    return ", ".join(parts)


def axis(clock: Clock) -> Markup:
    """Draw the ticks of the time axis."""
    ticks = [tag("span", duration(clock.length * part / 4) if part else "0") for part in range(5)]
    # In the grid of the steps, so that the ticks stand over their bars.
    return tag(
        "div", tag("span"), tag("div", ticks, class_="axis"), tag("span"), class_="step ticks", aria_hidden="true"
    )
