"""Follow an invocation to its true end: that of its jobs, not of its scheduling, and tell of each as it happens.

Galaxy calls an invocation `completed` when all of its steps are scheduled and none is left to run, with a job in error
and those after it paused too. So success is read from the jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wfx.engines import StepEvent

from wfx_galaxy import jobs
from wfx_galaxy.model import GalaxyStep, GalaxyWorkflow, step_of
from wfx_galaxy.server import Server

ENDED = frozenset({"ok", "error", "failed", "deleted", "deleted_new", "deleting", "skipped", "stopped", "paused"})
BROKEN = frozenset({"error", "failed"})
STOPPED = frozenset({"deleted", "deleted_new", "deleting", "stopped"})
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
LEFT_OVER = 30.0
"""Seconds for which a scheduled invocation may have steps without any job: mapped over nothing, there will be none."""


@dataclass(slots=True)
class Job:
    """A job of an invocation, as it stands."""

    id: str
    execution: str
    """Id of its event: the step's path, with a number from the second instance on."""
    path: str
    """Of its step: `align`, `calls/filter`."""
    state: str
    parent: str = ""


@dataclass(slots=True)
class Following:
    """What is known of an invocation so far."""

    server: Server
    workflow: GalaxyWorkflow
    invocation: str
    told: dict[str, StepEvent] = field(default_factory=dict)
    """End events by job."""
    running: set[str] = field(default_factory=set)
    parents: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    """Path of a (sub)workflow, empty for the main one → its invocation, as the server told it last."""

    def wait(self, events: Callable[[StepEvent], None], describe: jobs.Describer) -> Sequence[Job]:
        """Wait for the end, emitting events; return all jobs. Raises FetchError where the server stays away."""
        pause, quiet = FIRST_PAUSE, time.monotonic()
        before: list[tuple[str, str]] = []
        while True:
            found = list(self._jobs(self.invocation, self.workflow, "", ""))
            now = [(job.id, job.state) for job in found]
            if now != before:
                describe.places.learn(self.answers[""])
            for job in found:
                self._tell(job, events, describe)
            if now != before:
                pause, quiet, before = FIRST_PAUSE, time.monotonic(), now
            if self._over(found, time.monotonic() - quiet):
                self._tell_parents(events, found, describe)
                return found
            time.sleep(pause)
            pause = min(1.3 * pause, LONGEST_PAUSE)

    def _jobs(self, invocation: str, workflow: GalaxyWorkflow, prefix: str, parent: str) -> Iterator[Job]:
        answer = self.server.get(f"invocations/{invocation}", step_details=True)
        self.answers[parent] = answer
        for item in answer.get("steps") or []:
            step = step_of(workflow, item)
            if not isinstance(step, GalaxyStep):
                continue
            path = prefix + step.label
            inner = item.get("subworkflow_invocation_id")
            if step.workflow is not None and inner:
                yield from self._jobs(str(inner), step.workflow, f"{path}/", path)
                continue
            for number, job in enumerate(sorted(item.get("jobs") or [], key=lambda j: str(j.get("create_time"))), 1):
                execution = path if number == 1 else f"{path}_{number}"
                yield Job(str(job["id"]), execution, path, str(job.get("state")), parent)

    def _tell(self, job: Job, events: Callable[[StepEvent], None], describe: jobs.Describer) -> None:
        if job.id in self.told:
            return
        if job.state == "running" and job.id not in self.running:
            self.running.add(job.id)
            events(describe.started(job.execution, job.path, job.parent))
        if job.state in ENDED and job.state != "paused":
            event = describe.ended(job.id, job.execution, job.path, job.parent)
            self.told[job.id] = event
            events(event)

    def _over(self, found: Sequence[Job], quiet: float) -> bool:
        states = [str(answer.get("state")) for answer in self.answers.values()]
        if str(self.answers[""].get("state")) in ("failed", "cancelled", "cancelling"):
            return all(job.state in ENDED for job in found)
        if any(state not in ("scheduled", "completed") for state in states):
            return self._waits_for_review()
        if any(job.state not in ENDED for job in found):
            return False
        if any(job.state == "paused" for job in found):
            # A job paused for want of quota goes on by itself when there is room; one after a failure never will.
            return any(job.state in BROKEN | STOPPED for job in found) or quiet > LEFT_OVER
        return self._complete(found) or quiet > LEFT_OVER

    def _complete(self, found: Sequence[Job]) -> bool:
        """Say whether every step that runs a tool has a job: right after the scheduling some may be to come."""
        seen = {job.path for job in found}
        return all(step.kind != "tool" or path in seen for path, step in self.workflow.every_step())

    def _waits_for_review(self) -> bool:
        return bool(self.waiting())

    def waiting(self) -> list[str]:
        """Return the steps that wait for a person's word in Galaxy."""
        items = self.answers.get("", {}).get("steps") or []
        found = [(step_of(self.workflow, item), item) for item in items]
        return [
            step.label
            for step, item in found
            if isinstance(step, GalaxyStep) and step.kind == "pause" and item.get("state") == "new"
            and item.get("action") is None and _all_before_are_done(items, int(item["order_index"]))
        ]  # fmt: skip

    def _tell_parents(
        self, events: Callable[[StepEvent], None], found: Sequence[Job], describe: jobs.Describer
    ) -> None:
        """Tell of the subworkflows, deepest first: each lasts from its first job's begin to its last one's end."""
        steps = dict(self.workflow.every_step())
        for path in sorted((p for p in self.answers if p), key=lambda p: -p.count("/")):
            ends = [
                event for event in self.told.values() if event.parent == path or event.parent.startswith(f"{path}/")
            ]
            if not ends or path in self.parents:
                continue
            self.parents.add(path)
            bad = any(job.state != "ok" and job.state != "skipped" for job in found if job.parent == path)
            step: GalaxyStep = steps[path]
            events(
                StepEvent(
                    path, path, "failed" if bad else "completed", max(e.time for e in ends),
                    parent=path.rpartition("/")[0], tool=f"{describe.entry}#{path}", name=step.label,
                    started=min(e.started for e in ends if e.started), ended=max(e.ended for e in ends if e.ended),
                )
            )  # fmt: skip


def _all_before_are_done(items: Sequence[Mapping[str, Any]], number: int) -> bool:
    before = [item for item in items if int(item["order_index"]) < number]
    return all(str(job.get("state")) in ENDED for item in before for job in item.get("jobs") or [])
