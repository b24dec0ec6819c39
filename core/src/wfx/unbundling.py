"""Take a bundle in: every byte is compared with the manifest before it is stored, and an interrupted import goes on."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.archives.rules import Contents, Limits
from wfx.bundles import BLOCK, MANIFEST, SCHEMA
from wfx.errors import DefinitionError, InputError, IntegrityError, MachineError
from wfx.records import decode
from wfx.references import Reference
from wfx.session import Session
from wfx.store import Known
from wfx.store.trees import DIGEST

LARGEST_MANIFEST = 2**30


@dataclass(slots=True)
class Imported:
    """What became of a bundle."""

    start: str
    """What to run: a path, or a reference that the store now knows."""
    manifest: str
    identity: str
    new: int = 0
    """Blobs that were not here."""
    there: int = 0
    bytes: int = 0
    references: list[str] = field(default_factory=list)


def take_in(
    bundle: Path, session: Session, folder: Path, *, sha256: str = "", tell: Callable[[int], None] = lambda count: None
) -> Imported:
    """Bring a bundle into the store, and what is to be run into `folder`, which appears when all is there and right.

    `sha256` is what the manifest must have. Raises IntegrityError for what is not what the manifest says, InputError for
    what is no whole bundle, PolicyError for names that lead out of it, MachineError.
    """
    try:
        with open(bundle, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            return _take(archive, bundle, session, folder, sha256, tell)
    except (tarfile.TarError, EOFError) as error:
        raise InputError("it is no whole bundle", where=str(bundle), why=str(error) or None) from error
    except OSError as error:
        raise MachineError.of(error) from error


def _take(
    archive: tarfile.TarFile, bundle: Path, session: Session, folder: Path, stated: str, tell: Callable[[int], None]
) -> Imported:
    manifest, digest = _manifest(archive, bundle)
    if stated and stated.lower() != digest:
        raise IntegrityError(
            f"its manifest's sha256 is {digest} where {stated} is stated", where=str(bundle), remedy="ask who made it"
        )
    if folder.exists():
        raise MachineError("there is something already", where=str(folder), remedy="name another place with -o")
    blobs, files = dict(manifest["blobs"]), dict(manifest["payload"])
    partial = folder.with_name(f".{folder.name}.{digest[:12]}.part")
    contents = Contents(Limits(entries=max(1000, 2 * len(files) + 1000)), str(bundle))
    result = Imported(_start(manifest, folder), digest, str(manifest["identity"]))
    store = session.store
    with store.in_use(), store.group():
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]
            top, _, rest = member.name.partition("/")
            if member.isreg() and top == "blobs" and rest in blobs:
                _blob(archive, member, rest, blobs.pop(rest), session, result, bundle)
            elif member.isreg() and top == "payload" and rest in files:
                _file(archive, member, partial / contents.file(rest), files.pop(rest), bundle)
            else:
                raise IntegrityError(
                    "its manifest does not know what is in it", where=str(bundle), why=member.name[:80]
                )
            tell(member.size)
    links = {name: entry["link"] for name, entry in files.items() if "link" in entry}
    if blobs or len(files) > len(links):
        raise InputError(
            "it is no whole bundle", where=str(bundle), why=f"{len(blobs) + len(files)} things are missing"
        )
    for name, target in links.items():
        contents.link(name, str(target))
    contents.links()
    for name, target in links.items():
        place = partial / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(str(target))
    store.remember((Reference(reference), decode(Known, known)) for reference, known in manifest["refs"].items())
    for kind, key, value in manifest["facts"]:
        store.set_fact(str(kind), str(key), value)
    result.references = sorted(manifest["refs"])
    if manifest["payload"]:
        os.replace(partial, folder)
    return result


def _manifest(archive: tarfile.TarFile, bundle: Path) -> tuple[dict[str, Any], str]:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > LARGEST_MANIFEST:
        raise InputError("it is no bundle of wfx", where=str(bundle), remedy="make one with `wfx cache export`")
    file = archive.extractfile(first)
    data = file.read() if file is not None else b""
    try:
        manifest = json.loads(data)
        wanted = {"blobs": dict, "refs": dict, "facts": list, "payload": dict, "start": str, "identity": str}
        good = isinstance(manifest, dict) and all(isinstance(manifest.get(key), kind) for key, kind in wanted.items())
        good = good and all(DIGEST.fullmatch(each) for each in manifest["blobs"])
        good = good and all(isinstance(each, list) and len(each) == 3 for each in manifest["facts"])
        good = good and all(isinstance(each, dict) for each in manifest["payload"].values())
        if good and manifest["schema"] == SCHEMA:
            for known in manifest["refs"].values():
                decode(Known, known)
    except (ValueError, KeyError, RecursionError, DefinitionError) as error:
        raise InputError("the bundle's manifest is broken", where=str(bundle), why=str(error)) from error
    if not good:
        raise InputError("the bundle's manifest is broken", where=str(bundle))
    if manifest["schema"] != SCHEMA:
        raise InputError(
            f"the bundle is of version {manifest['schema']!r} of its format", where=str(bundle),
            why=f"this wfx reads version {SCHEMA}",
        )  # fmt: skip
    return manifest, hashlib.sha256(data).hexdigest()


def _start(manifest: dict[str, Any], folder: Path) -> str:
    start = str(manifest["start"])
    first = start.partition("/")[0]
    return str(folder / start) if any(name.partition("/")[0] == first for name in manifest["payload"]) else start


def _blob(
    archive: tarfile.TarFile, member: tarfile.TarInfo, sha256: str, size: Any, session: Session, result: Imported,
    bundle: Path,
) -> None:  # fmt: skip
    store = session.store
    if member.size != size:
        raise IntegrityError(f"a blob has {member.size} bytes where {size} are stated", where=str(bundle), why=sha256)
    if store.has(sha256):
        result.there += 1
        return
    temporary = store.temporary()
    try:
        _copy(archive, member, temporary, sha256, bundle)
        store.commit(temporary, sha256, member.size)
    finally:
        # Within a group it is moved later.
        if not temporary.exists() or temporary.stat().st_mode & 0o200:
            temporary.unlink(missing_ok=True)
    result.new += 1
    result.bytes += member.size


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, entry: Any, bundle: Path) -> None:
    sha256, size = entry.get("sha256"), entry.get("size")
    if member.size != size or not isinstance(sha256, str):
        raise IntegrityError(f"it has {member.size} bytes where {size} are stated", where=str(bundle), why=member.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name[:200]}.part")
    try:
        _copy(archive, member, temporary, sha256, bundle)
        temporary.chmod(0o755 if entry.get("executable") is True else 0o644)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, sha256: str, bundle: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None
    digest = hashlib.sha256()
    with open(target, "wb") as file:
        while data := source.read(BLOCK):
            digest.update(data)
            file.write(data)
    if digest.hexdigest() != sha256:
        target.unlink()
        raise IntegrityError("it is not what the manifest says", where=str(bundle), why=member.name)
