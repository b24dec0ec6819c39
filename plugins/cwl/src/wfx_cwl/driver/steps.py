"""cwltool's own objects, made to tell which step of the workflow they are."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from .events import Execution, Recorder
from .names import short


def scatter_index(callback: Any) -> list[int]:
    """Read from its callback which instance of a scatter an execution is; empty where there is no scatter."""
    index: list[int] = []
    while (
        isinstance(callback, functools.partial) and getattr(callback.func, "__name__", "") == "receive_scatter_output"
    ):
        index.append(int(callback.args[0]))
        callback = callback.func.__self__.output_callback  # type: ignore[attr-defined]
    return index[::-1]


def make_telling(recorder: Recorder, toolpath_object: Any, loading_context: Any) -> Any:
    """Make cwltool's objects, with workflows whose steps tell what they do."""
    from cwltool.workflow import Workflow as CwlWorkflow
    from cwltool.workflow import WorkflowStep, default_make_tool

    if toolpath_object.get("class") != "Workflow":
        tool = default_make_tool(toolpath_object, loading_context)
        recorder.tools.append(tool)
        return tool

    class TellingStep(WorkflowStep):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.siblings: set[str] = set()

        def job(self, job_order: Any, output_callbacks: Any, runtime_context: Any) -> Iterator[Any]:
            parent = getattr(runtime_context, "wfx_execution", "")
            scope = getattr(runtime_context, "wfx_scope", "")
            execution = recorder.begin(self, parent, scope, scatter_index(output_callbacks), self.siblings)
            inputs = {short(key): value for key, value in job_order.items()}
            within = runtime_context.copy()
            within.wfx_execution, within.wfx_scope = execution.fields["id"], execution.fields["step"]
            if within.cachedir:
                within.cachedir = recorder.cache_of(execution)

            def done(outputs: Any, status: str) -> None:
                execution.finish(outputs, status)
                output_callbacks(outputs, status)

            try:
                for job in super().job(job_order, done, within):
                    if job is not None and getattr(job, "wfx_execution", None) is None:
                        job.wfx_execution = execution
                        job.wfx_inputs = inputs
                        if isinstance(self.embedded_tool, CwlWorkflow):
                            execution.start(inputs)
                    yield job
            except Exception as error:
                execution.messages.append(str(error))
                execution.start(inputs)
                execution.finish({}, "permanentFail")
                raise

    class TellingWorkflow(CwlWorkflow):  # type: ignore[misc]
        def make_workflow_step(self, item: Any, position: int, context: Any, provenance: Any = None) -> Any:
            step = TellingStep(item, position, context, provenance)
            step.siblings = {short(other["id"]) for other in self.tool["steps"]}
            return step

    return TellingWorkflow(toolpath_object, loading_context)


def tag_jobs(process: Any, execution: Execution, inputs: Any) -> None:
    """Mark the jobs of a tool that is no workflow's step."""
    original = process.job

    def job(*arguments: Any, **options: Any) -> Iterator[Any]:
        for item in original(*arguments, **options):
            if item is not None:
                item.wfx_execution, item.wfx_inputs = execution, inputs
            yield item

    process.job = job


def tell_skipped(workflow: Any, recorder: Recorder, status: str) -> None:
    """Tell of the steps that a condition, or an empty scatter, has left out."""
    if workflow.tool["class"] != "Workflow" or status != "success":
        return
    scopes: list[tuple[Any, str, str]] = [(workflow, "", "")]
    for execution in list(recorder.executions.values()):
        fields = execution.fields
        process = subprocess_of(workflow, fields["step"])
        if process is not None:
            scopes.append((process, fields["id"], fields["step"]))
    for process, parent, scope in scopes:
        ran = {e.fields["step"] for e in recorder.executions.values() if e.fields["parent"] == parent}
        for step in process.steps:
            name = short(step.tool["id"])
            if (f"{scope}/{name}" if scope else name) not in ran:
                recorder.begin(step, parent, scope, [], set()).finish({}, "skipped")


def subprocess_of(process: Any, step: str) -> Any:
    """Return the workflow that a step runs; None where it runs a tool."""
    for part in step.split("/"):
        found = next((s for s in process.steps if short(s.tool["id"]) == part), None)
        if found is None or found.embedded_tool.tool["class"] != "Workflow":
            return None
        process = found.embedded_tool
    return process
