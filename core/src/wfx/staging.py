"""Stage: bring everything of a plan into the run directory, and write down the digest of each as the lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wfx import tables
from wfx.errors import InputError, IntegrityError, MachineError, WfxError
from wfx.fetching import Fetched, Source
from wfx.inputfiles import with_digests
from wfx.planning import Document, Plan, PlannedInput
from wfx.records import digest
from wfx.references import Reference
from wfx.values import Values

if TYPE_CHECKING:
    from wfx.engines import Description, Engine
    from wfx.runtimes import Runtime
    from wfx.session import Session
    from wfx.store import Store

SCHEMA = 1
MOST_OPENED = 1000


@dataclass(frozen=True, slots=True)
class Locked:
    """One thing that was staged, and proof of what it is."""

    path: str
    """Relative to the run directory."""
    kind: Literal["file", "directory"]
    sha256: str
    """Of a directory: of its manifest (`wfx.store`)."""
    size: int
    origin: Reference
    """As the user or the workflow gave it."""
    pinned: Reference | None = None
    revision: str = ""
    hops: tuple[Reference, ...] = ()
    media_type: str | None = None
    licence: str | None = None
    attribution: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StagedImage:
    """A container image in the store, and proof of what it is."""

    image: str
    """As the workflow writes it."""
    digest: str
    """Of the manifest, `sha256:…`."""
    sha256: str
    """Of its layout's manifest in the store (`wfx.store`), or of the SIF."""
    size: int
    pinned: Reference | None = None
    label: str = ""
    format: str = "oci"


