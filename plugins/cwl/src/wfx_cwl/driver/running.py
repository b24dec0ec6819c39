"""Run a loaded document and say how it ended."""

from __future__ import annotations

import functools
import logging
import shutil
import signal
import traceback
from pathlib import Path
from typing import Any

from .description import Describer
from .events import TAIL, Execution, Recorder
from .images import Images
from .jobs import Listener, make_executor, measure_processes
from .loading import Workflow
from .names import aslist, uri_of
from .outputs import publish
from .steps import tag_jobs, tell_skipped


def run(workflow: Workflow, message: dict[str, Any]) -> dict[str, Any]:
    """Run the loaded workflow; tell events, return the result."""
    from cwltool.context import RuntimeContext
    from cwltool.errors import WorkflowException
    from cwltool.process import add_sizes, fill_in_defaults
    from cwltool.stdfsaccess import StdFsAccess
    from cwltool.utils import normalizeFilesDirs, visit_class
    from schema_salad.exceptions import SchemaSaladException

    root, state = message["root"], Path(message["state"])
    recorder, process = workflow.recorder, workflow.process
    recorder.root, recorder.logs, recorder.describer = root, Path(message["logs"]), Describer(workflow)
    places = {name: state / name for name in ("cwltool-tmp", "cwltool-out", "cache")}
    for name, place in places.items():
        if name != "cache":
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
    context = RuntimeContext()
    context.basedir = root
    recorder.images = Images(message.get("containers"))
    recorder.images.configure(context)
    recorder.images.give(recorder.tools)
    context.tmpdir_prefix = f"{places['cwltool-tmp']}/"
    context.tmp_outdir_prefix = f"{places['cwltool-out']}/"
    if not updates_in_place(process):
        # What a killed run has finished is found here again. A tool that changes an earlier one's output has no way back.
        context.cachedir = str(places["cache"])
    recorder.cache = places["cache"]
    context.rm_tmpdir = False
    executor = make_executor(recorder, message["cores"], message["memory"])
    context.select_resources = executor.select_resources
    measure_processes()
    job = located(message["job"], root)
    access = StdFsAccess(root)
    lone = None
    if process.tool["class"] != "Workflow":
        lone = Execution(
            recorder, Path(workflow.entry).stem, "", "", recorder.describer.identifier(process.tool, ""), ""
        )
    outputs: Any = None
    status, error = "permanentFail", ""
    listener = Listener(recorder)
    logging.getLogger("cwltool").addHandler(listener)
    try:
        fill_in_defaults(process.tool["inputs"], job, access)
        visit_class(job, ("File",), functools.partial(add_sizes, access))
        normalizeFilesDirs(job)
        if lone is not None:
            tag_jobs(process, lone, job)
        outputs, status = executor(process, job, runtime_context=context)
        if status == "success" and outputs is not None:
            # A lone tool's own files may be removed from under its event: it is told after they are in their place.
            outputs = publish(outputs, Path(message["outputs"]), root, access)
        else:
            status = "permanentFail" if status == "success" else status
    except (WorkflowException, SchemaSaladException) as problem:
        status, error = "permanentFail", workflow.relative_text(recorder.clean(str(problem)))
    except Exception as problem:  # noqa: BLE001 (a tool's output can make cwltool fail in any way; the run has failed)
        traceback.print_exc()
        status, error = "permanentFail", recorder.clean(f"{type(problem).__name__}: {problem}")
    finally:
        logging.getLogger("cwltool").removeHandler(listener)
    if lone is not None:
        if status != "success" and error and not lone.messages:
            lone.messages.append(error)
        lone.start(job)
        lone.finish(outputs if isinstance(outputs, dict) else {}, status)
    for execution in list(recorder.executions.values()):
        if "started" in execution.fields:
            # Whatever went wrong in cwltool: what has begun has ended.
            execution.finish({}, "permanentFail")
    tell_skipped(process, recorder, status)
    if status == "success":
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
    return {
        "status": status, "exit_code": exit_code(status, recorder),
        "outputs": recorder.public(outputs or {}) if status == "success" else {},
        "error": "" if status == "success" else why(recorder, error),
    }  # fmt: skip


def updates_in_place(process: Any) -> bool:
    """Say whether a tool may change files where they lie (InplaceUpdateRequirement)."""
    needs: list[Any] = []
    process.visit(lambda tool: needs.extend([*aslist(tool.get("requirements")), *aslist(tool.get("hints"))]))
    return any(
        need.get("inplaceUpdate") for need in needs if str(need.get("class")).endswith("InplaceUpdateRequirement")
    )


def located(value: Any, root: str) -> Any:
    """Return the job with each file's place as a URI."""
    if isinstance(value, list):
        return [located(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: located(item, root) for key, item in value.items()}
    if value.get("class") in ("File", "Directory"):
        result.pop("checksum", None)
        location = value.get("location")
        if isinstance(location, str) and "://" not in location and not location.startswith("_:"):
            result["location"] = uri_of(Path(root) / location)
    return result


def exit_code(status: str, recorder: Recorder) -> int:
    """Return 0, or the exit code of the first step that failed, or 1."""
    if status == "success":
        return 0
    codes = [e.fields["exit_code"] for e in recorder.failed if e.fields.get("exit_code")]
    return int(codes[0]) if codes else 1


def why(recorder: Recorder, error: str) -> str:
    """Say why the run failed: the innermost step first."""
    lines = []
    for execution in recorder.failed[:3]:
        fields = execution.fields
        if any(other.fields["parent"] == fields["id"] for other in recorder.failed):
            continue
        head = f"step '{fields['id']}'" if fields["step"] else f"'{fields['id']}'"
        lines.append(f"{head} {ended(fields.get('exit_code'))}: {fields.get('error', '')}".rstrip(": "))
    if error and not lines:
        lines.append(error)
    if not any(execution.fields.get("error") for execution in recorder.failed):
        lines += [recorder.clean(text) for text in recorder.messages if text not in error][:TAIL]
    return "\n".join(lines) or "cwltool says only that it failed"


def ended(code: int | None) -> str:
    """Say how a program ended."""
    if not code:
        return "failed"
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"died by the signal {signal.Signals(-code).name}"
    except ValueError:
        return f"died by the signal {-code}"
