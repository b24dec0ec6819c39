"""Plan: the definition resolved. Documents fetched and pinned, every other reference with what is known of it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from wfx import disclosing
from wfx.disclosing import Disclosable
from wfx.engines import Description, Engine
from wfx.errors import InputError
from wfx.expectedoutputs import ExpectedOutput
from wfx.fetching import Expected
from wfx.records import decode, digest, encode
from wfx.references import Reference
from wfx.treeparts import names_part
from wfx.values import JsonValue, Values

if TYPE_CHECKING:
    from wfx.closures import Closure
    from wfx.session import Session

SCHEMA = 1
NONE = "none"
"""In place of a container runtime: run without."""


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
    aliases: dict[str, str] = field(default_factory=dict)
    """Absolute URI that a document names → where it lies, relative to the tree."""


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
    archive: Expected = Expected()
    """What is stated of the archive, where the reference names a member of one by `#path=`."""
    alternates: tuple[Reference, ...] = ()
    """Mirrors, asked in this order when the reference fails."""
    known_sha256: str | None = None
    """From the store or, for a local file, from reading it."""
    known_size: int | None = None
    validator: str | None = None
    pinned: Reference | None = None
    host: str = ""
    licence: str | None = None
    attribution: tuple[str, ...] = ()
    """Who is to be named where the file is handed on, as the user says: a text, or a URI, each."""
    optional: bool = False
    """Whether it was taken because it is there, and the workflow can do without."""
    cacheable: bool = True
    """Whether the store may keep it once it is staged."""
    transfer: int | None = None
    """Bytes that have to come for it, where that was asked: of a member of an archive, those of the archive; 0: none."""
    refused: str = ""
    """What its place said when it was asked without success."""
    table: dict[str, JsonValue] = field(default_factory=dict)
    """Of a table that names files: how its cells become their places beside it (`wfx.tables`)."""
    own_network: str = ""
    """Who opens connections of its own for it, past wfx's gate to the network: `wfx-fsspec 0.1.0`; empty: nobody."""
    named_by: Reference | None = None
    """The crate or table that names it, where the user does not: then it is fetched with a stranger's rights."""
    named_at: str = ""
    """The place in a table that names it, for messages."""
    disclosable: Disclosable = "yes"
    """Whether it may be handed on: `name` its name alone, `no` nothing but digest and size."""

    @property
    def place(self) -> str:
        """What names it, for messages."""
        return f"input '{self.parameter}'" + (f", {self.named_at}" if self.named_at else "")


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """A container image, by digest."""

    image: str
    """As the workflow writes it."""
    digest: str
    """Of this platform's manifest, `sha256:…`; of a SIF its own; empty where only fetching or building it tells."""
    size: int | None = None
    """Bytes of its compressed layers and manifests, or of the SIF."""
    platform: str = ""
    pinned: Reference | None = None
    """The reference by digest."""
    label: str = ""
    """The tag that the workflow names."""
    format: str = "oci"
    """`oci` or `sif`: what the runtime must take."""
    created: str = ""
    licence: str = ""
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    bases: dict[str, str] = field(default_factory=dict)
    """Of one that is built: the images it builds on, and their digests."""
    signed: str = ""
    """sha256 of the public key that has signed it, in hex, where keys are configured."""


@dataclass(frozen=True, slots=True)
class PlannedProgram:
    """The engine's program; its version stands in the description."""

    provided: bool = False
    """Whether wfx provides it; else it is the one that was found."""
    digest: str = ""
    """Of one that is provided: sha256 over its packages with their digests."""
    declared: str = ""
    """What the workflow says about the version: `>=8.0 in Snakefile`."""
    reason: str = ""
    """Why it is not simply the one that was found."""


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
    containers: tuple[str, ...] = (NONE,)
    """The runtime that serves it."""
    program: PlannedProgram = PlannedProgram()
    needs: tuple[str, ...] = ()
    """Origins that the run itself must reach; none for an engine of this machine."""
    warnings: tuple[str, ...] = ()
    """What the user should know before it runs."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of the engine that can change a result."""
    request: str = ""
    """sha256 over what was asked for; the same request is the same run directory."""
    created: str = ""
    wfx: str = ""
    """Version."""
    plugins: dict[str, str] = field(default_factory=dict)
    """Distributions in use, with their versions."""
    outputs: tuple[ExpectedOutput, ...] = ()
    """What the definition expects of the outputs; no part of the run's identity."""
    schema: int = SCHEMA


