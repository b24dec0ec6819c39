"""What stands in a Nextflow script: processes, workflows, includes, and the params that it uses. Read, never run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wfx_nextflow.groovy import Source

PROCESS = re.compile(r"^[ \t]*process\s+(\w+)\s*\{", re.M)
WORKFLOW = re.compile(r"^[ \t]*workflow\b[ \t]*(\w*)\s*\{", re.M)
INCLUDE = re.compile(r"^[ \t]*include\s*(?:\{|(?=\w))", re.M)
FROM = re.compile(r"\s*from\s*(?:\(\s*)?(?=['\"])")
NAMED = re.compile(r"(\w+)(?:\s+as\s+(\w+))?")
DSL = re.compile(r"\bnextflow\.(?:enable|preview)\.dsl\s*=\s*(\d)")
OLD = re.compile(r"^\s*(?:set|file|val)\b.*\bfrom\b|^\s*(?:set|file|val)\b.*\binto\b", re.M)
SECTION = re.compile(r"(?:^|(?<=[{;]))[ \t]*(input|output|when|script|shell|exec|stub|topic)\s*:(?!:)", re.M)
CALL = re.compile(
    r"(?<![.\w])([A-Za-z_]\w*)\s*\(|\|\s*([A-Za-z_]\w*)\b(?!\s*[.(])|^[ \t]*([A-Za-z_]\w*)[ \t]*(?:\(|$)", re.M
)
PARAM = re.compile(r"(?<![.\w])params\.([A-Za-z_]\w*)\b(?!\s*\()")
ASSIGNED = re.compile(r"^[ \t]*params\.(\w+)\s*=(?!=)\s*", re.M)
OPENS_FILE = re.compile(
    r"(?:\bfile|\bfiles|\bpath|[Cc]hannel\s*\.\s*from(?:Path|FilePairs))\s*\(\s*params\.([A-Za-z_]\w*)"
)
EMIT = re.compile(r"\bemit\s*:\s*(\w+)")
PATHS = re.compile(r"\b(?:path|file)\b\s*\(?\s*")
EXPRESSION = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class Include:
    """A name that a script takes from another."""

    name: str
    alias: str
    source: str
    """As written: `./modules/sort`, `plugin/nf-schema`."""
    line: int


@dataclass(frozen=True, slots=True)
class Output:
    """A file output of a process."""

    name: str
    pattern: str
    """A glob; what is only known at run time is `*` in it. Empty where nothing is known."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it is written."""

    name: str
    line: int
    container: str = ""
    """As written, without quotes; with `${…}` where it is put together."""
    computed: bool = False
    """Whether the container's name is put together at run time."""
    labels: tuple[str, ...] = ()
    doc: str = ""
    inputs: tuple[str, ...] = ()
    """Names of its file inputs."""
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A use of a process or workflow."""

    name: str
    conditional: bool


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as it is written; the main one has no name."""

    name: str
    calls: tuple[Call, ...]


@dataclass(slots=True)
class Script:
    """All of it."""

    processes: dict[str, Process] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    includes: list[Include] = field(default_factory=list)
    params: dict[str, None] = field(default_factory=dict)
    """Used anywhere, in the order of their first use."""
    assigned: dict[str, str] = field(default_factory=dict)
    """Param → the literal that the script gives it, as written."""
    opened: set[str] = field(default_factory=set)
    """Params that the script opens as files."""
    dsl: str = ""
    """What the script says: `1`, `2`."""
    old: bool = False
    """Whether its processes are written in DSL1."""


def read_script(text: str) -> Script:
    """Read a script. Raises Unbalanced."""
    source = Source.of(text)
    script = Script()
    if said := DSL.search(source.bare):
        script.dsl = said[1]
    for match in INCLUDE.finditer(source.bare):
        script.includes += _includes(source, match.end() - (1 if match[0].endswith("{") else 0))
    for match in PROCESS.finditer(source.bare):
        process, old = _process(source, match)
        script.processes[process.name] = process
        script.old = script.old or old
    for match in WORKFLOW.finditer(source.bare):
        start = match.end()
        body = source.bare[start : source.closing(start - 1)]
        script.workflows[match[1]] = Workflow(match[1], tuple(_calls(body)))
    script.params = dict.fromkeys(match[1] for match in PARAM.finditer(source.text) if _used(source, match.start()))
    script.opened = {match[1] for match in OPENS_FILE.finditer(source.bare)}
    for match in ASSIGNED.finditer(source.bare):
        end = source.text.find("\n", match.end())
        script.assigned[match[1]] = source.text[match.end() : end if end >= 0 else None].strip()
    return script


def _used(source: Source, position: int) -> bool:
    """Say whether a place is code: outside of strings, or put into one; a comment is neither."""
    if source.bare[position] == "p":
        return True
    start = source.text.rfind("\n", 0, position) + 1
    return (
        re.search(r"\$\{[^}]*$|\$$", source.text[start:position]) is not None
        and "//" not in source.bare[start:position]
    )


