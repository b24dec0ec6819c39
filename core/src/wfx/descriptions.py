"""What an engine knows of a workflow before it is run: inputs, outputs, tools, steps and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wfx.about import About
from wfx.values import Parameter


@dataclass(frozen=True, slots=True)
class DocumentReference:
    """A place in a workflow's document that names another thing."""

    text: str
    """As it stands there."""
    line: int
    """Counted from 1."""
    role: Literal["document", "text", "file", "directory", "schema"]
    """`document` is parsed and searched in its turn; `text` is included as it is; `file` is a default input."""


@dataclass(frozen=True, slots=True)
class ImageNeed:
    """A container image that a tool asks for."""

    image: str
    """As the workflow writes it; of a Dockerfile's text a name that the engine gives it."""
    tool: str
    """Id of the tool."""
    required: bool = True
    """False where it is only a hint."""
    source: Literal["reference", "file", "filesystem", "recipe"] = "reference"
    """How `image` is read: a name, URI or path by its form; certainly a file (a SIF or an archive); a tar of a root file
    system; a name for what is built of `recipe`. Paths are relative to the tool's document."""
    recipe: str = ""
    """Text of a Dockerfile."""
    name: str = ""
    """Which image is meant, of an archive with several."""


@dataclass(frozen=True, slots=True)
class Software:
    """A program that a tool says it needs (CWL SoftwareRequirement)."""

    name: str
    versions: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    """IRIs of the program: RRID, bio.tools, a registry's page."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What a step runs."""

    id: str
    """Unique in the workflow; `tools/sort.cwl`, `wf.cwl#main/inline`."""
    kind: Literal["command", "expression", "workflow", "operation"]
    name: str = ""
    doc: str = ""
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    image: str | None = None
    software: tuple[Software, ...] = ()
    document: str = ""
    """The document that holds it, relative to the tree."""
    version: str = ""
    """As its author numbers it; empty: that of its document."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a workflow, or of a subworkflow."""

    id: str
    """Unique: `align`, `calls/filter` for a step of the subworkflow that step `calls` runs."""
    tool: str
    """Id of a Tool."""
    position: int
    """Order within its workflow, from 0, inputs before those that use them."""
    name: str = ""
    doc: str = ""
    scatter: bool = False
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """A link between two parameters: `reads` or `align/bam`, read in the scope of the workflow (tool) named."""

    source: str
    """`INPUT` of the workflow, or `STEP/OUTPUT`."""
    target: str
    """`STEP/INPUT`, or `OUTPUT` of the workflow."""
    scope: str = ""
    """Id of the step whose subworkflow this link is in; empty for the main workflow."""


@dataclass(frozen=True, slots=True)
class Description:
    """What an engine knows of a workflow before it is run; data, stored with the plan."""

    engine: str
    """Key."""
    engine_version: str
    language_version: str
    entry: str
    """Main document, relative to the tree."""
    fragment: str = ""
    """Process within a packed document, without `#`."""
    kind: Literal["workflow", "command", "expression"] = "workflow"
    name: str = ""
    doc: str = ""
    licence: str | None = None
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    tools: tuple[Tool, ...] = ()
    """Of a workflow: every tool that a step names. Empty for a lone tool, which is the workflow itself."""
    steps: tuple[Step, ...] = ()
    connections: tuple[Connection, ...] = ()
    images: tuple[ImageNeed, ...] = ()
    network: tuple[str, ...] = ()
    """Ids of the tools that ask for the network."""
    warnings: tuple[str, ...] = ()
    about: About = About()
    """What the workflow's own manifest says of it; the core adds what lies beside it (`CITATION.cff`, licence, …)."""
