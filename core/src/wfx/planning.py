"""Plan: the definition resolved. Documents fetched and pinned, every other reference with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from wfx.engines import Description
from wfx.fetching import Expected
from wfx.references import Reference
from wfx.values import Values

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the workflow's tree."""

    path: str
    """Relative to the tree, with `/`."""
    sha256: str
    size: int
    origin: Reference
    """Where it came from; of a local workflow its `file:` reference."""
    role: Literal["document", "text", "file", "schema", "other"] = "document"


@dataclass(frozen=True, slots=True)
class PlannedWorkflow:
    """The workflow, pinned."""

    reference: Reference
    """As the user gave it."""
    pinned: Reference
    """With the commit in place of the tag; the same where nothing can be pinned but the digests."""
    entry: str
    """Main document, relative to the tree."""
    fragment: str = ""
    revision: str = ""
    """Commit or version."""
    label: str = ""
    """The tag or branch that the user named."""
    documents: tuple[Document, ...] = ()
    """The closure, sorted by path."""
    digest: str = ""
    """sha256 over (path, sha256) of all documents, entry and fragment."""
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """A file or folder that the inputs name, and where it will lie."""

    reference: Reference
    path: str
    """Relative to the run directory: `inputs/reads/a.fq.gz`."""
    kind: Literal["file", "directory"]
    parameter: str
    """The first parameter that names it, for messages."""
    expected: Expected = Expected()
    known_sha256: str | None = None
    """From the store or, for a local file, from reading it."""
    known_size: int | None = None
    validator: str | None = None
    pinned: Reference | None = None
    host: str = ""
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """A container image, by digest."""

    image: str
    """As the workflow writes it."""
    digest: str
    size: int | None = None
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done: data, versioned and stored; what is executed is the plan as stored."""

    name: str
    workflow: PlannedWorkflow
    description: Description
    inputs: Values
    """As the engine will read them, with `location` relative to the run directory."""
    files: tuple[PlannedInput, ...] = ()
    images: tuple[PlannedImage, ...] = ()
    containers: tuple[str, ...] = ("none",)
    """Runtimes in the user's order."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of the engine that can change a result."""
    request: str = ""
    """sha256 over what was asked for; the same request is the same run directory."""
    created: str = ""
    wfx: str = ""
    """Version."""
    plugins: dict[str, str] = field(default_factory=dict)
    """Distributions in use, with their versions."""
    schema: int = SCHEMA
