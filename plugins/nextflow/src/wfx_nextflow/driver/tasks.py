"""What happens to the tasks, told while it happens: from the trace, and from what Nextflow leaves in their folders."""

from __future__ import annotations

import datetime
import os
import re
import shlex
from pathlib import Path
from typing import Any

from .channel import tell
from .files import Digests, by_kind, files_of, staged_of

TAIL = 6
LONGEST_LOG = 16 * 2**20
STATES = {"COMPLETED": "completed", "CACHED": "cached"}
# Nextflow's word for "nobody knows".
NO_EXIT = 2**31 - 1


def now() -> str:
    """Return the time with its zone."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def moment(text: str) -> str:
    """Return a time of the trace, milliseconds since 1970; empty for one that is not known."""
    if not text.isdigit() or text == "0":
        return ""
    return datetime.datetime.fromtimestamp(int(text) / 1000, datetime.UTC).isoformat(timespec="milliseconds")


class Recorder:
    """Knows which task is which, and writes paths for others to read."""

    def __init__(self, message: dict[str, Any], work: Path, logs: Path) -> None:
        self.root = str(message["root"])
        self.work, self.logs = work, logs
        self.steps: dict[str, dict[str, Any]] = message["steps"]
        self.images: dict[str, dict[str, str]] = (message["containers"] or {}).get("steps", {})
        self.rest = str(message["published"])
        self.digests = Digests()
        self.open: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, str] = {}
        """Hash of a task → its process."""
        self.ids: dict[str, str] = {}
        """Name of a task → the id of its last execution."""
        self.targets: dict[str, str] = {}
        """Path of a published file or folder → the step that made it."""
        self.contained = bool(message["containers"])
        self.unplanned: dict[str, set[str]] = {}
        """Image that a task ran in and that nobody had planned → its steps."""
        self.said: dict[str, str] = {}
        """Name or hash of a task → what Nextflow says went wrong."""

    # -- what log and trace say

    def began(self, short: str, name: str) -> None:
        """Take the submission of a task."""
        process = name.partition(" (")[0]
        fields = self._fields(short, process, name)
        self.open[short] = fields | {"started": now()}
        self._tell(self.open[short], "started", self.open[short]["started"])

    def complains(self, task: str, text: str) -> None:
        """Take what Nextflow says of a task that failed."""
        self.said[task] = "\n".join(filter(None, (self.said.get(task, ""), text)))

    def published(self, source: str, target: str) -> None:
        """Take the publication of a file or folder."""
        prefix = f"{self.work}/"
        if source.startswith(prefix):
            first, _, rest = source.removeprefix(prefix).partition("/")
            self.targets[target] = f"{first}/{rest[:6]}"

    def ended(self, row: dict[str, str]) -> None:
        """Take a row of the trace: the end of a task."""
        short, name = row["hash"], row["name"]
        fields = self.open.pop(short, None) or self._fields(short, row["process"], name)
        state = STATES.get(row["status"], "failed")
        folder = self._folder(row)
        started = moment(row["start"]) or moment(row["submit"]) or fields.get("started") or now()
        ended = max(moment(row["complete"]) or now(), started)
        fields |= {"started": started, "ended": ended, "resources": self._resources(row)}
        if int(row["attempt"] or 1) > 1 and row["attempt"].isdigit():
            fields["name"] = f"{name}, attempt {row['attempt']}"
        if row["exit"].isdigit() and int(row["exit"]) != NO_EXIT:
            fields["exit_code"] = int(row["exit"])
        image = self.images.get(fields["step"])
        if image is not None and row["container"] not in ("", "-"):
            fields |= {"image": image["image"], "image_digest": image["digest"]}
        elif self.contained and row["container"] not in ("", "-"):
            # Without a runtime the trace names the image that nothing has run in.
            fields["image"] = row["container"]
        if self.contained and fields.get("image") and (image is None or image["name"] != row["container"]):
            self.unplanned.setdefault(row["container"], set()).add(fields["step"] or row["process"])
        if folder is not None:
            self._look(folder, fields, state)
        if state == "failed":
            fields["error"] = self._why(row, folder)
            if not fields.get("log"):
                # What Nextflow says of it is all that is left of a task that has said nothing itself.
                fields["log"] = self._write_log(fields["id"], fields["error"] + "\n")
        self._tell(fields, state, ended)

    def finish(self, error: str) -> None:
        """Tell of the tasks whose end Nextflow did not see."""
        for fields in list(self.open.values()):
            self._tell(fields | {"ended": now(), "error": f"It was stopped.\n{error}".strip()}, "failed", now())
        self.open.clear()

    def step_of(self, target: str) -> str:
        """Return the step that has published a path, or a folder around it; empty where none is known."""
        while len(target) > len(self.root):
            if target in self.targets:
                process = self.processes.get(self.targets[target], "")
                return self._step(process)
            target = os.path.dirname(target)
        return ""

    # -- one task

    def _fields(self, short: str, process: str, name: str) -> dict[str, Any]:
        self.processes[short] = process
        step = self._step(process)
        self.ids[name] = identifier = f"{process}_{short.replace('/', '')}"
        return {
            "id": identifier, "step": step, "tool": self.steps.get(step, {}).get("tool", ""),
            "name": name,
        }  # fmt: skip

    def _step(self, process: str) -> str:
        if process in self.steps:
            return process
        # Called in a way that was not seen in the text: the same process elsewhere stands for it.
        last = process.rpartition(":")[2]
        return next((step for step in self.steps if step.rpartition(":")[2] == last), "")

    def _folder(self, row: dict[str, str]) -> Path | None:
        stated = row.get("workdir", "-")
        if stated not in ("", "-"):
            return Path(stated) if os.path.isdir(stated) else None
        return next(iter(self.work.glob(f"{row['hash']}*")), None)

    def _look(self, folder: Path, fields: dict[str, Any], state: str) -> None:
        """Read what a task leaves in its folder."""
        about = self.steps.get(fields["step"], {})
        staged = staged_of(folder)
        if staged:
            names = about.get("inputs", [])
            value = [self._public(source) for source in staged.values()]
            fields["inputs"] = {names[0] if len(names) == 1 else "files": value}
        if state != "failed":
            fields["outputs"] = {
                name: [self._public(str(path)) for path in paths]
                for name, paths in by_kind(files_of(folder, about.get("outputs", []), set(staged))).items()
            }
        script = _text(folder / ".command.sh")
        if script:
            first, _, body = script.partition("\n")
            shell = shlex.split(first[2:]) if first.startswith("#!") else ["/bin/bash"]
            text = body if first.startswith("#!") else script
            fields["command"] = [*shell, "-c", self.clean(text.strip("\n"))]
        fields["log"] = self._keep_log(folder, fields["id"])

    def _keep_log(self, folder: Path, identifier: str) -> str:
        source = folder / ".command.log"
        if not source.is_file() or not source.stat().st_size:
            source = folder / ".command.err"
        text = _text(source)
        return self._write_log(identifier, self.clean(text)) if text else ""

    def _write_log(self, identifier: str, text: str) -> str:
        target = self.logs / "steps" / (re.sub(r"[^\w.+:-]", "_", identifier) + ".log")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return str(target)[len(self.root) + 1 :]

    def _resources(self, row: dict[str, str]) -> dict[str, float]:
        found: dict[str, float] = {}
        wall, share = _number(row["realtime"]), _number(row["%cpu"])
        if wall is not None:
            found["wall_seconds"] = round(wall / 1000, 3)
            if share is not None:
                found["cpu_seconds"] = round(wall / 1000 * share / 100, 3)
        for column, name in (("peak_rss", "max_memory_bytes"), ("rchar", "bytes_read"), ("wchar", "bytes_written")):
            amount = _number(row[column])
            # A task that is over before anybody has looked has used no memory, says Nextflow.
            if amount:
                found[name] = amount
        cores = _number(row["cpus"])
        if cores:
            found["cores"] = cores
        return found

    def _why(self, row: dict[str, str], folder: Path | None) -> str:
        said = self.said.get(row["hash"], "") or self.said.get(row["name"], "")
        if row["status"] == "ABORTED" and not said:
            said = "It was stopped, because another task had failed."
        lines = [line for line in _text(folder / ".command.err").splitlines() if line.strip()][-TAIL:] if folder else []
        action = {"RETRY": "It was tried again.", "IGNORE": "The workflow goes on without it."}.get(
            row["error_action"], ""
        )
        code = (
            f"It ended with exit code {row['exit']}."
            if row["exit"] not in ("0", "-", str(NO_EXIT)) and not said
            else ""
        )
        return self.clean("\n".join(filter(None, (said, code, *lines, action)))) or "Nextflow says only that it failed."

    def _public(self, path: str) -> dict[str, Any]:
        """Return the object of a file: where it lies in the run directory, or else what it is."""
        name = os.path.basename(path.rstrip("/"))
        cls = "Directory" if os.path.isdir(path) else "File"
        value: dict[str, Any] = {"class": cls, "basename": name}
        for part in ("inputs", "workflow"):
            if path.startswith(f"{self.root}/{part}/"):
                value["location"] = path[len(self.root) + 1 :]
                return value
        if cls == "File" and os.path.isfile(path):
            value |= self.digests.of(path)
        return value

    def clean(self, text: str) -> str:
        """Take the run directory's path out of a text."""
        return text.replace(f"file://{self.root}/", "").replace(f"{self.root}/", "").replace(self.root, ".")

    def _tell(self, fields: dict[str, Any], state: str, time: str) -> None:
        tell({"event": {**fields, "state": state, "time": time}})


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(path: Path) -> str:
    """Return a text, of a long one the end."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LOG))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
