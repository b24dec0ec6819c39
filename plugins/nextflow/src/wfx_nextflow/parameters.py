"""The parameters of a pipeline: from its schema, its configuration and its scripts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wfx.references import SCHEME
from wfx.values import Parameter, ValueType

from wfx_nextflow.configuration import OPAQUE, Configuration, literal
from wfx_nextflow.groovy import Source, Unbalanced
from wfx_nextflow.project import Project
from wfx_nextflow.recognition import CONFIG, read_text
from wfx_nextflow.schema import ANY, DIRECTORY, FILE, optional, read_rows, read_schema, rows_of, sheet_type

OUTPUTS = "outputs"
"""What an output folder's parameter is set to; the driver puts the run's own folder in its place."""
OUTDIRS = frozenset(
    {"outdir", "out_dir", "output_dir", "outputDir", "publish_dir", "publishDir", "results_dir", "resultsDir"}
)
PUBLISHES = re.compile(r"\bpublishDir\b\s*[=(\[{]*\s*(?:path\s*:\s*)?[{\s]*[\"']?\$?\{?\s*params\.(\w+)")
OPENED = ValueType("union", alternatives=(FILE, DIRECTORY, ValueType("array", items=FILE)))
TEXT = ValueType("string")
MANAGED = "wfx sets it: what is published there becomes the run's outputs."


def parameters(project: Project, configuration: Configuration) -> tuple[Parameter, ...]:
    """Return what a pipeline takes, declared parameters first. Raises DefinitionError for a broken schema."""
    declared = read_schema(project.home)
    found = dict(declared or {})
    printed = {name: text for name, text in configuration.below("params.").items() if "." not in name}
    # A map of settings (`params.genomes.x`) is one parameter, which a params file may give whole.
    nested = {name.partition(".")[0] for name in configuration.below("params.") if "." in name}
    assigned: dict[str, str] = {}
    opened: set[str] = set()
    for script in project.scripts.values():
        opened |= script.opened
        for name, text in script.assigned.items():
            assigned.setdefault(name, text)
    for name, text in {**assigned, **printed}.items():
        if name not in found:
            found[name] = _by_default(name, text, name in opened, project.tree)
        elif found[name].required and literal(text) is not None:
            # The schema asks for it, the configuration gives it.
            found[name] = dataclasses.replace(found[name], type=optional(found[name].type))
    for name in nested:
        found.setdefault(name, Parameter(name, ANY))
    for script in project.scripts.values():
        for name in script.params:
            # Used and nowhere defined: null where nobody gives it.
            found.setdefault(name, Parameter(name, optional(OPENED) if name in opened else ANY))
    _add_rows(found, project.home)
    for name in configuration.chosen & set(found):
        found[name] = _by_profile(found[name], literal(printed.get(name, "")), project.tree)
    for name in output_folders(project, found):
        found[name] = dataclasses.replace(
            found[name], type=TEXT, default=OUTPUTS, has_default=True,
            doc="\n".join(filter(None, (found[name].doc or found[name].label, MANAGED))),
        )  # fmt: skip
    return tuple(found.values())


def _by_profile(parameter: Parameter, value: Any, tree: Path) -> Parameter:
    """Return a parameter with what a profile says of it as its default; a file elsewhere is to be fetched like any other."""
    if value is None or value is OPAQUE:
        return parameter
    kinds = {t.kind for t in (parameter.type, *parameter.type.alternatives)}
    if isinstance(value, str) and kinds & {"File", "Directory"}:
        if not SCHEME.match(value) or value.lower().startswith("file:"):
            # Of the pipeline's own tree, or of this machine, which a pipeline may not name: Nextflow itself will say.
            return parameter
        kind = "Directory" if "File" not in kinds or value.endswith("/") else "File"
        value = {"class": kind, "location": value}
    return dataclasses.replace(parameter, default=value, has_default=True)


def _add_rows(found: dict[str, Parameter], home: Path) -> None:
    """Take nf-core's place for a samplesheet's schema where the parameter's own says nothing of one."""
    sheet = found.get("input")
    rows = read_rows("assets/schema_input.json", home) if sheet is not None else None
    if sheet is None or rows is None or sheet.type.kind not in ("File", "union", "any"):
        return
    if rows_of(sheet.type) is not None:
        return
    kind = sheet_type(rows)
    found["input"] = dataclasses.replace(sheet, type=kind if sheet.required else optional(kind))


def output_folders(project: Project, known: Mapping[str, Parameter]) -> set[str]:
    """Return the parameters that say where results are published."""
    texts = [read_text(project.tree / path) or "" for path in project.scripts]
    texts += [read_text(path) or "" for path in _configurations(project.home)]
    used: set[str] = set()
    for text in texts:
        used |= {match[1] for match in PUBLISHES.finditer(_without_comments(text))}
    return {name for name in known if name in OUTDIRS or name in used}


def _configurations(tree: Path) -> list[Path]:
    return [tree / CONFIG, *sorted(tree.glob("conf/*.config"))]


def _without_comments(text: str) -> str:
    try:
        bare = Source.of(text).bare
    except Unbalanced:
        return text
    lines = zip(text.split("\n"), bare.split("\n"), strict=True)
    return "\n".join(line if code.strip() else "" for line, code in lines)


def _by_default(name: str, text: str, opened: bool, tree: Path) -> Parameter:
    """Return a parameter that nobody declares, by the default that it has."""
    value = literal(text)
    if isinstance(value, str):
        for prefix in (f"{tree}/", f"{tree.resolve()}/"):
            if value.startswith(prefix):
                # A file of the pipeline's own is its default.
                path = value.removeprefix(prefix)
                kind = ValueType("Directory" if (tree / path).is_dir() else "File")
                return Parameter(name, optional(OPENED if opened else kind), doc=f"Default: {path}")
    if opened:
        shown = f"Default: {value}" if isinstance(value, (str, int, float)) else ""
        return Parameter(name, optional(OPENED), doc=shown)
    if isinstance(value, bool):
        return Parameter(name, ValueType("boolean"), default=value, has_default=True)
    if isinstance(value, (int, float)):
        numbers = ValueType("union", alternatives=(ValueType("int"), ValueType("float")))
        return Parameter(name, numbers, default=value, has_default=True)
    if isinstance(value, str):
        kinds = (TEXT, ValueType("int"), ValueType("float"), FILE, DIRECTORY)
        return Parameter(name, ValueType("union", alternatives=kinds), default=value, has_default=True)
    if value is None or value is OPAQUE:
        return Parameter(name, ANY)
    return Parameter(name, ANY, default=value, has_default=True)
