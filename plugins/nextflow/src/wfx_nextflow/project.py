"""A pipeline's scripts taken together: which processes its workflows use, under which names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wfx.errors import DefinitionError

from wfx_nextflow.groovy import Unbalanced
from wfx_nextflow.recognition import CONFIG, SCHEMA, read_text
from wfx_nextflow.scripts import Process, Script, read_script

DEEPEST = 50


def home_of(tree: Path, entry: str) -> Path:
    """Return the folder of a pipeline's configuration and schema: beside the main script, or the whole tree's."""
    beside = (tree / entry).parent
    known = (folder for folder in (beside, tree) if (folder / CONFIG).is_file() or (folder / SCHEMA).is_file())
    return next(known, beside)


@dataclass(frozen=True, slots=True)
class Use:
    """A process as a workflow uses it."""

    id: str
    """As Nextflow names its tasks: `ALIGN`, `PREPARE:INDEX`."""
    script: str
    process: Process
    conditional: bool


@dataclass(slots=True)
class Project:
    """The scripts that are included, from the main one on."""

    tree: Path
    entry: str
    scripts: dict[str, Script] = field(default_factory=dict)
    plugins: set[str] = field(default_factory=set)
    """Names of Nextflow's plugins from which scripts include."""

    @classmethod
    def read(cls, tree: Path, entry: str) -> Project:
        """Read the main script and what it includes. Raises DefinitionError with the line."""
        project = cls(tree, entry)
        queue = [(entry, "")]
        while queue:
            path, where = queue.pop()
            if path in project.scripts:
                continue
            text = read_text(tree / path)
            if text is None:
                raise DefinitionError(f"it includes {path}, which is not there", where=where or path)
            try:
                script = project.scripts[path] = read_script(text)
            except Unbalanced as error:
                raise DefinitionError(error.what, where=f"{path}:{error.line}") from error
            for include in script.includes:
                if include.source.startswith("plugin/"):
                    project.plugins.add(include.source.removeprefix("plugin/"))
                else:
                    target = project.target(path, include.source)
                    if target:
                        queue.append((target, f"{path}:{include.line}"))
        return project

    def target(self, script: str, source: str) -> str:
        """Return the script that an include means; empty for what is put together at run time, or lies outside."""
        if "$" in source or not source.startswith("."):
            return ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(script), source))
        if path.startswith(".."):
            return ""
        for candidate in (path, f"{path}.nf", f"{path}/main.nf"):
            if (self.tree / candidate).is_file():
                return candidate
        return path if path.endswith(".nf") else f"{path}.nf"

    @property
    def home(self) -> Path:
        """The folder of its configuration and schema: beside the main script, or the whole tree's."""
        return home_of(self.tree, self.entry)

    @property
    def main(self) -> Script:
        """The main script."""
        return self.scripts[self.entry]

    @property
    def is_dsl1(self) -> bool:
        """Whether it is written in the language's first version."""
        main = self.main
        return main.dsl == "1" or (main.old and not main.workflows and main.dsl != "2")

    def uses(self, workflow: str = "") -> list[Use]:
        """Return the processes that a workflow of the main script uses, those of its subworkflows within."""
        found: dict[str, Use] = {}
        if workflow in self.main.workflows:
            for use in self._walk(self.entry, workflow, (), conditional=False):
                found.setdefault(use.id, use)
        elif not self.main.workflows:
            # A script of processes alone is run by its only one.
            for process in self.main.processes.values():
                found[process.name] = Use(process.name, self.entry, process, conditional=False)
        return list(found.values())

    def _walk(self, script: str, workflow: str, scope: tuple[str, ...], *, conditional: bool) -> Iterator[Use]:
        if len(scope) > DEEPEST:
            return
        for call in self.scripts[script].workflows[workflow].calls:
            name = (*scope, call.name)
            place = self.resolve(script, call.name)
            if place is None:
                continue
            other, original = place
            unsure = conditional or call.conditional
            process = self.scripts[other].processes.get(original)
            if process is not None:
                yield Use(":".join(name), other, process, unsure)
            else:
                yield from self._walk(other, original, name, conditional=unsure)

    def resolve(self, script: str, name: str, hops: int = 0) -> tuple[str, str] | None:
        """Return the script that defines a name which a script knows, and the name it has there."""
        known = self.scripts.get(script)
        if known is None or hops > DEEPEST:
            return None
        if name and (name in known.processes or name in known.workflows):
            return script, name
        for include in known.includes:
            if include.alias == name and not include.source.startswith("plugin/"):
                target = self.target(script, include.source)
                return self.resolve(target, include.name, hops + 1) if target else None
        return None
