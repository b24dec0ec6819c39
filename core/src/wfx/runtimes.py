"""Runtimes: which container runtime serves a workflow, and its stored images loaded for it.

An engine asks for images by name (`Description.images`), the user names runtimes in an order, factories say what this
machine has. Nothing here knows a runtime: capabilities are compared, and the chosen factory is asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.containers import Availability, ContainerFactory, FactoryContext, LoadedImage, RuntimeAccess
from wfx.errors import ContainerError, IntegrityError, PluginError
from wfx.planning import NONE

if TYPE_CHECKING:
    from wfx.engines import Description, Engine
    from wfx.rundirs import RunDirectory
    from wfx.session import Session
    from wfx.staging import StagedImage


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
    network: bool = False
    """Whether containers may have a network where a tool asks for one; the user's word."""
    spoken: str = ""
    """The runtime whose command line the engine is to write: this one, or the well-known one that this one speaks. The
    program stands under that name on the engine's PATH."""


def choose(
    description: Description, order: Sequence[str], engine: type[Engine], session: Session, sifs: Collection[str] = ()
) -> tuple[str, str]:
    """Return the runtime for a workflow, and why it is `none` where it asks for images all the same.

    `order` is the user's; empty, every runtime that the engine can drive and that is installed is tried. What a workflow
    only hints at is done without where there is no runtime. `sifs` are the images that are SIF files. Raises
    ContainerError, which says of each what is missing.
    """
    if not description.images or tuple(order) == (NONE,):
        return NONE, ""
    named = [name for name in order if name != NONE]
    candidates = named or _candidates(engine, session)
    missing: list[str] = []
    remedies: list[str] = []
    for name in candidates:
        problem = _problem(name, engine, session, sifs)
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


def _candidates(engine: type[Engine], session: Session) -> Iterator[str]:
    """Yield the installed runtimes that an engine drives: those that it knows, then those that speak as one of them."""
    installed = session.plugins.keys("container-factory")
    yield from (name for name in engine.capabilities.containers if name in installed)
    for name in installed:
        # A plugin that does not load is the doctor's business; nobody has asked for it.
        with contextlib.suppress(PluginError):
            if name not in engine.capabilities.containers and spoken(name, engine, session):
                yield name


def _problem(name: str, engine: type[Engine], session: Session, sifs: Collection[str]) -> Availability:
    """Say why a runtime cannot serve; an empty problem where it can."""
    try:
        if not spoken(name, engine, session):
            driven = engine.capabilities.containers
            return Availability(
                problem=f"{engine.capabilities.name} cannot drive it",
                remedy=f"--containers {driven[0]}" if driven else "",
            )
        if sifs and "sif" not in session.plugins.container_factory(name).capabilities.formats:
            return Availability(
                problem=f"it runs no SIF, which {next(iter(sifs))} is", remedy="--containers singularity"
            )
        available = factory(name, session).available()
    except PluginError as error:
        return Availability(problem=error.what, remedy=error.remedy or "")
    return Availability() if available.usable else available


def spoken(name: str, engine: type[Engine], session: Session) -> str:
    """Return the runtime that an engine takes one for: itself, or another that it speaks; empty where it is neither."""
    driven = engine.capabilities.containers
    if name in driven:
        return name
    speaks = session.plugins.container_factory(name).capabilities.speaks
    return next((other for other in speaks if other in driven), "")


def factory(name: str, session: Session) -> ContainerFactory:
    """Return the factory of a runtime, with its folder for converted images and its settings."""
    progress = session.progress
    context = FactoryContext(
        cache=session.directories.cache / "images",
        settings=session.config.section(f"container.{name}"),
        note=progress.note if progress is not None else lambda _text: None,
    )
    return session.plugins.container_factory(name)(context)


def about_network(description: Description, session: Session) -> list[str]:
    """Say which tools ask for a network that they do not get."""
    if not description.network or session.config.get("container.network"):
        return []
    asking = ", ".join(description.network[:3]) + (" and others" if description.network[3:] else "")
    return [f"no container gets a network, which {asking} asks for; allow it with the setting container.network"]


def load(
    name: str, images: Sequence[StagedImage], run: RunDirectory, session: Session, engine: type[Engine]
) -> Runtime:  # fmt: skip
    """Load the images of a staged run into a runtime. Raises ContainerError, and IntegrityError for a lost image."""
    maker = factory(name, session)
    available = maker.available()
    if not available.usable:
        raise ContainerError(f"{name} cannot be used", why=available.problem, remedy=available.remedy or None)
    loaded: dict[str, LoadedImage] = {}
    sifs: list[Path] = []
    for image in images:
        if image.format == "sif":
            loaded[image.image] = _load_sif(maker, image, session)
            sifs.append(Path(loaded[image.image].name))
            continue
        if not session.store.has_tree(image.sha256):
            raise _lost(image)
        layout = run.state_folder / "images" / image.digest.partition(":")[2][:12]
        shutil.rmtree(layout, ignore_errors=True)
        # Only our own factories read it, and none of them writes.
        session.store.place_tree(image.sha256, layout, link=True)
        try:
            loaded[image.image] = maker.load(layout, image.image, image.digest)
        finally:
            shutil.rmtree(layout, ignore_errors=True)
    access = maker.access(run.state.run)
    access = dataclasses.replace(access, readable=(*access.readable, *sifs))
    return Runtime(
        name, available.version, access, loaded, nests=not maker.capabilities.daemon,
        network=bool(session.config.get("container.network")), spoken=spoken(name, engine, session),
    )  # fmt: skip


def _load_sif(maker: ContainerFactory, image: StagedImage, session: Session) -> LoadedImage:
    """Give the runtime the store's own file, which nobody may write to: it is large, and used as it is."""
    if "sif" not in maker.capabilities.formats:
        raise ContainerError(
            f"{maker.keys[0]} runs no SIF", where=image.image, remedy="run it with --containers singularity"
        )
    path = session.store.blob(image.sha256)
    if path is None:
        raise _lost(image)
    return maker.load(path, image.image, image.digest)


def _lost(image: StagedImage) -> IntegrityError:
    return IntegrityError(f"the image {image.image} is no longer in the store", remedy="run it anew with `wfx run`")
