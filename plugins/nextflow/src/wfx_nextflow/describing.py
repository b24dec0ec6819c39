"""The description of a pipeline, from its text and its configuration."""

from __future__ import annotations

import dataclasses
import fnmatch
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from wfx.documents import load_document
from wfx.engines import Description, ImageNeed, Step, Tool
from wfx.errors import DefinitionError, WfxError
from wfx.values import JsonValue, Parameter, ValueType

from wfx_nextflow.configuration import Configuration
from wfx_nextflow.manifest import about
from wfx_nextflow.parameters import parameters
from wfx_nextflow.project import Project, Use
from wfx_nextflow.recognition import KEY

FILES = ValueType("array", items=ValueType("File"))
PUBLISHED = "published"
ASKS = "it asks for Nextflow's plugin "


def plugins_of(description: Description) -> list[str]:
    """Return the plugins of Nextflow that a pipeline asks for: `nf-schema@2.3.0`."""
    return [text.removeprefix(ASKS) for text in description.warnings if text.startswith(ASKS)]


OPEN = "is put together while it runs, so it is not planned"
FOUND = " was found by running the script without its tasks: "


def has_open_images(description: Description) -> bool:
    """Say whether the text leaves open in which image a process runs."""
    return any(OPEN in text for text in description.warnings)


def found_images(description: Description) -> dict[str, JsonValue]:
    """Return step → image of those that only the script told, which may be others with other params."""
    said = (text.partition(FOUND) for text in description.warnings if FOUND in text)
    return {head.removeprefix("the image of "): image for head, _, image in said}


def describe(
    project: Project, configuration: Configuration, version: str, workflow: str = "",
    images_by_script: Mapping[str, JsonValue] | None = None,
) -> Description:  # fmt: skip
    """Describe what a pipeline's entry workflow does; `images_by_script` is what `nextflow inspect` says of them.

    Raises DefinitionError for what cannot be run.
    """
    if project.is_dsl1:
        raise DefinitionError(
            "it is written in DSL1", where=project.entry, why="Nextflow runs only DSL2 since version 22.12",
            remedy="take a release of the pipeline that is written in DSL2",
        )  # fmt: skip
    main = project.main
    if workflow and workflow not in main.workflows:
        names = ", ".join(sorted(filter(None, main.workflows))) or "none"
        raise DefinitionError(f"there is no workflow '{workflow}' in it", where=project.entry, why=f"it has: {names}")
    if not main.workflows and len(main.processes) != 1:
        raise DefinitionError(
            "it has no workflow", where=project.entry, why="nothing says which process is to run",
            remedy="name the pipeline's main script",
        )  # fmt: skip
    uses = project.uses(workflow)
    tools: dict[str, Tool] = {}
    steps: list[Step] = []
    images: dict[tuple[str, str], ImageNeed] = {}
    named = configuration.get("plugins")
    warnings = [f"{ASKS}{name}" for name in named] if isinstance(named, list) else []
    for position, use in enumerate(uses):
        image, computed = image_of(use, configuration)
        told = (images_by_script or {}).get(use.id)
        if computed and isinstance(told, str):
            image, computed = told, False
            warnings.append(f"the image of {use.id}{FOUND}{image}")
        tool = _tool(use, image if not computed else "", project.tree)
        known = tools.setdefault(tool.id, tool)
        if known.image and image and not computed and known.image != image:
            # One process, used twice with different images: the second use is a tool of its own.
            tool = dataclasses.replace(tool, id=f"{tool.id}/{use.id}")
            tools[tool.id] = tool
        steps.append(Step(use.id, tool.id, position, use.id, conditional=use.conditional))
        if computed:
            warnings.append(f"the image of {use.id} {OPEN}: {image}")
        elif image:
            images[tool.id, image] = ImageNeed(image, tool.id, required=False)
    manifest = configuration.text
    name = manifest("manifest.name").rpartition("/")[2] or Path(project.entry).stem
    optional_files = ValueType("union", alternatives=(ValueType("null"), FILES))
    outputs = [Parameter(step.id, optional_files, doc=f"Files that {step.id} publishes") for step in steps]
    outputs.append(Parameter(PUBLISHED, optional_files, doc="Other files that it writes"))
    said = about(configuration)
    return Description(
        engine=KEY, engine_version=version, language_version="DSL2", entry=project.entry, fragment=workflow, name=name,
        doc=said.description, licence=said.licence or None, about=said,
        inputs=parameters(project, configuration), outputs=tuple(outputs), tools=tuple(tools.values()), steps=tuple(steps),
        images=tuple(images.values()), warnings=tuple(warnings),
    )  # fmt: skip


def image_of(use: Use, configuration: Configuration) -> tuple[str, bool]:
    """Return the image of a process, and whether its name is only known at run time."""
    image, computed = use.process.container, use.process.computed
    configured = configuration.below("process.")
    if "container" in configured and not image:
        image, computed = _configured(configuration, "process.container")
    simple = use.id.rpartition(":")[2]
    for kind, wanted in (
        ("withLabel", use.process.labels),
        ("withName", (use.process.name, simple)),
        ("withName", (use.id,)),
    ):
        for key in configured:
            match = re.fullmatch(rf"'{kind}:(.*)'\.container", key)
            if match and any(selects(match[1], name) for name in wanted):
                image, computed = _configured(configuration, f"process.{key}")
    registry = configuration.text("docker.registry").rstrip("/")
    first = image.partition("/")[0]
    if registry and image and not computed and "/" in image and "." not in first and ":" not in first:
        image = f"{registry}/{image}"
    return image, computed


def selects(pattern: str, name: str) -> bool:
    """Say whether a selector of the configuration means a name: a regular expression, `!` before it for its opposite."""
    negated = pattern.startswith("!")
    try:
        return (re.fullmatch(pattern.removeprefix("!"), name) is not None) != negated
    except re.error:
        return fnmatch.fnmatchcase(name, pattern)


def _configured(configuration: Configuration, name: str) -> tuple[str, bool]:
    value = configuration.get(name)
    return (value, "$" in value) if isinstance(value, str) else (configuration.values[name], True)


def _tool(use: Use, image: str, tree: Path) -> Tool:
    process = use.process
    inputs = [Parameter(name, FILES) for name in dict.fromkeys((*process.inputs[:1], "files"))]
    outputs = [Parameter(name, FILES) for name in dict.fromkeys(output.name for output in process.outputs)]
    return Tool(
        f"{use.script}#{process.name}", "command", process.name, process.doc or _meta(tree / use.script),
        tuple(inputs), tuple(outputs), image or None, document=use.script,
    )  # fmt: skip


def _meta(script: Path) -> str:
    """Return what nf-core's `meta.yml` beside a module says of it."""
    path = script.with_name("meta.yml")
    if not path.is_file() or script.name != "main.nf":
        return ""
    try:
        value = load_document(path.read_bytes(), path.name).value
    except WfxError:
        return ""
    text = value.get("description") if isinstance(value, dict) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def patterns_of(project: Project, workflow: str) -> dict[str, dict[str, object]]:
    """Return for the driver what each step's files are called: step → its inputs, outputs and their patterns."""
    found: dict[str, dict[str, object]] = {}
    for use in project.uses(workflow):
        found[use.id] = {
            "inputs": list(use.process.inputs),
            "outputs": [[o.name, posixpath.normpath(o.pattern) if o.pattern else ""] for o in use.process.outputs],
        }
    return found