def _includes(source: Source, position: int) -> list[Include]:
    if source.bare[position] == "{":
        end = source.closing(position)
        names, end = source.bare[position + 1 : end], end + 1
    else:
        # The older form: `include NAME from './x'`.
        match = NAMED.match(source.bare, position)
        assert match is not None
        names, end = match[0], match.end()
    found = FROM.match(source.bare, end)
    if found is None:
        return []
    literal = source.string(found.end())
    if literal is None:
        return []
    line = source.line(position)
    return [Include(m[1], m[2] or m[1], literal[0], line) for m in NAMED.finditer(names)]


def _process(source: Source, match: re.Match[str]) -> tuple[Process, bool]:
    start, end = match.end(), source.closing(match.end() - 1)
    sections = [(m[1], m.start(), m.end()) for m in SECTION.finditer(source.bare, start, end)]
    parts: dict[str, tuple[int, int]] = {}
    for index, (name, _, after) in enumerate(sections):
        parts.setdefault(name, (after, sections[index + 1][1] if index + 1 < len(sections) else end))
    head = (start, sections[0][1] if sections else end)
    container, computed = _container(source, head)
    labels = [literal[0] for at in _directives(source, head, "label") if (literal := source.string(at)) is not None]
    inputs = source.bare[slice(*parts["input"])] if "input" in parts else ""
    outputs = source.bare[slice(*parts["output"])] if "output" in parts else ""
    process = Process(
        match[1], source.line(match.start()), container, computed, tuple(labels), _comment_before(source, match.start()),
        tuple(_inputs(source, parts["input"])) if inputs else (),
        tuple(_outputs(source, parts["output"])) if outputs else (),
    )  # fmt: skip
    return process, bool(OLD.search(inputs) or OLD.search(outputs))


def _directives(source: Source, span: tuple[int, int], name: str) -> list[int]:
    pattern = re.compile(rf"(?:^|(?<=[{{;]))[ \t]*{name}\b[ \t]*[({{]?\s*", re.M)
    return [match.end() for match in pattern.finditer(source.bare, *span)]


def _container(source: Source, span: tuple[int, int]) -> tuple[str, bool]:
    """Return the image that a process names. Of nf-core's choice by runtime it is the one for Docker, the last."""
    for at in _directives(source, span, "container"):
        literal = source.string(at)
        if literal is None:
            continue
        text, _, computed = literal
        if computed and "?" in text and (choices := re.findall(r"'([^'$]+)'|\"([^\"$]+)\"", text)):
            chosen = "".join(choices[-1])
            if "/" in chosen or ":" in chosen:
                return chosen, False
        return text.strip(), computed
    return "", False


def _comment_before(source: Source, position: int) -> str:
    lines = source.text[:position].rstrip("\n").split("\n")
    found: list[str] = []
    for line in reversed(lines):
        text = line.strip()
        if not text.startswith(("//", "*", "/*")) and not text.endswith("*/"):
            break
        found.append(text.strip("/* \t"))
    return "\n".join(line for line in reversed(found) if line and set(line) - set("~=-#"))


def _statements(source: Source, span: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the statements of a section: lines, those that go on in the next one taken together."""
    found: list[tuple[int, int]] = []
    begin, depth = span[0], 0
    for position in range(*span):
        char = source.bare[position]
        depth += (char in "([{") - (char in ")]}")
        if char == "\n" and depth == 0 and not source.bare[begin:position].rstrip().endswith(","):
            found.append((begin, position))
            begin = position + 1
    return [(a, b) for a, b in [*found, (begin, span[1])] if source.bare[a:b].strip()]


def _inputs(source: Source, span: tuple[int, int]) -> list[str]:
    found: list[str] = []
    for a, b in _statements(source, span):
        for match in PATHS.finditer(source.bare, a, b):
            name = re.compile(r"\w+").match(source.bare, match.end())
            literal = source.string(match.end())
            found.append(name[0] if name else literal[0] if literal else "")
    return [name or f"files_{n}" for n, name in enumerate(found, 1)]


def _outputs(source: Source, span: tuple[int, int]) -> list[Output]:
    found: list[Output] = []
    for number, (a, b) in enumerate(_statements(source, span), 1):
        emit = EMIT.search(source.bare, a, b)
        name = emit[1] if emit else "out" if number == 1 else f"out_{number}"
        for match in PATHS.finditer(source.bare, a, b):
            position: int = match.end()
            patterns = []
            while (literal := source.string(position)) is not None:
                patterns.append(EXPRESSION.sub("*", literal[0]) if literal[2] else literal[0])
                following = re.compile(r"\s*,\s*(?=['\"])").match(source.bare, literal[1])
                if following is None:
                    break
                position = following.end()
            found += [Output(name, pattern) for pattern in patterns or [""]]
    return found


def _calls(body: str) -> list[Call]:
    found: dict[str, Call] = {}
    depth, last = 0, 0
    for match in CALL.finditer(body):
        between = body[last : match.start()]
        depth += between.count("{") - between.count("}")
        last = match.start()
        name = match[1] or match[2] or match[3]
        if name not in found:
            found[name] = Call(name, depth > 0)
    return list(found.values())
