"""Recipes: the Dockerfile that a workflow holds, built of pinned base images without a network.

The images that it builds on are pinned and fetched as all others; their names in the text are replaced by those that
the builder has for them, so that nothing is pulled. What was built is kept in the store under the text and the bases'
digests: the digest in plan and crate is that of one build, which the next run uses again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfx.errors import ContainerError, WfxError
from wfx.imageneeds import ImageSource
from wfx.imagepins import add_layout, fetch, recipe_key, staged_of
from wfx.imagepins import pin as pin_images
from wfx.planning import PlannedImage

if TYPE_CHECKING:
    from wfx.containers import ContainerFactory
    from wfx.session import Session
    from wfx.staging import StagedImage

FROM = re.compile(r"^(\s*FROM\s+(?:--\S+\s+)*)(\S+)(?:\s+AS\s+(\S+))?", re.I)
COPY_FROM = re.compile(r"^(\s*(?:COPY|ADD)\s.*?--from=)(\S+)", re.I)
ARGUMENT = re.compile(r"^\s*ARG\s+([A-Za-z_][A-Za-z0-9_]*)(?:=(\S*))?", re.I)
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
ADD_URL = re.compile(r"^\s*ADD\s.*\b(?:https?|ftp)://|^\s*ADD\s.*\bgit@", re.I)
RUN_WITH_RIGHTS = re.compile(r"^\s*RUN\s+(?:--\S+\s+)*--(?:network|security|device)\b", re.I)
COPY_FILES = re.compile(r"^\s*(?:COPY|ADD)\s", re.I)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the text an image is named."""

    line: int
    start: int
    stop: int
    image: str


def bases_of(recipe: str) -> list[str]:
    """Return the images that a Dockerfile builds on, in order, without its own stages and `scratch`."""
    return list(dict.fromkeys(place.image for place in _places(recipe)))


def _places(recipe: str) -> Iterator[_Place]:
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    begun = False
    for number, line in enumerate(recipe.splitlines()):
        declared = ARGUMENT.match(line)
        if declared and not begun:
            arguments[declared[1]] = (declared[2] or "").strip("\"'")
        found = FROM.match(line)
        if found:
            begun = True
            image = VARIABLE.sub(lambda match: arguments.get(match[1] or match[2], ""), found[2])
            if image.lower() not in {"scratch", *stages}:
                yield _Place(number, *found.span(2), image)
            if found[3]:
                stages.add(found[3].lower())
            continue
        copied = COPY_FROM.match(line)
        if copied and copied[2].lower() not in stages and not copied[2].isdigit():
            yield _Place(number, *copied.span(2), copied[2])


def with_bases(recipe: str, names: Mapping[str, str]) -> str:
    """Return the text with each base image by the name that the builder has for it."""
    lines = recipe.splitlines()
    for place in _places(recipe):
        line = lines[place.line]
        lines[place.line] = line[: place.start] + names[place.image] + line[place.stop :]
    return "\n".join(lines) + "\n"


def check(source: ImageSource, *, network: bool) -> None:
    """Refuse what a build without files and without a network cannot do. Raises ContainerError."""
    for number, line in enumerate(source.recipe.splitlines(), 1):
        if ADD_URL.match(line) and not network:
            raise ContainerError(
                "the Dockerfile fetches something while it is built", where=f"{source.image}, line {number}",
                why=line.strip()[:120], remedy="fetch it as an input, or set container.network",
            )  # fmt: skip
        if RUN_WITH_RIGHTS.match(line):
            raise ContainerError(
                "the Dockerfile asks for more than a build gets", where=f"{source.image}, line {number}",
                why=line.strip()[:120], remedy="take --network, --security and --device out of it",
            )  # fmt: skip
        if COPY_FILES.match(line) and not COPY_FROM.match(line) and not ADD_URL.match(line):
            raise ContainerError(
                "the Dockerfile copies files that the workflow does not give it",
                where=f"{source.image}, line {number}", why="CWL's dockerFile is the text alone",
                remedy="put the files into a base image",
            )  # fmt: skip
    if not any(FROM.match(line) for line in source.recipe.splitlines()):
        raise ContainerError("the Dockerfile names no base image", where=source.image, why="it has no FROM line")


