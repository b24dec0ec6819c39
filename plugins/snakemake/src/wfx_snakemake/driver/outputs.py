"""A run's outputs: the files of its target, named, and brought to their place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any

from .problems import Places

OTHERS = {"File": "files", "Directory": "folders"}
"""Where files and folders go that the description has no name for."""


class NamedOutputs:
    """The target's files by name.

    A target that gathers files has those of its `input`: one that is named there has its name, any other that of the
    rule that makes it. A target that makes files has those. What only the user's config brings into being is known
    when it runs; it is in `files` or `folders` then.
    """

    def __init__(self) -> None:
        self.files: dict[str, list[str]] = {}
        self.several: dict[str, bool] = {}

    def of_dag(self, dag: Any) -> None:
        """Take the files of the jobs that the graph ends in."""
        from .rules import is_target, named

        for job in sorted(dag.targetjobs, key=lambda job: str(job.rule.name)):
            rule = str(job.rule.name)
            if not is_target(job.rule):
                for name, value in named(job.output, rule):
                    self._add(name, value, plural=False)
                continue
            makers = {str(file): maker for maker, files in dag.dependencies[job].items() for file in files}
            for name, value in named(job.input, ""):
                for item in flat(value):
                    maker = makers.get(item)
                    if maker is not None:
                        plural = bool(maker.rule.wildcard_names) if not name else not isinstance(value, str)
                        self._add(name or str(maker.rule.name), item, plural=plural)

    def of_rules(self, workflow: Any, targets: list[str]) -> None:
        """Take the names that the targets themselves give, where the graph cannot be had."""
        from .rules import is_target, named

        wanted = targets or [str(workflow.default_target or "")]
        for rule in workflow.rules:
            if str(rule.name) in wanted:
                gathers = is_target(rule)
                for name, value in named(rule.input if gathers else rule.output, "" if gathers else str(rule.name)):
                    if name:
                        several = isinstance(value, (list, tuple)) and len(value) != 1
                        self.files[name], self.several[name] = [], several

    def _add(self, name: str, value: Any, *, plural: bool) -> None:
        items = self.files.setdefault(name, [])
        items += [item for item in flat(value) if item not in items]
        self.several[name] = self.several.get(name, False) or plural or len(items) > 1

    def parameters(self) -> list[dict[str, Any]]:
        """Describe the outputs."""
        item: dict[str, Any] = {"kind": "union", "alternatives": [{"kind": "File"}, {"kind": "Directory"}]}
        described: list[dict[str, Any]] = [
            {"id": name, "type": {"kind": "array", "items": item} if self.several[name] else item}
            for name in self.files
        ]
        for kind, name in OTHERS.items():
            if name not in self.files:
                array: dict[str, Any] = {"kind": "array", "items": {"kind": kind}}
                described.append({
                    "id": name, "type": {"kind": "union", "alternatives": [{"kind": "null"}, array]},
                    "doc": f"{name} of the target that only the inputs of a run bring into being",
                })  # fmt: skip
        return described


def flat(value: Any) -> list[str]:
    """Return the paths of a value that is one, or a list of them."""
    if isinstance(value, str):
        return [str(value)]
    return [path for item in value for path in flat(item)]


def publish(named: NamedOutputs, declared: dict[str, bool], workdir: Path, target: Path, places: Places) -> Any:
    """Bring the outputs to their folder, as links to the engine's own files; return them as values by name."""
    result: dict[str, Any] = {}
    for name, files in named.files.items():
        values = [place(path, workdir, target, places) for path in files]
        found = [value for value in values if value is not None]
        if not found:
            continue
        if declared.get(name) and name not in OTHERS.values():
            result[name] = found
        elif name in declared and len(found) == 1 and name not in OTHERS.values():
            result[name] = found[0]
        else:
            # Nobody expected it; or one was expected, and this config has made several.
            for value in found:
                result.setdefault(OTHERS[value["class"]], []).append(value)
    return result


def place(path: str, workdir: Path, target: Path, places: Places) -> dict[str, Any] | None:
    """Bring one file or folder to its place; None for what is not there (`temp`, `pipe`) or no file."""
    source = workdir / path
    relative = os.path.relpath(source, workdir)
    if relative.startswith("../") or os.path.isabs(relative):
        relative = os.path.basename(path)
    try:
        info = source.stat()
    except OSError:
        return None
    destination = target / relative
    destination.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(info.st_mode):
        if not destination.exists():
            shutil.copytree(source, destination, copy_function=bring)
        return folder(destination, places)
    if not stat.S_ISREG(info.st_mode):
        return None
    if not destination.exists():
        bring(str(source), str(destination))
    return file(destination, places)


def bring(source: str, destination: str) -> None:
    """Link a file that the run has made, else copy it: what is a link itself is somebody else's."""
    if not os.path.islink(source):
        with contextlib.suppress(OSError):
            os.link(source, destination)
            return
    shutil.copyfile(source, destination)


def file(path: Path, places: Places) -> dict[str, Any]:
    """Return the value of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "class": "File", "location": places.relative(path), "basename": path.name, "size": path.stat().st_size,
        "checksum": f"sha256${digest}",
    }  # fmt: skip


def folder(path: Path, places: Places) -> dict[str, Any]:
    """Return the value of a folder, with what is in it; Snakemake's mark of its time is no part of it."""
    (path / ".snakemake_timestamp").unlink(missing_ok=True)
    listing = [
        folder(item, places) if item.is_dir() else file(item, places)
        for item in sorted(path.iterdir())
        if not item.is_symlink()
    ]
    return {"class": "Directory", "location": places.relative(path), "basename": path.name, "listing": listing}
