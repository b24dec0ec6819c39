"""Hold the steps of two runs against each other: which one differs first, and by what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from wfx.comparing.sides import fingerprint
from wfx.crates.contents import ACTIONS, main_workflow, parameter_name, status
from wfx.crates.reading import Crate, Entity, ids, kinds, normal, path_of, text

SHORT = 12
COMMAND = re.compile(r"^Command line: (.*)$", re.M)


@dataclass(slots=True)
class StepSide:
    """One execution of a step, as a crate records it."""

    name: str
    started: str
    status: str
    tool: str
    """Digest of the document that describes it; empty where it stands in one with others."""
    tool_name: str
    command: str
    """With the names of files in place of their paths, which differ from run to run."""
    image: str
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By parameter: digests of files, texts of values."""
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Digest → name of the file."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing in which the executions of a step differ."""

    kind: Literal["input", "command", "image", "tool", "status", "output", "missing", "added"]
    name: str
    text: str
    """For people."""
    first: str = ""
    second: str = ""
    made_by: str = ""
    """Of an input: the step that made it."""


@dataclass(frozen=True, slots=True)
class StepDifference:
    """A step that differs, and why."""

    step: str
    reasons: tuple[Reason, ...]


def steps_of(crate: Crate, run: Entity) -> dict[str, StepSide]:
    """Return the executions of steps that a crate records, in the order in which they began."""
    tools = _tools(crate)
    found = []
    for entity in crate.graph:
        if entity is run or not ACTIONS & set(kinds(entity)):
            continue
        instrument = next((e for e in crate.all(entity.get("instrument")) if normal(e["@id"]) in tools), None)
        if instrument is not None and "ComputationalWorkflow" not in kinds(instrument):
            found.append(_side(crate, entity, instrument))
    found.sort(key=lambda step: step.started)
    named: dict[str, StepSide] = {}
    for step in found:
        number, name = 2, step.name
        while name in named:
            number, name = number + 1, f"{step.name} ({number})"
        named[name] = step
    return named


def _tools(crate: Crate) -> set[str]:
    """Return the ids of what the main workflow, and the workflows in it, have as parts."""
    main = main_workflow(crate)
    queue, found = [main] if main is not None else [], set[str]()
    while queue:
        for part in crate.all(queue.pop().get("hasPart")):
            if normal(part["@id"]) not in found:
                found.add(normal(part["@id"]))
                queue.append(part)
    return found


def _side(crate: Crate, action: Entity, tool: Entity) -> StepSide:
    described = COMMAND.search(text(action.get("description")))
    step = StepSide(
        name=text(action.get("name")).removeprefix("Run of ") or action["@id"],
        started=text(action.get("startTime")),
        status=status(action),
        tool=text(tool.get("sha256")) if path_of(tool["@id"]) and "#" not in tool["@id"] else "",
        tool_name=text(tool.get("name")) or tool["@id"],
        command=_without_places(described[1]) if described else "",
        image=_image(crate, action),
    )
    for side, key, values in (("input", "object", step.inputs), ("output", "result", step.outputs)):
        for entity in crate.all(action.get(key)):
            formal = next((e for e in crate.all(entity.get("exampleOfWork")) if _belongs(e, tool, side)), None)
            name = parameter_name(formal) if formal is not None else _name(entity)
            mark = fingerprint(crate, entity)
            values[name] = (*values.get(name, ()), mark)
            step.names[mark] = _name(entity)
    return step


def _belongs(formal: Entity, tool: Entity, side: str) -> bool:
    return normal(formal["@id"]) in (*ids(tool.get(side)), *ids(tool.get(f"{side}s")))


def _name(entity: Entity) -> str:
    named = text(entity.get("alternateName")) or text(entity.get("name")) or path_of(entity["@id"]) or entity["@id"]
    return named.rstrip("/").rpartition("/")[2]


def _image(crate: Crate, action: Entity) -> str:
    for image in crate.all(action.get("containerImage")):
        digest = text(image.get("sha256"))
        tag = text(image.get("tag"))
        name = text(image.get("name")) or image["@id"]
        return f"{name}{':' + tag if tag else ''}{'@sha256:' + digest if digest else ''}"
    return next(iter(ids(action.get("containerImage"))), "")