def _network(session: Session) -> bool:
    return bool(session.config.get("container.network"))


def _base_sources(source: ImageSource) -> dict[str, ImageSource]:
    from wfx.images import ImageName

    return {name: ImageSource(name, "registry", ImageName.parse(name).reference()) for name in bases_of(source.recipe)}


def pin(source: ImageSource, session: Session, warnings: list[str]) -> PlannedImage:
    """Pin the bases of a recipe; the digest of what it becomes is known where it was built before."""
    check(source, network=_network(session))
    pinned, told = pin_images(_base_sources(source), session)
    warnings += told
    bases = {image.image: image.digest for image in pinned}
    image = PlannedImage(source.image, "", bases=bases)
    known = _built(source, bases, session)
    if known is None:
        return image
    return dataclasses.replace(image, digest=known["digest"], size=session.store.manifest(known["stored"]).size)


def _built(source: ImageSource, bases: Mapping[str, str], session: Session) -> dict[str, str] | None:
    found = session.store.fact("image-built", recipe_key(source.recipe, bases))
    if not isinstance(found, dict) or not session.store.has_tree(str(found["stored"])):
        return None
    return {key: str(value) for key, value in found.items()}


def build(
    source: ImageSource, image: PlannedImage, session: Session, builders: Sequence[str]
) -> tuple[PlannedImage, StagedImage]:
    """Build a recipe with the first runtime that can, unless that was done before. Raises ContainerError."""
    known = _built(source, image.bases, session)
    if known is None:
        known = _build(source, image, session, _builder(source, session, builders))
        session.store.set_fact("image-built", recipe_key(source.recipe, image.bases), dict(known))
    size = session.store.manifest(known["stored"]).size
    image = dataclasses.replace(image, digest=known["digest"], size=size)
    return image, staged_of(image, known["stored"])


def _builder(source: ImageSource, session: Session, builders: Sequence[str]) -> ContainerFactory:
    from wfx.runtimes import factory

    missing, remedies = [], []
    for name in dict.fromkeys([*builders, *session.plugins.keys("container-factory")]):
        try:
            if not session.plugins.container_factory(name).capabilities.builds:
                missing.append(f"{name} builds no Dockerfile")
                continue
            made = factory(name, session)
        except WfxError as error:
            missing.append(f"{name}: {error.what}")
            continue
        available = made.available()
        if available.usable:
            return made
        missing.append(f"{name}: {available.problem}")
        remedies.append(available.remedy)
    raise ContainerError(
        "nothing here can build the image of the Dockerfile", where=source.image, why="; ".join(missing) or None,
        remedy=" or ".join(filter(None, remedies[:2])) or "install wfx-docker or wfx-podman",
    )  # fmt: skip


def _build(source: ImageSource, image: PlannedImage, session: Session, builder: ContainerFactory) -> dict[str, str]:
    from wfx.images import ImageName
    from wfx.images.imports import import_archive

    # By the digests of the plan, whatever the tags mean by now.
    bases = []
    for name, digest in image.bases.items():
        parsed = ImageName.parse(name)
        bases.append(PlannedImage(name, digest, pinned=parsed.at(digest).reference(), label=parsed.tag))
    _, stored = fetch(bases, _base_sources(source), session)
    folder = session.scratch()
    names: dict[str, str] = {}
    for number, base in enumerate(stored):
        layout = folder / f"base{number}"
        session.store.place_tree(base.sha256, layout, link=True)
        names[base.image] = builder.load(layout, base.image, base.digest).name
    archive, layout = folder / "built.tar", folder / "built"
    if session.progress is not None:
        session.progress.note(f"building {source.image} with {builder.keys[0]}")
    try:
        builder.build(
            with_bases(source.recipe, names), f"wfx.local/built:{recipe_key(source.recipe, image.bases)[:12]}",
            archive, network=_network(session),
        )  # fmt: skip
        layout.mkdir()
        digest = import_archive(archive, layout, where=source.image)
        return {"digest": digest, "stored": add_layout(layout, session)}
    except ContainerError as error:
        error.where = error.where or source.image
        if not _network(session) and error.remedy is None:
            error.remedy = "its commands have no network: set container.network if they need one"
        raise
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
