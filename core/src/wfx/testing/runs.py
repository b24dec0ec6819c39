"""A finished run, made without an engine: a run directory with its record, for tests of exporters."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from wfx.engines import Connection, Description, Step, StepEvent, Tool
from wfx.fetching import Expected
from wfx.net import Contact
from wfx.planning import Document, Plan, PlannedInput, PlannedWorkflow
from wfx.records import encode
from wfx.references import Reference
from wfx.running import Agent, Publication, RunRecord
from wfx.staging import Lock, Locked
from wfx.testing.contracts import SECRET
from wfx.values import JsonValue, Parameter, ValueType

RUN = "3f2a9c1d-0c4e-4c57-9a55-6f1f2f0f8f10"
WORKFLOW = b"""cwlVersion: v1.2
class: Workflow
inputs:
  text: File
outputs:
  counted:
    type: File
    outputSource: count/counted
steps:
  count:
    run: count.cwl
    in:
      text: text
    out: [counted]
"""
TOOL = b"""cwlVersion: v1.2
class: CommandLineTool
baseCommand: [wc, -w]
stdin: $(inputs.text.path)
stdout: counted.txt
inputs:
  text: File
outputs:
  counted: stdout
"""
TEXT, COUNTED, LOG = "the cat and the dög\n".encode(), b"5\n", b"count: completed\n"
STARTED, ENDED = "2026-01-02T03:04:05.000+00:00", "2026-01-02T03:04:06.500+00:00"


@dataclass(frozen=True, slots=True)
class MadeRun:
    """A run directory and its record."""

    path: Path
    record: RunRecord

    def files(self) -> dict[str, bytes]:
        """Return the bytes of all files that belong to the crate."""
        return {
            file.relative_to(self.path).as_posix(): file.read_bytes()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.relative_to(self.path).parts[0] != ".wfx"
        }


def make_run(folder: Path, *, failed: bool = False) -> MadeRun:
    """Make the folder of a run of a small CWL workflow, completed or failed, as `wfx run` leaves it for an exporter.

    A secret (`wfx.testing.contracts.SECRET`) lies where secrets may lie, in references and below `.wfx`: an exporter
    must let none of it out. There are no metadata yet.
    """
    files = {
        "workflow/main.cwl": WORKFLOW, "workflow/count.cwl": TOOL, "inputs/text/a b.txt": TEXT,
        "logs/steps/count.log": LOG, ".wfx/run.json": b"{}", ".wfx/engine/home/.token": SECRET.encode(),
        **({} if failed else {"outputs/counted.txt": COUNTED}),
    }  # fmt: skip
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name in ("outputs", "logs"):
        (folder / name).mkdir(exist_ok=True)
    record = _record(failed=failed)
    for name, value in (("plan.json", record.plan), ("lock.json", record.lock), ("inputs.json", record.plan.inputs)):
        (folder / name).write_text(json.dumps(encode(value)))
    return MadeRun(folder, record)


def _record(*, failed: bool) -> RunRecord:
    origin = Reference("git+https://example.org/lab/words.git@v1#path=main.cwl")
    commit = "0123456789abcdef0123456789abcdef01234567"
    pinned = Reference(f"git+https://example.org/lab/words.git@{commit}#path=main.cwl")
    # Credentials, and a presigned address: both are right in a reference and wrong in a crate.
    data = Reference(f"https://ann:{SECRET}@data.example.org/a%20b.txt?X-Amz-Signature={SECRET}")
    file_type = ValueType("File")
    text, counted = Parameter("text", file_type, doc="The text <b>to</b> count"), Parameter("counted", file_type)
    tool = Tool("count.cwl", "command", "count", "Counts words", (text,), (counted,), document="count.cwl")
    description = Description(
        engine="cwl.cwltool", engine_version="3.1", language_version="v1.2", entry="main.cwl", name="Words",
        doc="Counts the words of a text", inputs=(text,), outputs=(counted,), tools=(tool,),
        steps=(Step("count", "count.cwl", 0, "count"),),
        connections=(Connection("text", "count/text"), Connection("count/counted", "counted")),
    )  # fmt: skip
    documents = tuple(
        Document(name, _sha256(content), len(content), origin)
        for name, content in (("count.cwl", TOOL), ("main.cwl", WORKFLOW))
    )
    workflow = PlannedWorkflow(
        origin, pinned, "main.cwl", revision=commit, label="v1", documents=documents, digest=_sha256(WORKFLOW)
    )
    given = _file("inputs/text/a b.txt", TEXT)
    plan = Plan(
        "words", workflow, description, {"text": given}, created=STARTED, wfx="0.1.0", request=_sha256(b"request"),
        files=(PlannedInput(data, "inputs/text/a b.txt", "file", "text", Expected(_sha256(TEXT), len(TEXT))),),
        plugins={"wfx-cwl": "0.1.0"},
    )  # fmt: skip
    lock = Lock(_sha256(b"identity"), (Locked("inputs/text/a b.txt", "file", _sha256(TEXT), len(TEXT), data),))
    result: dict[str, JsonValue] = {} if failed else {"counted": _file("outputs/counted.txt", COUNTED)}
    event = StepEvent(
        "count", "count", "failed" if failed else "completed", ENDED, tool="count.cwl", name="count", started=STARTED,
        ended=ENDED, exit_code=3 if failed else 0, command=("wc", "-w"), inputs={"text": given}, outputs=result,
        resources={"wall_seconds": 1.5}, log="logs/steps/count.log", error="it failed <badly>" if failed else "",
    )  # fmt: skip
    record = RunRecord(
        RUN, plan, lock, "completed", STARTED, ENDED, 0, result, (event,), ("cwltool", "workflow/main.cwl", "inputs.json"),
        logs=("logs/steps/count.log",), agent=Agent("Ann Example"), publication=Publication(),
        contacts=(Contact("https://data.example.org", "fetch", 1, len(TEXT)),), platform="Linux 6.1 x86_64, Python 3.11",
        sandbox="none",
    )  # fmt: skip
    return replace(record, status="failed", exit_code=1, error="count: it failed <badly>") if failed else record


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file(location: str, data: bytes) -> dict[str, JsonValue]:
    return {
        "class": "File", "location": location, "basename": location.rpartition("/")[2], "size": len(data),
        "checksum": f"sha256${_sha256(data)}",
    }  # fmt: skip
