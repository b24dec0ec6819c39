"""Run a workflow on a server: a history of its own, uploads, the invocation, its end, its outputs.

What has been made on the server is journalled before it is waited for, so that whoever comes after a crash goes on with
it: the history first, then the uploads, then the invocation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wfx.engines import EngineResult, StepEvent
from wfx.errors import EngineError, FetchError, ReferenceNotFound
from wfx.staging import StagedRun
from wfx.values import JsonValue

from wfx_galaxy import downloading, inputs, jobs
from wfx_galaxy.following import BROKEN, ENDED, STOPPED, Following, Job
from wfx_galaxy.forms import write_forms
from wfx_galaxy.model import GalaxyWorkflow
from wfx_galaxy.native import with_uuids
from wfx_galaxy.server import Server, repeated
from wfx_galaxy.sites import Site
from wfx_galaxy.uploading import upload

ERRORS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Handle:
    """What a run has on the server: data, journalled as it grows."""

    server: str
    history: str
    uploads: dict[str, str] = field(default_factory=dict)
    """Path in the run directory → dataset."""
    workflow: str = ""
    invocation: str = ""

    @classmethod
    def read(cls, value: JsonValue, server: str) -> Handle | None:
        """Read what was journalled; None for what is none, or another server's."""
        if not isinstance(value, dict) or value.get("server") != server or not value.get("history"):
            return None
        names = {item.name for item in dataclasses.fields(cls)}
        return cls(**{name: item for name, item in value.items() if name in names})  # type: ignore[arg-type]

    def json(self) -> JsonValue:
        """Return it for the journal."""
        result: JsonValue = dataclasses.asdict(self)
        return result


@dataclass(slots=True)
class Invocation:
    """One run on one server."""

    server: Server
    site: Site
    workflow: GalaxyWorkflow
    document: bytes
    staged: StagedRun
    events: Callable[[StepEvent], None]
    journal: Callable[[JsonValue], None]
    handle: Handle

    def run(self) -> EngineResult:
        """Go all the way, from wherever an earlier attempt has come to."""
        if not self.handle.invocation:
            self._start()
        digests = {
            self.handle.uploads[item.path]: item.sha256
            for item in self.staged.lock.items
            if item.path in self.handle.uploads
        }
        locations = {dataset: path for path, dataset in self.handle.uploads.items()}
        entry = self.staged.plan.workflow.entry
        places = downloading.Places(self.server, self.site, self.workflow)
        describe = jobs.Describer(self.server, self.workflow, entry, places, digests, locations)
        following = Following(self.server, self.workflow, self.handle.invocation)
        found = following.wait(self.events, describe)
        error = self._complaint(following, found)
        values = downloading.bring(
            self.server, self.site, self.workflow, following.answers[""], self.staged.directory, describe
        )
        if not error:
            self._clean()
        forms = write_forms(self.document, entry, self.staged.plan.description.name or entry, self.staged.directory)
        return EngineResult(
            "failed" if error else "completed", 1 if error else 0, values, command=self._command(), error=error,
            forms=forms,
        )  # fmt: skip

    # -- to the invocation

    def _keep(self, **changes: Any) -> None:
        self.handle = dataclasses.replace(self.handle, **changes)
        self.journal(self.handle.json())

    def _start(self) -> None:
        plan, lock = self.staged.plan, self.staged.lock
        datatypes = frozenset(str(name) for name in self.server.get("datatypes", extension_only=True))
        wanted = inputs.uploads(
            self.workflow, plan.inputs, self.staged.directory, {item.path: item.sha256 for item in lock.items},
            {item.path: item.origin.uri for item in lock.items if not item.origin.is_local}, datatypes,
            dbkey=self.site.dbkey, by_url=self.site.by_url,
        )  # fmt: skip
        datasets = upload(
            self.server, self.handle.history, wanted, self.handle.uploads, lambda known: self._keep(uploads=dict(known))
        )
        if not self.handle.workflow:
            self._keep(workflow=self._imported())
        given = inputs.for_invocation(self.server, self.handle.history, self.workflow, plan.inputs, datasets)
        self._keep(invocation=self._invoked(given))

    def _imported(self) -> str:
        if self.workflow.form == "ga":
            content = with_uuids(json.loads(self.document))
        else:
            content = {"class": "GalaxyWorkflow", "yaml_content": self.document.decode("utf-8")}
        made = self.server.post_again("workflows", {"workflow": content})
        return str(made["id"])

    def _invoked(self, given: Mapping[str, Any]) -> str:
        # A call that was cut off may have taken effect all the same: then the history has its invocation.
        earlier = self.server.get("invocations", history_id=self.handle.history)
        if earlier:
            return str(earlier[-1]["id"])
        try:
            made = self.server.make_post_request(
                f"{self.server.url}/workflows/{self.handle.workflow}/invocations",
                payload={
                    "history_id": self.handle.history, "inputs": dict(given),
                    "inputs_by": "step_uuid" if self.workflow.form == "ga" else "name",
                    "require_exact_tool_versions": not self.site.other_versions, "use_cached_job": self.site.reuse_jobs,
                    # What a document leaves out of a tool's parameters has the tool's defaults, as planemo has it.
                    "allow_tool_state_corrections": True,
                },
            )  # fmt: skip
        except FetchError as error:
            earlier = self.server.get("invocations", history_id=self.handle.history)
            if earlier:
                return str(earlier[-1]["id"])
            raise EngineError(
                "the server does not start the workflow", where=self.server.base_url, why=error.why or error.what
            ) from error
        return str(made["id"])

    # -- after it

    def _complaint(self, following: Following, found: list[Job] | Any) -> str:
        """Return why the run failed; empty where it did not."""
        answer = following.answers[""]
        bad = [job for job in found if job.state in BROKEN]
        lines = []
        for job in bad[:ERRORS_SHOWN]:
            event = following.told.get(job.id)
            lines.append(
                f"step '{job.execution}' ({event.tool if event else 'tool'}) failed: {event.error if event else ''}"
            )
        if len(bad) > ERRORS_SHOWN:
            lines.append(f"and {len(bad) - ERRORS_SHOWN} more jobs")
        if stopped := [job.execution for job in found if job.state in STOPPED]:
            lines.append(f"jobs were deleted on the server: {', '.join(stopped)}")
        if not lines and (paused := [job.execution for job in found if job.state == "paused"]):
            lines.append(f"jobs are paused on the server: {', '.join(paused)}; look at the history in Galaxy")
        if waiting := following.waiting():
            lines.append(f"it waits for a review in Galaxy: {', '.join(waiting)}")
        state = str(answer.get("state"))
        if not lines and state in ("failed", "cancelled", "cancelling"):
            reasons = [str(item.get("details") or item.get("reason") or item) for item in answer.get("messages") or []]
            lines.append(f"the invocation is {state}{': ' if reasons else ''}{'; '.join(reasons)}")
        return "\n".join(lines)

    def _clean(self) -> None:
        """Leave on the server what the site's settings say; the copy of the workflow is no use to anybody."""
        with contextlib.suppress(FetchError):
            if self.handle.workflow:
                self.server.make_delete_request(f"{self.server.url}/workflows/{self.handle.workflow}")
        if self.site.history == "keep" or not self.site.download:
            return
        self.server.make_delete_request(
            f"{self.server.url}/histories/{self.handle.history}", payload={"purge": self.site.history == "purge"}
        )

    def _command(self) -> tuple[str, ...]:
        plan = self.staged.plan
        return (
            "planemo",
            "run",
            f"workflow/{plan.workflow.entry}",
            "inputs.json",
            "--galaxy_url",
            self.server.base_url,
        )


