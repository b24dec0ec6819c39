"""What happens to the steps, told while it happens."""

from __future__ import annotations

import hashlib
import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .channel import tell
from .images import Images
from .names import now, path_of, short, text_of

if TYPE_CHECKING:
    from .description import Describer

LONGEST_LITERAL = 65536
TAIL = 5
CURRENT = threading.local()


class Execution:
    """One execution of one step."""

    def __init__(self, recorder: Recorder, identifier: str, step: str, parent: str, tool: str, name: str) -> None:
        self.recorder = recorder
        self.fields: dict[str, Any] = {"id": identifier, "step": step, "parent": parent, "tool": tool, "name": name}
        self.messages: list[str] = []
        self.warnings: list[str] = []
        self.log: Path | None = None
        self.cached = False
        self.ended = False

    def start(self, inputs: dict[str, Any]) -> None:
        """Tell that it begins."""
        if "started" in self.fields:
            return
        self.fields |= {"started": now(), "inputs": self.recorder.public(inputs)}
        self._tell("started", self.fields["started"], without=("inputs",))

    def finish(self, outputs: dict[str, Any] | None, status: str) -> None:
        """Tell how it ended."""
        if self.ended:
            return
        self.ended = True
        ended = now()
        self.fields.setdefault("started", ended)
        self.fields |= {
            "ended": ended,
            "outputs": self.recorder.public({short(k): v for k, v in (outputs or {}).items()}),
        }
        state = {"success": "completed", "skipped": "skipped"}.get(status, "failed")
        if state == "completed" and self.cached:
            state = "cached"
        if self.log is not None and self.log.is_file():
            if self.log.stat().st_size:
                self.fields["log"] = self.recorder.relative(str(self.log))
            else:
                self.log.unlink()
        if state == "failed":
            self.fields["error"] = self.recorder.clean(
                "\n".join([*(self.messages or self.warnings)[-TAIL:], *self._tail()])
            )
            self.recorder.failed.append(self)
        self._tell(state, ended)

    def measured(self, usage: Any, seconds: float) -> None:
        """Keep what the operating system says of the process and its children."""
        resources = {"wall_seconds": round(seconds, 3)}
        if "image" in self.fields:
            # The process is the runtime's client: what the tool itself used is not known.
            self.fields["resources"] = resources
            return
        resources["cpu_seconds"] = round(usage.ru_utime + usage.ru_stime, 3)
        # The child has begun as a copy of this process (vfork(2)), whose memory Linux counts as its own.
        if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            resources["max_memory_bytes"] = float(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        self.fields["resources"] = resources

    def _tail(self) -> list[str]:
        if self.log is None or not self.log.is_file():
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return [line for line in lines if line.strip()][-TAIL:]

    def _tell(self, state: str, time: str, without: tuple[str, ...] = ()) -> None:
        fields = {key: value for key, value in self.fields.items() if key not in without}
        tell({"event": {**fields, "state": state, "time": time}})


class Recorder:
    """Knows which execution is which, and writes paths for others to read."""

    def __init__(self) -> None:
        self.root = ""
        self.logs: Path | None = None
        self.cache: Path | None = None
        self.executions: dict[str, Execution] = {}
        self.jobs: dict[str, Execution] = {}
        self.failed: list[Execution] = []
        self.messages: list[str] = []
        self.describer: Describer | None = None
        self.tools: list[Any] = []
        """cwltool's objects of tools, which its own `visit` gives only as documents."""
        self.images = Images(None)
        self._lock = threading.Lock()

    def begin(self, step: Any, parent: str, scope: str, index: list[int], siblings: set[str]) -> Execution:
        """Enter an execution of a step. The n-th of a scatter has `_n` in its id, whatever order they run in."""
        name = short(step.tool["id"])
        own = name
        if index and any(index):
            mark = "_"
            while any(other.startswith(name + mark) and other[len(name + mark) :].isdigit() for other in siblings):
                mark += "_"
            own = name + mark + "_".join(str(i + 1) for i in index)
        identifier = f"{parent}/{own}" if parent else own
        step_id = f"{scope}/{name}" if scope else name
        assert self.describer is not None
        execution = Execution(
            self, identifier, step_id, parent, self.describer.identifier(step.embedded_tool.tool, step_id),
            text_of(step.tool.get("label")),
        )  # fmt: skip
        with self._lock:
            self.executions[identifier] = execution
        return execution

    def cache_of(self, execution: Execution) -> str:
        """Return the folder in which cwltool keeps what this execution has made, for an attempt that goes on from it.

        Each has its own: cwltool locks a key of its cache, and two instances of a scatter with equal inputs would wait
        for each other for ever; and what runs twice in one attempt is to run twice, as without a cache.
        """
        assert self.cache is not None
        folder = self.cache / hashlib.sha256(execution.fields["id"].encode("utf-8", "surrogateescape")).hexdigest()[:32]
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def relative(self, path: str) -> str:
        """Return a path relative to the run directory."""
        return path[len(self.root) + 1 :] if path.startswith(self.root + "/") else path

    def clean(self, text: str) -> str:
        """Take the run directory's path out of a text."""
        return (
            text.replace("file://" + quote(os.fsencode(self.root)) + "/", "")
            .replace(self.root + "/", "")
            .replace(self.root, ".")
            # schema-salad writes the places in documents relative to the working directory.
            .replace(os.path.relpath(f"{self.root}/workflow") + "/", "workflow/")
        )

    def public(self, value: Any) -> Any:
        """Return a value whose files say where they lie in the crate, or else only what they are."""
        if isinstance(value, (list, tuple)):
            return [self.public(item) for item in value]
        if not isinstance(value, dict):
            return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        if value.get("class") not in ("File", "Directory"):
            return {str(key): self.public(item) for key, item in value.items()}
        kept = ("class", "basename", "size", "checksum", "format", "secondaryFiles", "listing")
        result = {key: self.public(value[key]) for key in kept if value.get(key) is not None}
        location = str(value.get("location") or value.get("path") or "")
        path = path_of(location) if location.startswith("file:") else location
        if path.startswith("/"):
            result.setdefault("basename", os.path.basename(path.rstrip("/")))
            relative = self.relative(path)
            if not relative.startswith(("/", ".wfx/")):
                result["location"] = relative
        elif value["class"] == "File" and isinstance(value.get("contents"), str):
            result["contents"] = value["contents"][:LONGEST_LITERAL]
        return result
