"""Images of a plan: pinned by digest, with what is worth knowing of them before a run; then fetched into the store.

The store keeps every image as an OCI layout or as a SIF, whatever it came as, and remembers what an archive, a file
system or a Dockerfile became: the same one is not converted or built again.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.errors import ContainerError, OfflineError
from wfx.fetching import Fetched, ResolverFetcher, Source
from wfx.imagesigning import signed
from wfx.planning import PlannedImage
from wfx.records import digest as digest_of
from wfx.references import Reference
from wfx.staging import StagedImage

if TYPE_CHECKING:
    from wfx.imageneeds import ImageSource
    from wfx.images import ImageFacts
    from wfx.session import Session

SHOWN = 19  # `sha256:` and twelve digits


def pin(
    sources: Mapping[str, ImageSource], session: Session, *, probe: bool = False
) -> tuple[tuple[PlannedImage, ...], list[str]]:
    """Pin every image as far as its place tells; return the images, and what the user should know of them.

    With `probe` sizes and facts are asked for, and an image that this machine cannot run is a warning and no error.
    What only the bytes tell (a SIF at a web address, an image to build) has no digest before it is fetched. Offline
    the store's memory answers. Raises what the places' fetchers raise, and OfflineError.
    """
    images: list[PlannedImage] = []
    warnings: list[str] = []
    for source in sources.values():
        try:
            image = signed(_pin(source, session, probe, warnings), source, session)
        except ContainerError as error:
            if not probe:
                raise
            warnings.append(str(error))
            image = PlannedImage(source.image, "", pinned=source.reference)
        images.append(image)
    return tuple(images), warnings


def _pin(source: ImageSource, session: Session, probe: bool, warnings: list[str]) -> PlannedImage:
    if source.kind == "recipe":
        from wfx import recipes

        return recipes.pin(source, session, warnings)
    if source.carried is not None:
        image, copy = source.carried
        return dataclasses.replace(image, size=copy.size)
    assert source.reference is not None
    if source.kind in ("file", "filesystem"):
        return _pin_file(source, session)
    return _pin_name(source, source.reference, session, probe, warnings)


def _pin_name(
    source: ImageSource, reference: Reference, session: Session, probe: bool, warnings: list[str]
) -> PlannedImage:
    """Pin an image of a registry or a library, whose places know digests."""
    from wfx.images import Platform

    name, sif = source.image, source.kind == "artifact"
    known = session.store.known(reference)
    platform = "" if sif else str(Platform.here())
    if session.offline:
        if known is None or known.pinned is None:
            raise OfflineError(f"the container image {name} is not in the store", remedy="run once without --offline")
        digest = f"sha256:{known.sha256}" if sif else known.revision
        image = PlannedImage(name, digest, known.size, platform, known.pinned, known.label, _format(sif))
        return _with_facts(image, session, known.sha256)
    fetcher = session.plugins.fetcher(reference)()
    pinned = fetcher.pin(reference, session.net) if isinstance(fetcher, ResolverFetcher) else None
    if pinned is None or not isinstance(fetcher, ResolverFetcher):
        raise ContainerError("its digest cannot be told", where=name, why="the fetcher pins no references")
    _note_tag(name, reference, pinned.revision, pinned.label, session, warnings)
    image = PlannedImage(name, pinned.revision, None, platform, pinned.reference, pinned.label, _format(sif))
    stored = session.store.known(pinned.reference)
    if stored is not None:
        image = dataclasses.replace(image, size=stored.size, digest=f"sha256:{stored.sha256}" if sif else image.digest)
        return _with_facts(image, session, stored.sha256)
    if not probe and not sif:
        return image
    parts = fetcher.resolve(pinned.reference, session.net)
    size = sum(p.expected.size or len(p.content or b"") for p in parts)
    if sif:
        # The digest of a SIF is that of its bytes, not of the registry's manifest about it.
        if len(parts) != 1:
            raise ContainerError(f"it holds {len(parts)} files, not one SIF", where=name)
        sha256 = parts[0].expected.sha256
        return dataclasses.replace(image, size=size, digest=f"sha256:{sha256}" if sha256 else "")
    blobs = {p.name.rpartition("/")[2]: p.content for p in parts if p.content is not None}
    facts = _facts(image.digest, lambda sha256: blobs.get(sha256) or b"", name)
    return _told(dataclasses.replace(image, size=size), facts)


def _note_tag(
    name: str, reference: Reference, digest: str, tag: str, session: Session, warnings: list[str]
) -> None:  # fmt: skip
    """Say that a tag is another image than at the last plan or run, and that `latest` is no version."""
    before = session.store.fact("image-tag", reference.uri)
    if tag and isinstance(before, str) and before != digest:
        warnings.append(f"{name}: {tag} was {before[:SHOWN]}, and is {digest[:SHOWN]} now")
    session.store.set_fact("image-tag", reference.uri, digest)
    if tag == "latest":
        at = name.partition("://")[2] or name
        warnings.append(
            f"{name}: latest is no version, and another image tomorrow; write {at.removesuffix(':latest')}@{digest}"
        )


def _pin_file(source: ImageSource, session: Session) -> PlannedImage:
    """Pin a file: by its bytes where they are here, else by what the store remembers of the address."""
    assert source.reference is not None
    reference = source.reference
    planned = PlannedImage(source.image, "", None, "", reference, "", _format(source.is_sif))
    if reference.is_local:
        # Reading is all that fetching it means.
        [fetched] = session.fetch([Source(reference)], purpose="images")
        return _adopt(source, planned, fetched, session)[0]
    known = session.store.known(reference)
    if known is None:
        if session.offline:
            raise OfflineError(f"the image {source.image} is not in the store", remedy="run once without --offline")
        return planned
    remembered = _remembered(source, known.sha256, session)
    if remembered is None:
        return dataclasses.replace(planned, size=known.size)
    return _planned(planned, remembered, session)


def fetch(
    images: Sequence[PlannedImage], sources: Mapping[str, ImageSource], session: Session, builders: Sequence[str] = (),
    behalf: Reference | None = None,
) -> tuple[tuple[PlannedImage, ...], tuple[StagedImage, ...]]:  # fmt: skip
    """Bring the images into the store; return them with what is known now, and what was stored of each.

    `builders` are the runtimes that may build a Dockerfile, in order; `behalf` is a workflow from elsewhere that names
    the files. Raises what fetching raises, and ContainerError.
    """
    plain = [image for image in images if sources[image.image].kind in ("registry", "artifact")]
    files = [image for image in images if sources[image.image].kind in ("file", "filesystem")]
    fetched: dict[str, Fetched] = {}
    for group, for_whom in ((plain, None), (files, behalf)):
        wanted = [Source(image.pinned) for image in group if image.pinned is not None]
        if wanted:
            answers = session.fetch(wanted, purpose="images", behalf=for_whom)
            fetched |= {image.image: answer for image, answer in zip(group, answers, strict=True)}
    planned, staged = [], []
    for image in images:
        source = sources[image.image]
        if source.kind == "recipe":
            from wfx import recipes

            new, made = recipes.build(source, image, session, builders)
        elif source.carried is not None:
            new, made = image, staged_of(image, source.carried[1].stored)
        else:
            new, made = _adopt(source, image, fetched[image.image], session)
        planned.append(new)
        staged.append(made)
    return tuple(planned), tuple(staged)


def _adopt(
    source: ImageSource, image: PlannedImage, answer: Fetched, session: Session
) -> tuple[PlannedImage, StagedImage]:
    """Take what was fetched for what it is: a layout or a SIF, or an archive that becomes a layout."""
    if source.kind == "registry":
        known = session.store.known(answer.reference)
        if known is not None and source.reference is not None:
            # What the name means today, for when nobody can be asked.
            fact = dataclasses.replace(known, pinned=image.pinned, revision=image.digest, label=image.label)
            session.store.remember([(source.reference, fact)])
        image = _with_facts(dataclasses.replace(image, size=answer.size), session, answer.sha256)
        return image, staged_of(image, answer.sha256)
    remembered = _remembered(source, answer.sha256, session)
    if remembered is None:
        remembered = _convert(source, answer, session)
        session.store.set_fact("image-file", _file_key(source, answer.sha256), dict(remembered))
    if source.kind == "artifact" and source.reference is not None:
        known = session.store.known(answer.reference)
        if known is not None:
            pinned = dataclasses.replace(known, pinned=image.pinned, label=image.label)
            session.store.remember([(source.reference, pinned)])
    image = _planned(image, remembered, session)
    return image, staged_of(image, remembered["stored"])


def staged_of(image: PlannedImage, stored: str) -> StagedImage:
    """Return what the lock records of an image that the store has."""
    return StagedImage(image.image, image.digest, stored, image.size or 0, image.pinned, image.label, image.format)


def _file_key(source: ImageSource, sha256: str) -> str:
    return f"{source.kind} {sha256} {source.name}"


def _remembered(source: ImageSource, sha256: str, session: Session) -> dict[str, str] | None:
    """Return what a file became, if the store still has that: `format`, `digest`, `stored`."""
    found = session.store.fact("image-file", _file_key(source, sha256))
    if not isinstance(found, dict):
        return None
    facts = {key: str(value) for key, value in found.items()}
    there = session.store.has if facts["format"] == "sif" else session.store.has_tree
    return facts if there(facts["stored"]) else None


def _convert(source: ImageSource, answer: Fetched, session: Session) -> dict[str, str]:
    from wfx.images.imports import import_archive, import_file_system, is_sif

    if answer.kind != "file":
        raise ContainerError("it is a folder, and no image", where=source.image, remedy="name a SIF or an archive")
    path = answer.local or session.store.blob(answer.sha256)
    if path is None:
        raise ContainerError("it is no longer in the store", where=source.image, remedy="run again")
    if source.kind != "filesystem" and is_sif(path):
        if answer.local is not None:
            keep(answer, session)
        return {"format": "sif", "digest": f"sha256:{answer.sha256}", "stored": answer.sha256}
    if source.is_sif:
        raise ContainerError(
            "it is no Singularity image", where=source.image, why="SIF files begin otherwise", remedy="name a SIF"
        )
    folder = session.store.temporary()
    try:
        folder.mkdir()
        if source.kind == "filesystem":
            digest = import_file_system(path, folder, where=source.image)
        else:
            digest = import_archive(path, folder, name=source.name, where=source.image)
        return {"format": "oci", "digest": digest, "stored": add_layout(folder, session)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def add_layout(folder: Path, session: Session) -> str:
    """Put a layout into the store; return its manifest's digest there."""
    stored = session.store.add_tree(folder)
    session.store.flush()
    return stored


