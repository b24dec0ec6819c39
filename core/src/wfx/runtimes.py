"""Runtimes: which container runtime serves a workflow, and its images pinned, fetched and loaded for it.

An engine asks for images by name (`Description.images`), the user names runtimes in an order, factories say what this
machine has. Nothing here knows a runtime: capabilities are compared, and the chosen factory is asked.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfx.containers import Availability, ContainerFactory, FactoryContext, LoadedImage, RuntimeAccess
from wfx.errors import ContainerError, IntegrityError, OfflineError, PluginError
from wfx.fetching import Fetched, ResolverFetcher, Source
from wfx.planning import PlannedImage

if TYPE_CHECKING:
    from wfx.engines import Description, Engine
    from wfx.rundirs import RunDirectory
    from wfx.session import Session
    from wfx.staging import StagedImage

NONE = "none"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime with the images of a run loaded: all that an engine needs to use it."""

    name: str
    """Key of the factory: `docker`."""
    version: str
    access: RuntimeAccess
    images: Mapping[str, LoadedImage] = field(default_factory=dict)
    """By the name that the workflow writes."""
    nests: bool = False
    """Whether containers are the engine's own children, inside its sandbox, and not a daemon's."""


def choose(description: Description, order: Sequence[str], engine: type[Engine], session: Session) -> tuple[str, str]:
    """Return the runtime for a workflow, and why it is `none` where it asks for images all the same.

    `order` is the user's; empty, every runtime that the engine can drive and that is installed is tried. What a workflow
    only hints at is done without where there is no runtime. Raises ContainerError, which says of each what is missing.
    """
    if not description.images or tuple(order) == (NONE,):
        return NONE, ""
    named = [name for name in order if name != NONE]
    candidates = named or [name for name in engine.capabilities.containers if name in _installed(session)]
    missing: list[str] = []
    remedies: list[str] = []
    for name in candidates:
        problem = _problem(name, engine, session)
        if not problem.problem:
            return name, ""
        missing.append(f"{name}: {problem.problem}")
        remedies.append(problem.remedy)
    why = "; ".join(missing) or "no plugin for a container runtime is installed"
    required = sorted({need.image for need in description.images if need.required})
    if (NONE in order and not required) or (not order and not required):
        return NONE, why
    wanted = required or sorted({need.image for need in description.images})
    raise ContainerError(
        f"the workflow asks for the container image {wanted[0]}" + (f" and {len(wanted) - 1} more" if wanted[1:] else ""),
        why=why, remedy=" or ".join(dict.fromkeys(filter(None, [*remedies[:2], "run without with --containers none"]))),
    )  # fmt: skip


def _installed(session: Session) -> list[str]:
    return session.plugins.keys("container-factory")


def _problem(name: str, engine: type[Engine], session: Session) -> Availability:
    """Say why a runtime cannot serve; an empty problem where it can."""
    if name not in engine.capabilities.containers:
        return Availability(problem=f"{engine.capabilities.name} cannot drive it")
    try:
        available = factory(name, session).available()
    except PluginError as error:
        return Availability(problem=error.what, remedy=error.remedy or "")
    return Availability() if available.usable else available


def factory(name: str, session: Session) -> ContainerFactory:
    """Return the factory of a runtime, with its folder for converted images and its settings."""
    progress = session.progress
    context = FactoryContext(
        cache=session.directories.cache / "images",
        settings=session.config.section(f"container.{name}"),
        note=progress.note if progress is not None else lambda _text: None,
    )
    return session.plugins.container_factory(name)(context)


def pin(description: Description, session: Session, *, probe: bool = False) -> tuple[PlannedImage, ...]:
    """Pin every image by the digest of this platform's manifest; with `probe`, say its compressed size too.

    Offline the store's memory answers. Raises what the registry's fetcher raises, and OfflineError.
    """
    names = dict.fromkeys(need.image for need in description.images)
    return tuple(_pin(name, session, probe) for name in names)


def _pin(name: str, session: Session, probe: bool) -> PlannedImage:
    from wfx.images import ImageName, Platform

    reference = ImageName.parse(name).reference()
    known = session.store.known(reference)
    if session.offline:
        if known is None or not known.revision or known.pinned is None:
            raise OfflineError(f"the container image {name} is not in the store", remedy="run once without --offline")
        return PlannedImage(name, known.revision, known.size, str(Platform.here()), known.pinned, known.label)
    fetcher = session.plugins.fetcher(reference)()
    pinned = fetcher.pin(reference, session.net) if isinstance(fetcher, ResolverFetcher) else None
    if pinned is None or not isinstance(fetcher, ResolverFetcher):
        raise ContainerError("its digest cannot be told", where=name, why="the fetcher pins no references")
    size = None
    if (stored := session.store.known(pinned.reference)) is not None:
        size = stored.size
    elif probe:
        parts = fetcher.resolve(pinned.reference, session.net)
        size = sum(p.expected.size or len(p.content or b"") for p in parts)
    if known is not None and known.revision not in ("", pinned.revision) and pinned.label and session.progress:
        session.progress.note(f"{name}: {pinned.label} was {known.revision[:19]}, and is {pinned.revision[:19]} now")
    return PlannedImage(name, pinned.revision, size, str(Platform.here()), pinned.reference, pinned.label)


def fetch(images: Sequence[PlannedImage], session: Session) -> list[Fetched]:
    """Bring the images into the store, in their order, each as the layout of its digest."""
    from wfx.images import ImageName

    sources = [Source(image.pinned) for image in images if image.pinned is not None]
    if not sources:
        return []
    fetched = session.fetch(sources, purpose="images")
    facts = []
    for image, answer in zip(images, fetched, strict=True):
        known = session.store.known(answer.reference)
        if known is not None:
            # What the name means today, for when nobody can be asked.
            name = ImageName.parse(image.image).reference()
            facts.append(
                (name, dataclasses.replace(known, pinned=image.pinned, revision=image.digest, label=image.label))
            )
    session.store.remember(facts)
    return fetched


def load(name: str, images: Sequence[StagedImage], run: RunDirectory, session: Session) -> Runtime:
    """Load the images of a staged run into a runtime. Raises ContainerError, and IntegrityError for a lost image."""
    maker = factory(name, session)
    available = maker.available()
    if not available.usable:
        raise ContainerError(f"{name} cannot be used", why=available.problem, remedy=available.remedy or None)
    loaded: dict[str, LoadedImage] = {}
    for image in images:
        if not session.store.has_tree(image.sha256):
            raise IntegrityError(
                f"the image {image.image} is no longer in the store", remedy="run it anew with `wfx run`"
            )
        layout = run.state_folder / "images" / image.digest.partition(":")[2][:12]
        shutil.rmtree(layout, ignore_errors=True)
        # Only our own factories read it, and none of them writes.
        session.store.place_tree(image.sha256, layout, link=True)
        try:
            loaded[image.image] = maker.load(layout, image.image, image.digest)
        finally:
            shutil.rmtree(layout, ignore_errors=True)
    return Runtime(name, available.version, maker.access(run.state.run), loaded, nests=not maker.capabilities.daemon)


def with_sizes(images: Sequence[PlannedImage], fetched: Sequence[Fetched]) -> tuple[PlannedImage, ...]:
    """Return the images with the sizes that are known now."""
    return tuple(dataclasses.replace(i, size=f.size) for i, f in zip(images, fetched, strict=True))
