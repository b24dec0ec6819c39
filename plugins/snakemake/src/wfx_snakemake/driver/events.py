"""What happens to the jobs, told while it happens."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import resource
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .channel import tell
from .problems import Places, address_of
from .rules import named

TAIL = 5
CURRENT = threading.local()
PROGRAMS = {".py": "python", ".R": "Rscript", ".r": "Rscript", ".jl": "julia", ".sh": "bash", ".ipynb": "jupyter"}


def now() -> str:
    """Return the time with its zone."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class Execution:
    """One execution of one job."""

    def __init__(self, recorder: Recorder, job: Any, identifier: str, key: str) -> None:
        self.recorder, self.job, self.key = recorder, job, key
        rule = str(job.rule.name)
        tool = recorder.steps.get(rule)
        self.fields: dict[str, Any] = {
            "id": identifier, "step": rule if tool else "", "tool": tool or "", "name": rule, **recorder.image_of(job),
        }  # fmt: skip
        self.log = recorder.logs / f"{identifier}.log"
        self.messages: list[str] = []
        self.usage: dict[str, float] = {}
        self.ended = False

    def start(self) -> None:
        """Tell that it begins."""
        self.fields["started"] = now()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        tell({"event": {**self.fields, "state": "started", "time": self.fields["started"]}})
        # Digests are taken while the files are there: what is temporary goes as soon as nobody waits for it.
        self.fields["inputs"] = self._inputs()

    def produced(self) -> None:
        """Note what it has made, before Snakemake looks at it."""
        self.fields["outputs"] = self.recorder.values(self.job.output, "output")

    def finish(self, state: str) -> None:
        """Tell how it ended."""
        with self.recorder.lock:
            if self.ended:
                return
            self.ended = True
        if state == "completed":
            # `touch()` makes its files at the very end.
            self.produced()
            self.fields.setdefault("exit_code", 0)
        ended = now()
        self.fields["command"] = self.recorder.command_of(self.job)
        self.fields |= {"ended": ended, "resources": {**self.usage, **self._measured()}}
        self._gather_logs()
        if state == "failed":
            said = [*self.messages[-TAIL:], *tail(self.log)]
            self.fields["error"] = self.recorder.clean("\n".join(dict.fromkeys(said)))
            self.recorder.failed.append(self)
        else:
            self.recorder.remember(self.key, self.fields["id"])
        tell({"event": {**self.fields, "state": state, "time": ended}})

    def ran(self, code: int, usage: Any, seconds: float) -> None:
        """Keep what the operating system says of a process of the job and its children; a job may have several."""
        self.fields["exit_code"] = code
        self.usage["wall_seconds"] = round(self.usage.get("wall_seconds", 0) + seconds, 3)
        if "image" in self.fields or usage is None:
            return
        self.usage["cpu_seconds"] = round(self.usage.get("cpu_seconds", 0) + usage.ru_utime + usage.ru_stime, 3)
        # The child has begun as a copy of this process (vfork(2)), whose memory Linux counts as its own.
        if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            peak = float(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
            self.usage["max_memory_bytes"] = max(peak, self.usage.get("max_memory_bytes", 0))

    def _inputs(self) -> dict[str, Any]:
        values: dict[str, Any] = self.recorder.values(self.job.input, "input")
        wildcards = {str(k): str(v) for k, v in self.job.wildcards_dict.items()}
        parameters = {k: self.recorder.scalar(v) for k, v in named(self.job.params, "params") if k != "params"}
        return {**{k: v for k, v in parameters.items() if v is not None}, **wildcards, **values}

    def _measured(self) -> dict[str, float]:
        """Return the cores that it was given, and what Snakemake's own benchmark says."""
        found: dict[str, float] = {"cores": float(self.job.threads)}
        if self.job.benchmark is None:
            return found
        with contextlib.suppress(OSError, ValueError, IndexError):
            head, *rows = Path(str(self.job.benchmark)).read_text().splitlines()
            records = [dict(zip(head.split("\t"), row.split("\t"), strict=False)) for row in rows]
            memory = max(float(record["max_rss"]) for record in records)
            found["max_memory_bytes"] = max(memory * 2**20, self.usage.get("max_memory_bytes", 0))
        return found

    def _gather_logs(self) -> None:
        """Add the log files that the rule writes itself to what it said."""
        for path in map(str, self.job.log):
            with contextlib.suppress(OSError), open(path, "rb") as source:
                if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                    with self.log.open("ab") as log:
                        log.write(source.read())
        if self.log.is_file():
            if self.log.stat().st_size:
                self.fields["log"] = self.recorder.places.relative(self.log)
            else:
                self.log.unlink()


class Recorder:
    """Knows which execution is which, and writes paths for others to read."""

    def __init__(self, message: dict[str, Any], places: Places, workdir: Path) -> None:
        self.places, self.workdir = places, workdir
        self.logs = Path(message["logs"])
        self.steps: dict[str, str] = dict(message["steps"])
        self.containers: dict[str, Any] = dict((message.get("containers") or {}).get("images") or {})
        self.executions: dict[int, Execution] = {}
        self.failed: list[Execution] = []
        self.latest: dict[str, Execution] = {}
        self.messages: list[str] = []
        self.lock = threading.Lock()
        self._ids: dict[str, str] = {}
        self._attempts: dict[str, int] = {}
        self._digests: dict[tuple[str, int, int], str] = {}
        self._memory = places.state / "finished-jobs.jsonl"
        self.finished: dict[str, str] = dict(self._finished_before())

    def begin(self, job: Any) -> Execution:
        """Enter an execution of a job. Its id is the rule's name and its wildcards' values, the same in every attempt."""
        key = self.key(job)
        with self.lock:
            base = self._ids.get(key) or self._new_id(job, key)
            number = self._attempts[key] = self._attempts.get(key, 0) + 1
            execution = Execution(self, job, base if number == 1 else f"{base}.try{number}", key)
            self.executions[int(job.jobid)] = self.latest[key] = execution
            self.finished.pop(key, None)
        return execution

    def failures(self) -> list[Execution]:
        """Return the executions that are why the run failed: not those that were tried again."""
        return [execution for execution in self.failed if self.latest[execution.key] is execution]

    def end_all(self) -> None:
        """End what has begun, whatever went wrong in Snakemake: it complains of outputs that are missing by rule."""
        for execution in list(self.executions.values()):
            if not execution.ended:
                name = f"rule {execution.fields['name']} "
                execution.messages += [text for text in self.messages if name in text][-1:]
                execution.finish("failed")

    def key(self, job: Any) -> str:
        """Return what makes a job itself: its rule and wildcards."""
        wildcards = {str(k): str(v) for k, v in job.wildcards_dict.items()}
        return json.dumps([str(job.rule.name), wildcards], sort_keys=True)

    def _new_id(self, job: Any, key: str) -> str:
        values = [str(value) for value in job.wildcards_dict.values()]
        base = "_".join([str(job.rule.name), *(re.sub(r"[^\w.+-]+", "-", value).strip("-.") for value in values)])
        if len(base) > 100 or base in self._ids.values() or (values and base in self.steps):
            # `count_a` may be a rule too, and "a_b" and "c" read as "a" and "b_c".
            base = f"{base[:100]}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        self._ids[key] = base
        return base

    def _finished_before(self) -> Iterator[tuple[str, str]]:
        with contextlib.suppress(OSError):
            for line in self._memory.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last one may have been cut off
                    key, identifier = json.loads(line)
                    yield key, identifier

    def remember(self, key: str, identifier: str) -> None:
        """Write down that a job has finished, for an attempt that goes on from it."""
        with self.lock, self._memory.open("a") as file:
            file.write(json.dumps([key, identifier]) + "\n")

    def tell_cached(self) -> None:
        """Tell of the jobs that an earlier attempt has finished and this one has not run again."""
        for key, identifier in self.finished.items():
            rule, time = json.loads(key)[0], now()
            tell({"event": {
                "id": identifier, "step": rule if rule in self.steps else "", "tool": self.steps.get(rule, ""),
                "name": rule, "started": time, "ended": time, "state": "cached", "time": time,
            }})  # fmt: skip

    def image_of(self, job: Any) -> dict[str, str]:
        """Return what an event says of the image that a job runs in; nothing where it runs in none."""
        name = str(job.container_img_url or "") if self.containers else ""
        image = self.containers.get(name)
        return {"image": name, "image_digest": image["digest"]} if image else {}

    def command_of(self, job: Any) -> list[str]:
        """Return what a job executes: its shell command, or its script; nothing for Python of the Snakefile itself."""
        if job.shellcmd is not None:
            return ["bash", "-c", self.clean(str(job.shellcmd)).strip()]
        script = job.rule.script or job.rule.notebook
        if not script:
            return []
        path = job.format_wildcards(str(script)) if "{" in str(script) else str(script)
        folder = "" if path.startswith("/") else address_of(job.rule.basedir)
        full = os.path.normpath(os.path.join(folder, path))
        program = PROGRAMS.get(os.path.splitext(path)[1], "")
        return [*([program] if program else []), self.places.relative(full) if full.startswith("/") else path]

    # -- values

    def clean(self, text: str) -> str:
        """Take the paths of this machine out of a text."""
        return self.places.clean(text)

    def values(self, items: Any, unnamed: str) -> dict[str, Any]:
        """Return the files of a job by name."""
        found = {}
        for name, value in named(items, unnamed):
            several = isinstance(value, (list, tuple)) and not (name == unnamed and len(value) == 1)
            files = [self.file(str(path)) for path in (value if isinstance(value, (list, tuple)) else [value])]
            there = [file for file in files if file is not None]
            if there:
                found[name] = there if several else there[0]
        return found

    def file(self, path: str) -> dict[str, Any] | None:
        """Return a file of the working directory as a value: with its place where it lies in the crate."""
        full = os.path.join(self.workdir, path)
        try:
            info = os.stat(full)
        except OSError:
            return None
        name = os.path.basename(path.rstrip("/"))
        real = self.places.relative(os.path.realpath(full))
        value: dict[str, Any] = {"class": "File", "basename": name}
        if not real.startswith(("/", ".wfx/")):
            value["location"] = real
        if stat.S_ISDIR(info.st_mode):
            return {**value, "class": "Directory"}
        if not stat.S_ISREG(info.st_mode):
            return None  # a pipe: to read it would take it from its reader
        key = (full, info.st_mtime_ns, info.st_size)
        if key not in self._digests:
            with open(full, "rb") as file:
                self._digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return {**value, "size": info.st_size, "checksum": f"sha256${self._digests[key]}"}

    def scalar(self, value: Any) -> Any:
        """Return a parameter of a rule where it is a value that can be written; None else."""
        if isinstance(value, (bool, int, float)) or value is None:
            return value
        if isinstance(value, str):
            return self.clean(str(value))
        if isinstance(value, (list, tuple)):
            items = [self.scalar(item) for item in value]
            return items if items and None not in items else None
        return None


def tail(log: Path) -> list[str]:
    """Return the last lines of a log."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.strip()][-TAIL:]
