"""Run records and their directories made by hand: what an engine and the core would leave, without either."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wfx.engines import Connection, Description, Step, StepEvent, Tool
from wfx.net import Contact
from wfx.planning import Document, Plan, PlannedWorkflow
from wfx.references import Reference
from wfx.running import Agent, Publication, RunRecord
from wfx.staging import Lock, Locked
from wfx.values import Field, Parameter, ValueType

FILE, STRING = ValueType("File"), ValueType("string")
AGENT = Agent(
    "Ada Lovelace", "https://orcid.org/0000-0002-1825-0097", "", "Analytical Society", "https://society.example/"
)
PUBLICATION = Publication("CC-BY-4.0", "Analytical Society", "https://society.example/")


def array(kind: ValueType) -> ValueType:
    return ValueType("array", items=kind)


def optional(kind: ValueType) -> ValueType:
    return ValueType("union", alternatives=(ValueType("null"), kind))


def record_type(**fields: ValueType) -> ValueType:
    return ValueType("record", fields=tuple(Field(name, kind) for name, kind in fields.items()))


def write(directory: Path, path: str, data: bytes = b"data\n") -> dict[str, Any]:
    """Write a file of the crate; return the value that speaks of it."""
    place = directory / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    checksum = f"sha1${hashlib.sha1(data).hexdigest()}"
    return {"class": "File", "location": path, "basename": place.name, "size": len(data), "checksum": checksum}


def meanwhile(name: str, data: bytes) -> dict[str, Any]:
    """Return the value of a file that only the engine has seen."""
    checksum = f"sha1${hashlib.sha1(data).hexdigest()}"
    return {"class": "File", "basename": name, "size": len(data), "checksum": checksum}


def locked(directory: Path, value: Mapping[str, Any], origin: str = "", **more: Any) -> Locked:
    place = str(value["location"])
    data = (directory / place).read_bytes()
    reference = (
        Reference(origin) if origin else Reference.of_path(Path("/home/someone/secret-project") / Path(place).name)
    )
    return Locked(place, "file", hashlib.sha256(data).hexdigest(), len(data), reference, **more)


def event(identifier: str, step: str, at: float = 0.0, took: float = 1.0, **fields: Any) -> StepEvent:
    fields.setdefault("state", "completed")
    if fields["state"] != "skipped":
        fields.setdefault("exit_code", 0)
        fields.setdefault("command", ("tool", identifier))
    return StepEvent(
        identifier, step, time=moment(at + took), started=moment(at), ended=moment(at + took),
        parent=fields.pop("parent", identifier.rpartition("/")[0]), **fields,
    )  # fmt: skip


def moment(seconds: float) -> str:
    return f"2026-11-24T10:{int(seconds // 60) % 60:02d}:{seconds % 60:06.3f}+00:00"


def documents(directory: Path, names: Sequence[str], origin: str = "") -> tuple[Document, ...]:
    found = []
    for name in names:
        data = f"# {name}\n".encode()
        write(directory, f"workflow/{name}", data)
        reference = (
            Reference(f"{origin}{name}")
            if origin
            else Reference.of_path(Path("/home/someone/secret-project/wf") / name)
        )
        found.append(Document(name, hashlib.sha256(data).hexdigest(), len(data), reference))
    return tuple(found)


def record(directory: Path, **changes: Any) -> RunRecord:
    """Return the record of a run with the given parts; the rest is a lone tool that did nothing."""
    inputs: tuple[Parameter, ...] = changes.pop("inputs", ())
    outputs: tuple[Parameter, ...] = changes.pop("output_parameters", ())
    tools: tuple[Tool, ...] = changes.pop("tools", ())
    steps: tuple[Step, ...] = changes.pop("steps", ())
    names = ["wf.cwl", *dict.fromkeys(t.document for t in tools if t.document and t.document != "wf.cwl")]
    workflow = changes.pop("workflow", None) or PlannedWorkflow(
        Reference("file:///home/someone/secret-project/wf/wf.cwl"), Reference("file:///home/someone/secret-project/wf/wf.cwl"),
        "wf.cwl", documents=documents(directory, names), digest="d" * 64,
    )  # fmt: skip
    description = Description(
        "cwl.cwltool", "3.1.20260315", "v1.2", "wf.cwl", kind="workflow" if steps else "command", name="The workflow",
        doc=changes.pop("doc", ""), inputs=inputs, outputs=outputs, tools=tools, steps=steps,
        connections=changes.pop("connections", ()), licence=changes.pop("licence", None),
    )  # fmt: skip
    plan = Plan(
        changes.pop("name", "example"), workflow, description, changes.pop("values", {}), created=moment(0), wfx="0.1.0",
        plugins={"wfx-cwl": "0.1.0"}, request="a" * 64,
    )  # fmt: skip
    lock = Lock("b" * 64, tuple(changes.pop("items", ())))
    for name, value in (("plan.json", {}), ("lock.json", {}), ("inputs.json", {})):
        (directory / name).write_text(json.dumps(value), "utf-8")
    made = RunRecord(
        "6b1f7c9e-3f0a-4c8e-9a77-0d8d5b0a1c11", plan, lock, "completed", moment(0), moment(59), 0, agent=AGENT,
        publication=PUBLICATION, platform="Linux 6.1 x86_64, Python 3.11.2", sandbox="bubblewrap 0.8.0",
        command=("cwltool", "--outdir", "outputs", "workflow/wf.cwl", "inputs.json"),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def two_steps(directory: Path, **changes: Any) -> RunRecord:
    """Return the record of a workflow of two steps: `count` makes what `report` reads."""
    reads = write(directory, "inputs/reads/reads.fq", b"@r\nACGT\n+\nIIII\n")
    result = write(directory, "outputs/report.txt", b"4\n")
    counted = meanwhile("counts.txt", b"four\n")
    count = Tool(
        "count.cwl",
        "command",
        inputs=(Parameter("reads", FILE),),
        outputs=(Parameter("out", FILE),),
        document="count.cwl",
    )
    report = Tool(
        "wf.cwl#report/run", "command", inputs=(Parameter("counts", FILE), Parameter("title", optional(STRING))),
        outputs=(Parameter("out", FILE),), document="wf.cwl",
    )  # fmt: skip
    settings: dict[str, Any] = {
        "inputs": (Parameter("reads", FILE, formats=("http://edamontology.org/format_1930",)),),
        "output_parameters": (Parameter("report", FILE),),
        "tools": (count, report),
        "steps": (Step("count", "count.cwl", 0), Step("report", "wf.cwl#report/run", 1)),
        "connections": (
            Connection("reads", "count/reads"), Connection("count/out", "report/counts"), Connection("report/out", "report"),
        ),
        "values": {"reads": reads},
        "items": (locked(directory, reads),),
        "outputs": {"report": result},
        "events": (
            event("count", "count", 1, 5, inputs={"reads": reads}, outputs={"out": counted},
                  resources={"cpu_seconds": 0.5, "max_memory_bytes": 1048576.0}),
            event("report", "report", 7, 2, inputs={"counts": counted, "title": None},
                  outputs={"out": meanwhile("report.txt", b"4\n")}),
        ),
        "contacts": (Contact("https://data.example", "fetch", 2, 1234),),
    }  # fmt: skip
    return record(directory, **(settings | changes))


def scattered(directory: Path) -> RunRecord:
    """Return the record of a scatter within a subworkflow that two steps use, with a tool that is used thrice."""
    cat = Tool(
        "cat.cwl", "command", inputs=(Parameter("f", FILE),), outputs=(Parameter("o", FILE),), document="cat.cwl"
    )
    sub = Tool(
        "sub.cwl", "workflow", inputs=(Parameter("f", FILE),), outputs=(Parameter("o", FILE),), document="sub.cwl"
    )
    steps, events, connections = [], [], [Connection("f", "a/f"), Connection("a/o", "b/f"), Connection("b/o", "last/f")]
    file = write(directory, "inputs/f/in.txt", b"in")
    for number, name in enumerate(("a", "b")):
        steps += [Step(name, "sub.cwl", number), Step(f"{name}/cat", "cat.cwl", 0, scatter=True)]
        connections += [Connection("f", "cat/f", name), Connection("cat/o", "o", name)]
        made = meanwhile("o.txt", name.encode())
        events += [
            event(f"{name}/{i}", f"{name}/cat", number * 9 + 1, inputs={"f": file}, outputs={"o": made})
            for i in ("cat", "cat_2", "cat_3")
        ]
        events.append(
            event(name, name, number * 9, 8, inputs={"f": file}, outputs={"o": made}, exit_code=None, command=())
        )
    steps.append(Step("last", "cat.cwl", 2))
    events.append(
        event("last", "last", 20, inputs={"f": meanwhile("o.txt", b"b")}, outputs={"o": meanwhile("z.txt", b"z")})
    )
    connections.append(Connection("last/o", "out"))
    return record(
        directory, inputs=(Parameter("f", FILE),), output_parameters=(Parameter("out", FILE),), tools=(sub, cat),
        steps=tuple(steps), connections=tuple(connections), values={"f": file}, items=(locked(directory, file),),
        events=tuple(events), outputs={"out": write(directory, "outputs/z.txt", b"z")},
    )  # fmt: skip
