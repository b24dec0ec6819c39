"""Snakemake's own machinery, made to tell which job is at work, what its processes use, and how it ended.

Starts are seen where its local executor takes a job up, ends in the records that it hands to logger plugins
(Snakemake 9) or log handlers (8): their fields are read, never their text.
"""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import time
import types
from collections.abc import Callable
from typing import Any

from .events import CURRENT, Execution, Recorder
from .rules import is_target
from .scheduling import quicken


def watch(recorder: Recorder, before: Callable[[Any], None]) -> None:
    """Follow every job that is run from now on; `before` is called with the workflow before the first one."""
    from snakemake.executors import local

    original = local.Executor.cached_or_run

    def cached_or_run(self: Any, job: Any, run_func: Any, *arguments: Any) -> Any:
        if is_target(job.rule):
            return original(self, job, run_func, *arguments)
        execution = recorder.begin(job)
        execution.start()

        def run_here(*given: Any) -> Any:
            # Snakemake may call it in another thread than this one.
            CURRENT.execution = execution
            try:
                return run_func(*given)
            finally:
                CURRENT.execution = None

        try:
            result = original(self, job, run_here, *arguments)
            execution.produced()
            return result
        except BaseException as error:
            if not isinstance(error, subprocess.CalledProcessError) and "CalledProcessError" not in str(error):
                execution.messages += [line for line in str(error).splitlines() if line.strip()]
            execution.produced()
            execution.finish("failed")
            raise

    local.Executor.cached_or_run = cached_or_run
    measure()
    quicken()
    _begin_with(before)


def measure() -> None:
    """Have the jobs' processes write to their own logs, and waited for with `wait4`, which tells what they used."""
    from snakemake.executors import local

    # The package's attribute of that name is the class in it.
    shell = importlib.import_module("snakemake.shell")

    class Measured(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, args: Any, **options: Any) -> None:
            self.execution: Execution | None = getattr(CURRENT, "execution", None)
            self.began = time.monotonic()
            if self.execution is None:
                super().__init__(args, **options)
                return
            with self.execution.log.open("ab") as log:
                if options.get("stdout") is None or not isinstance(options["stdout"], int):
                    options["stdout"] = log
                options.setdefault("stderr", log)
                super().__init__(args, **options)

        def _try_wait(self, flags: int) -> tuple[int, int]:
            try:
                pid, status, usage = os.wait4(self.pid, flags)
            except ChildProcessError:
                return self.pid, 0
            if pid == self.pid and self.execution is not None:
                self.execution.ran(os.waitstatus_to_exitcode(status), usage, time.monotonic() - self.began)
            return pid, status

    def check_call(args: Any, **options: Any) -> int:
        process = Measured(args, **options)
        code = process.wait()
        if code:
            raise subprocess.CalledProcessError(code, args)
        return 0

    shim = types.ModuleType("subprocess")
    shim.__dict__.update(vars(subprocess), Popen=Measured, check_call=check_call)
    shell.sp = shim  # type: ignore[attr-defined]
    local.subprocess = shim


def _begin_with(before: Callable[[Any], None]) -> None:
    """Have `before` called first, and keep Snakemake from waiting for its jobs when it is to end.

    Who ends it ends them too.
    """
    try:
        from snakemake.scheduling.job_scheduler import JobScheduler
    except ImportError:
        from snakemake.scheduler import JobScheduler

    original = JobScheduler.schedule

    def schedule(self: Any) -> Any:
        before(self.workflow)
        return original(self)

    def leave(*_: Any) -> None:
        os._exit(143)

    JobScheduler.schedule = schedule
    JobScheduler.exit_gracefully = leave


class Listener(logging.Handler):
    """Takes the records of Snakemake 9, and through `message` those of 8."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(logging.INFO)
        self.recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of Snakemake 9."""
        event = str(getattr(record, "event", "") or "")
        if event == "job_finished":
            self.job_ended(getattr(record, "job_id", getattr(record, "jobid", None)), "completed")
        elif event == "job_error":
            self.job_ended(getattr(record, "jobid", None), "failed")
        elif event == "error" or record.levelno >= logging.ERROR:
            self.complain(record.getMessage())

    def message(self, said: dict[str, Any]) -> None:
        """Take a message of Snakemake 8."""
        level = said.get("level")
        if level == "job_finished":
            self.job_ended(said.get("jobid"), "completed")
        elif level == "job_error":
            self.job_ended(said.get("jobid"), "failed")
        elif level == "error":
            self.complain(str(said.get("msg") or ""))

    def job_ended(self, jobid: Any, state: str) -> None:
        """Tell the end of a job."""
        execution = self.recorder.executions.get(int(jobid)) if jobid is not None else None
        if execution is None or execution.ended:
            return
        if state == "failed":
            execution.messages += self.recorder.messages[-1:]
        execution.finish(state)

    def complain(self, text: str) -> None:
        """Keep an error that is of no process: an output that is missing, an ambiguous rule."""
        text = text.strip()
        if text and text != "None" and "CalledProcessError" not in text:
            self.recorder.messages.append(self.recorder.clean(text))
