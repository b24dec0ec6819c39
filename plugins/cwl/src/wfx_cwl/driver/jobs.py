"""Run the jobs that cwltool makes of steps, several at once, and see what each of them uses and says."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import types
from pathlib import Path
from typing import Any

from .events import CURRENT, Execution, Recorder

# Beyond so many inputs of one tool only words that are a path as a whole are looked up.
MANY = 1000
EXIT_CODE = ".exit-code"
JOB_ENDED = re.compile(r"^(exited with status|was terminated by signal|completed)")
# cwltool shows the whole script, and what node says of it last.
SCRIPT = re.compile(
    r"Expecting value: line \d+ column \d+ \(char \d+\) script was: .*stderr was: .*?(\w*Error: .*?)(?: at .*|'?$)"
)
TIME_LIMIT = re.compile(r"\[job (.+)\] exceeded time limit of (\d+) seconds")


def make_executor(recorder: Recorder, cores: int, memory: int) -> Any:
    """Return cwltool's parallel executor, with a thread-local word of which execution runs."""
    from cwltool.command_line_tool import CallbackJob
    from cwltool.executors import MultithreadedJobExecutor
    from cwltool.job import JobBase

    class TellingExecutor(MultithreadedJobExecutor):  # type: ignore[misc]
        def select_resources(self, request: Any, runtime_context: Any) -> Any:
            # A tool that asks for more than there is gets what there is, as from cwltool's own default executor.
            most = {"cores": self.max_cores, "ram": self.max_ram}
            capped = dict(request)
            for name, limit in most.items():
                for end in ("Min", "Max"):
                    if capped[name + end] > limit:
                        logging.getLogger("cwltool").warning(
                            "asks for %s %s; %s are there", capped[name + end], name, limit
                        )
                        capped[name + end] = limit
            return super().select_resources(capped, runtime_context)

        def _runner(self, job: Any, runtime_context: Any, lock: Any) -> None:
            execution: Execution | None = getattr(job, "wfx_execution", None)
            if execution is None or not hasattr(job, "run") or type(job).__name__ == "WorkflowJob":
                super()._runner(job, runtime_context, lock)
                return
            context = runtime_context.copy()
            context.rm_tmpdir = True
            execution.cached = isinstance(job, CallbackJob)
            if execution.cached:
                self._give_exit_code(job)
            CURRENT.execution = execution
            with contextlib.ExitStack() as stack:
                if isinstance(job, JobBase):
                    self._prepare(job, execution, context, stack)
                execution.start(getattr(job, "wfx_inputs", None) or dict(getattr(job, "joborder", {})))
                try:
                    super()._runner(job, context, lock)
                finally:
                    CURRENT.execution = None
            if not execution.ended and self.exceptions:
                execution.messages.append(str(self.exceptions[-1]))
                execution.finish({}, "permanentFail")

        def _give_exit_code(self, job: Any) -> None:
            """Let a job that is found in the cache end with the exit code that it had.

            cwltool hands a flag over in its place, and expressions of outputs may ask for runtime.exitCode.
            """
            kept = Path(job.outdir + EXIT_CODE)
            code = int(kept.read_text()) if kept.is_file() else 0

            def run(*_: Any) -> None:
                tool = job.job
                outputs = tool.collect_output_ports(tool.tool["outputs"], job.cachebuilder, job.outdir, code)
                if job.output_callback:
                    job.output_callback(outputs, "success")

            job.run = run

        def _prepare(self, job: Any, execution: Execution, context: Any, stack: contextlib.ExitStack) -> None:
            execution.fields["command"] = [recorder.clean(word) for word in as_given(job)]
            execution.fields |= recorder.images.of(job)
            recorder.jobs[job.name] = execution
            assert recorder.logs is not None
            execution.log = recorder.logs / (execution.fields["id"] + ".log")
            execution.log.parent.mkdir(parents=True, exist_ok=True)
            log = stack.enter_context(execution.log.open("wb"))
            context.default_stdout = context.default_stderr = log
            collect = job.collect_outputs

            def collected(outdir: str, code: int) -> Any:
                execution.fields["exit_code"] = code
                if Path(outdir).is_relative_to(str(recorder.cache)):
                    Path(outdir + EXIT_CODE).write_text(str(code))
                return collect(outdir, code)

            job.collect_outputs = collected

    executor = TellingExecutor()
    if cores:
        # Not by its argument, which older versions do not have.
        executor.max_cores = float(cores)
    if memory:
        executor.max_ram = min(executor.max_ram, memory // 2**20)
    return executor


def as_given(job: Any) -> list[str]:
    """Return the command line with each input where it lies, not where cwltool has linked it for this once."""
    words = [str(word) for word in job.command_line]
    stage = getattr(job, "stagedir", None)
    if not stage or not any(stage in word for word in words):
        return words
    places = {
        entry.target: entry.resolved
        for _, entry in job.pathmapper.items()
        if entry.type in ("File", "Directory") and entry.resolved.startswith("/")
    }
    # Of paths that begin alike the longest is the right one.
    several = sorted(places, key=len, reverse=True) if len(places) < MANY else []

    def given(word: str) -> str:
        if word in places:
            return places[word]
        if stage in word:
            for target in several:
                word = word.replace(target, places[target])
        return word

    return [given(word) for word in words]


def measure_processes() -> None:
    """Have cwltool's processes waited for with `wait4`, which tells what they used."""
    import time

    import cwltool.job

    class Measured(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.execution: Execution | None = getattr(CURRENT, "execution", None)
            self.began = time.monotonic()
            super().__init__(*arguments, **options)

        def _try_wait(self, flags: int) -> tuple[int, int]:
            try:
                pid, status, usage = os.wait4(self.pid, flags)
            except ChildProcessError:
                return self.pid, 0
            if pid == self.pid and self.execution is not None:
                self.execution.measured(usage, time.monotonic() - self.began)
            return pid, status

    shim = types.ModuleType("subprocess")
    shim.__dict__.update(vars(subprocess), Popen=Measured)
    cwltool.job.subprocess = shim  # type: ignore[attr-defined]


class Listener(logging.Handler):
    """Keeps what cwltool complains of, for the error of the step that it is about."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(logging.WARNING)
        self.recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        """Take a message."""
        message = " ".join(record.getMessage().split())
        # It begins with the name of a job, which the event has; of a step that came to no job it is all there is.
        text = re.sub(r"^\[(workflow|job) [^\]]*\] (Job error: )?", "", message)
        text = re.sub(r"^\[step ([^\]]*)\] ", r"step '\1': ", text)
        text = SCRIPT.sub(r"\1", text)
        execution: Execution | None = getattr(CURRENT, "execution", None)
        limit = TIME_LIMIT.match(message)
        if limit:
            # It comes from a thread of its own.
            execution = self.recorder.jobs.get(limit[1])
            text = f"it has exceeded its time limit of {limit[2]} s"
        elif record.levelno < logging.ERROR:
            # An expression that fails is only warned of; that a job has failed the event says itself.
            if execution is not None and not execution.ended and not JOB_ENDED.search(text):
                execution.warnings.append(text)
            return
        # The end of the last step is that of its workflow too, whose complaints come from the same thread.
        told = self.recorder.messages if execution is None or execution.ended else execution.messages
        told.append(text)
