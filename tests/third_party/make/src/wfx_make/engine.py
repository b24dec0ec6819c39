"""The engine `make.gnu`: asks its driver what make knows, and has it make one target after the other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from wfx.documents import load_document
from wfx.engines import (
    Channel,
    Connection,
    Description,
    DocumentReference,
    Engine,
    EngineCapabilities,
    EngineResult,
    Host,
    Recognition,
    Step,
    StepEvent,
    Tool,
)
from wfx.errors import DefinitionError, EngineError
from wfx.records import decode
from wfx.staging import StagedRun
from wfx.values import JsonValue, Parameter, Values, ValueType

from wfx_make.reading import defaults_of, files_of, looks_like_make

KEY = "make.gnu"
NAMES = ("GNUmakefile", "makefile", "Makefile")
DRIVER = Path(__file__).with_name("driver.py")
FILE, STRING = ValueType("File"), ValueType("string")


class MakeEngine(Engine):
    """Runs Makefiles with GNU Make, a step for each target."""

    keys = (KEY,)
    capabilities = EngineCapabilities(language="make", name="GNU Make", language_name="Makefile")

    def __init__(self, host: Host | None = None) -> None:
        super().__init__(host)
        self._channel: Channel | None = None

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        """Take a Makefile by its name, or by its suffix when there is a rule in it."""
        if not entry:
            entry = next((name for name in NAMES if (tree / name).is_file()), "")
        path = tree / entry
        if not entry or not path.is_file() or not (path.name in NAMES or path.suffix == ".mk"):
            return None
        if not looks_like_make(path.read_text("utf-8", "replace")):
            return None
        return Recognition(KEY, entry, "GNU", f"{path.name} has a rule with a recipe")

    @classmethod
    def references(cls, document: bytes, name: str) -> Iterable[DocumentReference]:
        """Name what is included, and what is needed and made by no rule; a missing one becomes an input."""
        for item in files_of(document.decode("utf-8", "replace")):
            yield DocumentReference(item.name, item.line, "document" if item.include else "file")

    def version(self) -> str:
        """Return make's version. Raises EngineError where there is none, or another make."""
        program = shutil.which("make")
        if program is None:
            raise EngineError("make is not installed", remedy="install GNU Make and put it on PATH")
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
        found = re.match(r"GNU Make (\S+)", said)
        if found is None:
            raise EngineError("it is another make than GNU's", where=program)
        return found[1]

    def describe(self, entry: str, fragment: str = "") -> Description:
        """Ask make what it would do; recipes are not run."""
        assert self.host is not None
        known: Any = self._ask({"do": "describe", "tree": str(self.host.tree), "entry": entry})["known"]
        text = (self.host.tree / entry).read_text("utf-8", "replace")
        variables = defaults_of(text)
        steps: list[dict[str, Any]] = known["steps"]
        made = {step["target"]: step["id"] for step in steps}
        inputs = [Parameter(name, FILE) for name in known["sources"]]
        inputs += [Parameter(n, STRING, default=v, has_default=True) for n, v in variables.items()]
        tools, connections = [], []
        for step in steps:
            used = [name for name in variables if re.search(rf"\$[({{]{name}[)}}]", step["recipe"])]
            reads = [Parameter(label(name), FILE) for name in step["reads"]] + [Parameter(n, STRING) for n in used]
            writes = (Parameter(label(step["target"]), FILE),) if step["file"] else ()
            tools.append(
                Tool(f"{entry}#{step['id']}", "command", name=step["target"], inputs=tuple(reads), outputs=writes,
                     document=entry)
            )  # fmt: skip
            for name in [*step["reads"], *used]:
                target = f"{step['id']}/{label(name)}"
                if name in made:
                    connections.append(Connection(f"{made[name]}/{label(name)}", target))
                elif name in known["sources"] or name in used:
                    connections.append(Connection(name, target))
        connections += [Connection(f"{made[name]}/{label(name)}", label(name)) for name in known["goals"]]
        return Description(
            engine=KEY, engine_version=self.version(), language_version="GNU", entry=entry, name=Path(entry).parent.name
            or "make", doc=comment_of(text), inputs=tuple(inputs),
            outputs=tuple(Parameter(label(name), FILE) for name in known["goals"]), tools=tuple(tools),
            steps=tuple(Step(s["id"], f"{entry}#{s['id']}", n, name=s["target"]) for n, s in enumerate(steps)),
            connections=tuple(connections),
        )  # fmt: skip

    def read_inputs(self, document: bytes, name: str) -> Values:
        """Read a YAML or JSON mapping of inputs."""
        value = load_document(document, name).value
        if not isinstance(value, dict):
            raise DefinitionError("a mapping of inputs is expected", where=name)
        return value

    def bind(self, description: Description, values: Values) -> Values:
        """Add the defaults."""
        return {p.id: p.default for p in description.inputs if p.has_default} | values

    def run(
        self, staged: StagedRun, events: Callable[[StepEvent], None], handle: Callable[[JsonValue], None]
    ) -> EngineResult:
        """Have the driver make the targets; pass on what it tells."""
        assert self.host is not None
        channel, entry = self._open(), staged.plan.workflow.entry
        channel.send({
            "do": "run", "tree": str(self.host.tree), "entry": entry, "root": str(staged.directory),
            "work": str(self.host.state / "work"), "logs": str(self.host.logs / "steps"), "inputs": staged.plan.inputs,
        })  # fmt: skip
        while True:
            answer = self._receive(channel)
            if "event" in answer:
                events(decode(StepEvent, answer["event"]))
            elif "result" in answer:
                result: Any = answer["result"]
                return EngineResult(
                    result["status"], result["exit_code"], result["outputs"],
                    command=("make", "-f", f"workflow/{entry}"), error=result["error"],
                )  # fmt: skip

    def close(self) -> None:
        """End the driver."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _open(self) -> Channel:
        if self._channel is None:
            assert self.host is not None
            self._channel = self.host.launch([sys.executable, "-s", str(DRIVER)])
        return self._channel

    def _ask(self, message: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        channel = self._open()
        channel.send(message)
        return self._receive(channel)

    def _receive(self, channel: Channel) -> dict[str, JsonValue]:
        answer = channel.receive()
        if answer is None:
            raise EngineError("make's driver ended without an answer")
        if "problem" in answer:
            problem: Any = answer["problem"]
            raise DefinitionError("make cannot read it", where=problem["where"], why=problem["why"])
        return answer


def label(name: str) -> str:
    """Return a file's name as the id of a parameter: a slash would part a step from its output."""
    return name.replace("/", "_")


def comment_of(text: str) -> str:
    """Return the comment that the text begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#! "))
    return " ".join(filter(None, lines))