def _without_places(command: str) -> str:
    return re.sub(r"[^\s'\"=:,;(){}\[\]]*/([^\s/'\"=:,;(){}\[\]]*)", r"\1", command)


# -- two of them


def differences(first: Mapping[str, StepSide], second: Mapping[str, StepSide]) -> Iterator[StepDifference]:
    """Yield the steps that differ, in the order of the first run; what one alone has comes where it began."""
    makers = [_makers(first), _makers(second)]
    for name in dict.fromkeys((*first, *second)):
        a, b = first.get(name), second.get(name)
        if a is None or b is None:
            there = "first" if b is None else "second"
            reason = Reason("missing" if b is None else "added", name, f"it ran in the {there} run alone")
            yield StepDifference(name, (reason,))
        elif reasons := tuple(_reasons(a, b, makers)):
            yield StepDifference(name, reasons)


def _makers(steps: Mapping[str, StepSide]) -> dict[str, str]:
    return {mark: name for name, step in steps.items() for marks in step.outputs.values() for mark in marks}


def _reasons(a: StepSide, b: StepSide, makers: Sequence[Mapping[str, str]]) -> Iterator[Reason]:
    causes = [*_causes(a, b, makers)]
    yield from causes
    if a.status != b.status:
        yield Reason("status", "status", f"it {_ended(a.status)}, then {_ended(b.status)}", a.status, b.status)
    changed = [name for name in dict.fromkeys((*a.outputs, *b.outputs)) if a.outputs.get(name) != b.outputs.get(name)]
    if changed and not causes:
        files = ", ".join(f"'{name}'" for name in changed)
        yield Reason(
            "output", changed[0],
            f"it made another {files} of the same inputs with the same command: the result depends on something else, such "
            "as the time, random numbers, the number of cores or the machine",
            ", ".join(a.outputs.get(changed[0], ())), ", ".join(b.outputs.get(changed[0], ())),
        )  # fmt: skip


def _causes(a: StepSide, b: StepSide, makers: Sequence[Mapping[str, str]]) -> Iterator[Reason]:
    for name in dict.fromkeys((*a.inputs, *b.inputs)):
        x, y = a.inputs.get(name, ()), b.inputs.get(name, ())
        if x == y:
            continue
        maker = next(
            (m for marks, made in zip((x, y), makers, strict=True) for mark in marks if (m := made.get(mark))), ""
        )
        if maker:
            said = f"its input '{name}' is what step {maker} made"
        else:
            said = f"its input '{name}' was {_told(x, a.names)}, then {_told(y, b.names)}"
        yield Reason("input", name, said, ", ".join(x), ", ".join(y), maker)
    if a.image != b.image:
        yield Reason(
            "image", a.image or b.image,
            f"it ran in the container image {a.image or 'none'}, then {b.image or 'none'}", a.image, b.image,
        )  # fmt: skip
    if a.tool != b.tool and a.tool and b.tool:
        yield Reason("tool", a.tool_name, f"the description of its tool {a.tool_name} was changed", a.tool, b.tool)
    if a.command != b.command and not (a.command == "" or b.command == ""):
        yield Reason(
            "command", "command", f"its command line was `{a.command}`, then `{b.command}`", a.command, b.command
        )


def _told(marks: Sequence[str], names: Mapping[str, str]) -> str:
    if not marks:
        return "not given"
    said = []
    for mark in marks[:3]:
        algorithm, colon, digest = mark.partition(":")
        if colon and re.fullmatch(r"[0-9a-f]{32,}", digest):
            said.append(f"{names.get(mark, 'a file')} ({algorithm} {digest[:SHORT]}…)")
        else:
            said.append(mark if len(mark) < 60 else f"{mark[:57]}…")
    return ", ".join(said) + (f" and {len(marks) - 3} more" if len(marks) > 3 else "")


def _ended(word: str) -> str:
    return {"completed": "completed", "failed": "failed", "": "did not say how it ended"}.get(word, word)