def begin(server: Server, name: str, known: JsonValue, journal: Callable[[JsonValue], None]) -> Handle:
    """Return the handle of an earlier attempt whose history is still there, or a new history's."""
    handle = Handle.read(known, server.base_url)
    if handle is not None and _is_there(server, handle):
        return handle
    body = json.dumps({"name": name}).encode()
    answer = repeated(
        lambda: server.http(
            f"{server.url}/histories", method="POST", data=body, headers={"Content-Type": "application/json"}
        ),
        server.patience,
    )
    handle = Handle(server.base_url, str(json.loads(answer.read())["id"]))
    journal(handle.json())
    return handle


def _is_there(server: Server, handle: Handle) -> bool:
    try:
        history = server.get(f"histories/{handle.history}")
        if history.get("deleted") or history.get("purged"):
            return False
        if handle.invocation:
            # One that has failed or was cancelled is not gone on with.
            answer = server.get(f"invocations/{handle.invocation}", step_details=True)
            states = {str(job.get("state")) for step in answer.get("steps") or [] for job in step.get("jobs") or []}
            return str(answer.get("state")) not in ("failed", "cancelled", "cancelling") and not states & (
                BROKEN | STOPPED
            )
    except ReferenceNotFound:
        return False
    return True


def cancel(server: Server, handle: Handle) -> None:
    """Cancel an invocation and each of its jobs that has not ended."""
    if not handle.invocation:
        return
    with contextlib.suppress(FetchError):
        server.make_delete_request(f"{server.url}/invocations/{handle.invocation}")
    for job in server.get("jobs", invocation_id=handle.invocation):
        if str(job.get("state")) not in ENDED:
            with contextlib.suppress(FetchError):
                server.make_delete_request(f"{server.url}/jobs/{job['id']}")
