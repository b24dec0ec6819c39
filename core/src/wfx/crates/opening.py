"""Open the crate that a reference of any scheme leads to, or say that it leads to none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wfx.crates.payloads import FolderPayload
from wfx.crates.reading import DETACHED, MOST_METADATA, NAMES, Crate, NoCrateInZip, is_metadata_name, load, read
from wfx.errors import DefinitionError, MachineError, ReferenceNotFound, UnknownKey, UsageError
from wfx.fetching import ResolverFetcher, Source
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.fetching import Fetched
    from wfx.session import Session

# Of a registry's address for a crate: TRS and WorkflowHub serve `…/ro_crate`.
SERVED = ("ro_crate", "ro-crate")
# What these lead to is told by the name, but where a fetcher of the host's own reads the page; the others are resolvers
# of registries, which may lead to crates.
PLAIN = ("http", "https", "ftp", "file", "data", "s3", "gs", "sftp", "gh")
ZIP = b"PK\x03\x04"


def looks_like_crate(reference: Reference) -> bool:
    """Say whether a reference is a crate, by what lies there or, for what is elsewhere, by its name alone."""
    if reference.fragment:
        return False
    if not reference.is_local:
        name = urlsplit(reference.uri).path.rstrip("/").rpartition("/")[2]
        if reference.scheme.startswith("git+"):
            return False
        return name.endswith(".zip") or is_metadata_name(name) or name in SERVED
    path = reference.path
    try:
        if path.is_dir():
            # A run's own directory may have no metadata yet, and a folder of a bag has them below `data/`.
            return any((path / name).is_file() for name in NAMES) or (
                (path / "bagit.txt").is_file() and any((path / "data" / name).is_file() for name in NAMES)
            )
        return path.is_file() and (is_metadata_name(path.name) or (path.suffix.lower() == ".zip" and _is_zip(path)))
    except OSError as error:
        raise MachineError.of(error) from error


def may_be_crate(text: str, session: Session) -> bool:
    """Say whether `find_crate` is worth asking of what is to be run: a file that is plainly none costs nothing."""
    reference = Reference.parse_named(text)
    return looks_like_crate(reference) or (not reference.is_local and _may_lead_to_one(reference, session))


def _may_lead_to_one(reference: Reference, session: Session) -> bool:
    """Say whether only fetching tells: of a registry's reference, and of an address that a fetcher of its host reads."""
    if reference.fragment or reference.scheme.startswith("git+"):
        return False
    try:
        fetcher = session.plugins.fetcher(reference)
    except UnknownKey:
        return False
    if fetcher.leads_to.startswith("git+"):
        return False
    return reference.scheme not in PLAIN or issubclass(fetcher, ResolverFetcher)


def find_crate(text: str, session: Session) -> Crate | None:
    """Return the crate that a text leads to: a reference, or a run by its id or name; None where it leads to none.

    References whose name does not tell (a DOI, a registry's) are fetched and looked at.
    """
    reference = Reference.parse_named(text)
    if reference.is_local and not reference.path.exists():
        from wfx.runs import Register

        try:
            return open_crate(Reference.of_path(Register(session.directories.state).find(text).directory), session)
        except UsageError:
            return None
    if looks_like_crate(reference):
        try:
            return open_crate(reference, session)
        except NoCrateInZip:
            return None
    if reference.is_local:
        return _detached_in(reference, session)
    if not _may_lead_to_one(reference, session):
        return None
    try:
        return open_crate(reference, session)
    except DefinitionError:
        return None


def _detached_in(reference: Reference, session: Session) -> Crate | None:
    """Return the crate of a folder whose only metadata are detached ones."""
    path = reference.path
    if not path.is_dir() or not any(is_metadata_name(name) for name in os.listdir(path)):
        return None
    return open_crate(reference, session)


def open_crate(reference: Reference, session: Session, *, behalf: Reference | None = None) -> Crate:
    """Read the crate at a reference; what is elsewhere is fetched into the store first. `behalf` is the crate that names it.

    Raises DefinitionError where there is no crate, ReferenceNotFound where there is nothing.
    """
    if reference.is_local:
        path = reference.path
        if not path.exists():
            raise ReferenceNotFound("no such file or folder", where=str(path))
        crate = read(path)
        crate.reference = reference
        if crate.detached:
            crate.base = _web_root(crate)
        return crate
    plain = reference.without_fragment() if not reference.fragment.startswith("path=") else reference
    [fetched] = session.fetch([Source(plain)], purpose="workflow", behalf=behalf)
    crate = _of_fetched(plain, fetched, session)
    # The version that it was, where the place knows versions: what runs from it says so.
    crate.reference, crate.revision = (fetched.pinned if fetched.revision else None) or reference, fetched.revision
    return crate


def _of_fetched(reference: Reference, fetched: Fetched, session: Session) -> Crate:
    if fetched.local is not None:
        return read(fetched.local)
    if fetched.kind == "directory" or fetched.entry:
        root = session.scratch() / "crate"
        session.store.place_tree(fetched.tree or fetched.sha256, root)
        place = root / fetched.entry if fetched.entry else root
        is_it = place.is_dir() or (place.is_file() and (is_metadata_name(place.name) or _is_zip(place)))
        # Where the part is a workflow, the tree around it may be its crate.
        return read(place if is_it else root)
    path = session.store.blob(fetched.sha256)
    if path is None:
        raise DefinitionError("it has just been fetched and is no longer in the store", where=str(reference))
    if _is_zip(path):
        return read(path)
    if path.stat().st_size > MOST_METADATA:
        raise DefinitionError("it is no crate", where=str(reference), why="it is neither a zip nor metadata")
    name, data = fetched.name or reference.name or NAMES[0], path.read_bytes()
    if not is_metadata_name(name) and b'"@graph"' not in data:
        # A page, a workflow in JSON: the reader would make something of it all the same.
        raise DefinitionError("it is no crate", where=str(reference), why="it has no @graph")
    # The files lie beside the metadata in the web; nothing of this machine is near.
    nowhere = FolderPayload(session.scratch())
    crate = load(data, name if is_metadata_name(name) else NAMES[0], nowhere)
    crate.base = (_web_root(crate) if name.endswith(DETACHED) else None) or fetched.pinned or reference
    return crate


def _web_root(crate: Crate) -> Reference | None:
    """Return the address of a detached crate's root (RO-Crate 1.2 §2.2), against which its relative ids are read."""
    root = crate.root
    identifier = root["@id"] if root is not None else ""
    if identifier.lower().startswith(("http://", "https://")):
        return Reference(identifier if identifier.endswith("/") else f"{identifier}/")
    return None


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == ZIP
    except OSError:
        return False


def crate_folder(crate: Crate, session: Session) -> Path:
    """Return a folder with the crate's files: its own, or one for the time of the session."""
    if isinstance(crate.payload, FolderPayload):
        return crate.payload.root
    folder = session.scratch() / "crate"
    os.makedirs(folder, exist_ok=True)
    return crate.payload.unpack(folder)