@dataclass(frozen=True, slots=True)
class Lock:
    """What staging adds to the plan."""

    identity: str
    """sha256 over canonical JSON of workflow, inputs, engine with version, images and options that can change a
    result; times, hosts and mirrors stay out of it."""
    items: tuple[Locked, ...]
    """The inputs; the workflow's documents stand in the plan with their digests."""
    images: tuple[StagedImage, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A run directory in which everything of the lock lies."""

    directory: Path
    plan: Plan
    lock: Lock
    needs: tuple[str, ...] = ()
    """Origins that the run itself must still reach: none for an engine of this machine."""
    runtime: Runtime | None = None
    """The container runtime with the images, where the plan has any."""


# Options that say how much of the machine to use; the same result comes of any of them.
WITHOUT_EFFECT = frozenset({"cores", "memory"})


def open_inputs(
    engine: Engine, description: Description, values: Values, session: Session, named: Mapping[str, Reference]
) -> None:
    """Bring the files elsewhere that the engine has to read before it can say what it will read: `Engine.opens`.

    `named` says who names a URI, where that is not the user. Raises FetchError, InputError for a folder.
    """
    opened: dict[str, Path] = {}
    while wanted := [uri for uri in dict.fromkeys(engine.opens(description, values)) if uri not in opened]:
        if len(opened) + len(wanted) > MOST_OPENED:
            raise InputError(f"more than {MOST_OPENED} tables name each other", where=wanted[0])
        for uri in wanted:
            opened[uri] = session.local_copy(Reference(uri), behalf=named.get(uri))
        engine.opened = opened


def fetch_inputs(plan: Plan, session: Session, *, refresh: bool = True) -> list[Fetched]:
    """Fetch the plan's inputs into the store, in the order of `plan.files`; local ones are hashed where they lie.

    Raises FetchError, IntegrityError, or InputError where a folder came for a file.
    """
    answers: dict[int, Fetched] = {}
    for behalf in dict.fromkeys(item.named_by for item in plan.files):
        numbers = [n for n, item in enumerate(plan.files) if item.named_by == behalf]
        sources = [source_of(plan.files[n]) for n in numbers]
        try:
            answers.update(zip(numbers, session.fetch(sources, behalf=behalf, refresh=refresh), strict=True))
        except WfxError as error:
            _tell_place(error, [plan.files[n] for n in numbers])
            raise
    fetched = [tables.rewritten(item, answers[n], session.store) for n, item in enumerate(plan.files)]
    for item, answer in zip(plan.files, fetched, strict=True):
        if answer.kind != item.kind:
            raise InputError(
                f"{item.place}: a {answer.kind} came where a {item.kind} is expected",
                where=str(item.reference),
            )
    return fetched


def source_of(item: PlannedInput) -> Source:
    """Return what to fetch for a planned file."""
    # Without the user's word on the licence: the store remembers what places say.
    return Source(item.reference, item.expected, alternates=item.alternates, archive=item.archive)


def _tell_place(error: WfxError, files: Sequence[PlannedInput]) -> None:
    """Add to an error what names the file that it is about, where that is a table of many."""
    item = next((item for item in files if item.named_at and error.where == str(item.reference)), None)
    if item is not None:
        error.why = "; ".join(filter(None, (f"{item.place} names it", error.why)))


def make_lock(plan: Plan, fetched: Sequence[Fetched], images: Sequence[StagedImage] = ()) -> Lock:
    """Write down the digest of everything, and the identity that follows from it."""
    items = tuple(
        Locked(
            path=item.path,
            kind=item.kind,
            sha256=answer.sha256,
            size=answer.size,
            origin=item.reference,
            pinned=answer.pinned,
            revision=answer.revision,
            hops=answer.hops,
            media_type=answer.media_type,
            licence=item.licence or answer.licence,
            attribution=item.attribution,
        )
        for item, answer in zip(plan.files, fetched, strict=True)
    )
    return Lock(identity_of(plan, {item.path: item.sha256 for item in items}), items, tuple(images))


def identity_of(plan: Plan, digests: Mapping[str, str]) -> str:
    """Return the run's identity; `digests` gives the sha256 of each input by its path in the run directory."""
    return digest(
        {
            "workflow": plan.workflow.digest,
            "inputs": with_digests(plan.inputs, dict(digests)),
            "engine": [plan.description.engine, plan.description.engine_version],
            "images": {image.image: image.digest for image in plan.images},
            "containers": list(plan.containers) if plan.images else [],
            "options": {key: value for key, value in plan.options.items() if key not in WITHOUT_EFFECT},
        }
    )


def place_workflow(documents: Sequence[Document], sources: Mapping[str, Path], tree: Path, store: Store) -> None:
    """Write the workflow's documents into `tree`. `sources` says where each one's bytes lie now."""
    for document in documents:
        target = tree / document.path
        target.parent.mkdir(parents=True, exist_ok=True)
        source = sources[document.path]
        store.copy_file(source, target)
        if os.access(source, os.X_OK) and not os.access(target, os.X_OK):
            # A workflow's own programs (`bin/`) are called by name.
            target.chmod(target.stat().st_mode | 0o111)
        # What the engine reads must be what the plan has looked at, though the user may be editing right now.
        if store.hash_file(target) != (document.sha256, document.size):
            raise IntegrityError("it changed while it was being staged", where=str(document.origin), remedy="run again")


def place_inputs(plan: Plan, fetched: Sequence[Fetched], directory: Path, store: Store, *, link: bool) -> list[str]:
    """Bring the inputs to their places below `directory`; return the digests of those that are hard links.

    With `link`, which is right only where the engine sees its inputs mounted read-only, stored files are linked; else
    they are cloned or copied. A user's own file is always cloned or copied.
    """
    linked: list[str] = []
    made: set[Path] = set()
    for item, answer in zip(plan.files, fetched, strict=True):
        target = directory / item.path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        if answer.local is not None:
            _place_local(item, answer, target, store)
        elif item.kind == "directory":
            store.place_tree(answer.sha256, target)
        elif store.place(answer.sha256, target, link=link) == "link":
            linked.append(answer.sha256)
    return linked


def forget_what_is_not_kept(plan: Plan, fetched: Sequence[Fetched], store: Store) -> None:
    """Take out of the store what has just come and is not to stay there (`cacheable: false`); a run has it now.

    While another wfx uses the store it stays until `wfx cache gc`.
    """
    from wfx.store.care import forget

    pairs = zip(plan.files, fetched, strict=True)
    gone = [(item, answer) for item, answer in pairs if not item.cacheable and not answer.from_store]
    digests = {answer.sha256 for _, answer in gone}
    for item, _ in gone:
        # An archive goes with its members.
        known = store.known(item.reference.without_fragment())
        if known is not None:
            digests.add(known.sha256)
    if digests:
        forget(store, digests)


def _place_local(item: PlannedInput, answer: Fetched, target: Path, store: Store) -> None:
    assert answer.local is not None
    if item.kind == "directory":
        store.copy_tree(answer.local, target)
        now = store.hash_tree(answer.local)
        for folder, _, names in os.walk(target, topdown=False):
            for path in (*(Path(folder) / name for name in names), Path(folder)):
                _keep_time(answer.local / path.relative_to(target), path)
    else:
        store.copy_file(answer.local, target)
        now = store.hash_file(answer.local)
        _keep_time(answer.local, target)
    # Costs a stat where nothing changed; the copy is then of the bytes that were hashed.
    if now != (answer.sha256, answer.size):
        raise IntegrityError("it changed while it was being staged", where=str(item.reference), remedy="run again")


def _keep_time(source: Path, target: Path) -> None:
    """Give a copy its original's time of change: tools see it, and so do results (`date -r`, `make`)."""
    with contextlib.suppress(OSError):
        info = source.stat()
        os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def check_space(plan: Plan, directory: Path) -> None:
    """Raise MachineError where the known sizes, and 5 % more, do not fit on the disk of the run directory."""
    import shutil

    need = sum(item.known_size or item.expected.size or 0 for item in plan.files) * 1.05
    free = shutil.disk_usage(directory).free
    if need > free:
        raise MachineError(
            f"{need / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free", where=str(directory),
            remedy="free some space, or choose another directory with -o",
        )  # fmt: skip