def now() -> str:
    """Return the time in UTC, ISO 8601 with zone, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def known_description(
    closure: Closure, version: str, session: Session, options: Mapping[str, str] | None = None
) -> Description | None:
    """Return what an engine of this version has said before of the same documents."""
    stored = session.store.fact("description", _description_key(closure, version, session, options))
    if stored is None:
        return None
    return decode(Description, stored)


def remember_description(
    closure: Closure, version: str, description: Description, session: Session, options: Mapping[str, str] | None = None
) -> None:
    """Keep a description for the next time; it is a pure function of the documents, the engine and its plugin."""
    session.store.set_fact("description", _description_key(closure, version, session, options), encode(description))


def _description_key(closure: Closure, version: str, session: Session, options: Mapping[str, str] | None = None) -> str:
    from wfx import __version__

    # The plugin puts the engine's words into ours, and another version of it may do so better.
    provider = session.plugins.provider("engine", closure.recognition.engine)
    plugin = f"{provider.distribution} {provider.version} " if provider else ""
    return f"{closure.recognition.engine} {version} {plugin}wfx {__version__} schema {SCHEMA} {closure.digest}" + (
        f" {digest(dict(options))}" if options else ""
    )


def planned_workflow(closure: Closure) -> PlannedWorkflow:
    """Return the closure as the plan records it."""
    return PlannedWorkflow(
        reference=closure.reference,
        pinned=closure.pinned,
        entry=closure.entry,
        fragment=closure.fragment,
        revision=closure.revision,
        label=closure.label,
        documents=closure.documents,
        digest=closure.digest,
        licence=closure.licence,
        aliases=dict(closure.aliases),
    )


def make_plan(
    closure: Closure,
    description: Description,
    values: Values,
    engine: Engine,
    session: Session,
    *,
    name: str,
    request: str,
    containers: Sequence[str] = (NONE,),
    images: Sequence[PlannedImage] = (),
    warnings: Sequence[str] = (),
    options: dict[str, str] | None = None,
    probe: bool = False,
    named: Mapping[str, Reference] | None = None,
    program: PlannedProgram | None = None,
    outputs: Sequence[ExpectedOutput] = (),
) -> Plan:
    """Resolve a definition whose workflow has been collected and described.

    `values` has absolute URIs as locations and has been validated. With `probe` the place of each remote input is
    asked for its size and validator; without, the plan says what the store knows, because fetching follows at once.
    `named` says who names a URI, where that is not the user.
    Raises InputError for local files that are not there, all at once.
    """
    from wfx import __version__, asking, sidenotes, tables
    from wfx.inputfiles import Layout, missing_locally

    values, notes = sidenotes.split(values)
    values, policy = disclosing.split(values)
    layout = Layout(policy)
    bound = layout.rewrite(engine.bind(description, values))
    missing = missing_locally(layout.files)
    if missing:
        raise InputError("; ".join(missing[:20]) + (f"; and {len(missing) - 20} more" if len(missing) > 20 else ""))
    foreign = named or {}
    files = tuple(
        _known(notes.on(dataclasses.replace(item, named_by=foreign.get(item.reference.uri, item.named_by))), session)
        for item in layout.files
    )
    if gone := asking.absent(files, session):
        files, bound = tuple(item for item in files if item.path not in gone), asking.without(bound, gone)
    files = tables.settled(files)
    if probe and not session.offline:
        files = asking.ask(files, session)
    return Plan(
        name=name,
        workflow=planned_workflow(closure),
        description=description,
        inputs=bound,
        files=files,
        images=tuple(images),
        containers=tuple(containers),
        program=program or PlannedProgram(),
        needs=engine.needs(),
        warnings=(*warnings, *engine.check(description, [i.known_size for i in files if i.known_size is not None])),
        options=dict(options or {}),
        request=request,
        created=now(),
        wfx=__version__,
        plugins=_distributions(closure, files, session, images, containers),
        outputs=tuple(outputs),
    )


def _known(item: PlannedInput, session: Session) -> PlannedInput:
    """Add what this machine knows: a local file's digest, the store's memory of a remote one."""
    if item.reference.is_local and not names_part(item.reference):
        path = item.reference.path
        hashed = session.store.hash_tree(path) if item.kind == "directory" else session.store.hash_file(path)
        return dataclasses.replace(item, known_sha256=hashed[0], known_size=hashed[1])
    provider = session.plugins.fetcher_provider(item.reference)
    # Without a plugin for it the store may still have it.
    if provider is not None and session.plugins.fetcher(item.reference).own_network:
        item = dataclasses.replace(item, own_network=str(provider))
    known = session.store.known(item.reference)
    if known is None:
        return item
    return dataclasses.replace(
        item,
        known_sha256=known.sha256,
        known_size=known.size,
        validator=known.validator,
        licence=item.licence or known.licence,
    )


def _distributions(
    closure: Closure, files: Sequence[PlannedInput], session: Session, images: Sequence[PlannedImage],
    containers: Sequence[str],
) -> dict[str, str]:  # fmt: skip
    providers = [session.plugins.provider("engine", closure.recognition.engine)]
    # A host's own plugin may serve some references of a scheme: one of each host is looked at, not each of thousands.
    places = {(item.scheme, item.host): item for item in (closure.reference, *(item.reference for item in files))}
    providers += [
        # A crate that lies here needs nobody to fetch it.
        session.plugins.fetcher_provider(reference)
        for reference in places.values()
        if not reference.scheme.startswith(("crate+", "archive+"))
    ]
    return {p.distribution: p.version for p in sorted(filter(None, providers), key=lambda p: p.distribution)}