def keep(answer: Fetched, session: Session) -> None:
    """Copy a local SIF into the store, which otherwise copies nothing of this machine: a run is from what it keeps."""
    assert answer.local is not None
    if not session.store.has(answer.sha256):
        temporary = session.store.temporary()
        session.store.copy_file(answer.local, temporary)
        session.store.commit(temporary, *session.store.hash_file(temporary))
        session.store.flush()


def _planned(image: PlannedImage, facts: Mapping[str, str], session: Session) -> PlannedImage:
    sif = facts["format"] == "sif"
    stored = facts["stored"]
    if sif:
        blob = session.store.blob(stored)
        size = blob.stat().st_size if blob is not None else None
        return dataclasses.replace(image, digest=facts["digest"], size=size, format="sif")
    image = dataclasses.replace(
        image, digest=facts["digest"], size=session.store.manifest(stored).size, format="oci",
    )  # fmt: skip
    return _with_facts(image, session, stored)


def _format(sif: bool) -> str:
    return "sif" if sif else "oci"


# -- facts


def _with_facts(image: PlannedImage, session: Session, stored: str) -> PlannedImage:
    """Add what a stored image says of itself; a layout's blobs are the store's own, by the same sha256."""
    if image.format == "sif" or not session.store.has_tree(stored):
        return image

    def read(sha256: str) -> bytes:
        path = session.store.blob(sha256)
        return path.read_bytes() if path is not None else b""

    return _told(image, _facts(image.digest, read, image.image))


def _facts(digest: str, read: Callable[[str], bytes], where: str) -> ImageFacts | None:
    from wfx.images.layouts import Descriptor, manifest_parts, read_config

    data = read(digest.removeprefix("sha256:"))
    if not data:
        return None
    try:
        config, layers = manifest_parts(json.loads(data), where)
        manifest = Descriptor("", digest, len(data))
        return read_config(read(config.hex), manifest, config, layers, where)[0]
    except (ValueError, ContainerError):
        # Facts are for people; what is wrong with the image the runtime will say.
        return None


def _told(image: PlannedImage, facts: ImageFacts | None) -> PlannedImage:
    if facts is None:
        return image
    return dataclasses.replace(
        image, platform=str(facts.platform), created=facts.created, licence=facts.licence, user=facts.user,
        entrypoint=facts.entrypoint,
    )  # fmt: skip


def recipe_key(recipe: str, bases: Mapping[str, str]) -> str:
    """Return what stands for a build: the same text on the same bases."""
    from wfx.images import Platform

    return digest_of([recipe, dict(bases), str(Platform.here())])
