"""Where a workflow's documents come from: a path, a stored file, or a tree, opened so that they can be looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from wfx.archives import kind_of
from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Fetched, Source
from wfx.references import Reference
from wfx.treeparts import names_part, with_part
from wfx.treepaths import safe_name

if TYPE_CHECKING:
    from wfx.session import Session

Role = Literal["document", "text", "file", "schema", "other"]


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder that somebody else made, a crate's: the workflow in it reads nothing outside of it."""

    root: Path
    entry: str
    """Main document, relative to `root`."""
    base: Reference
    """What stands for `root` in references; no `file:` reference, since it is not the user's own."""
    without: tuple[str, ...] = ()
    """Files, and folders with `/` at their end, that are no part of the workflow though they lie in the tree."""
    revision: str = ""
    """Of what the tree is from, where it has versions."""


@dataclass(slots=True)
class Found:
    """A document on its way into the closure."""

    reference: Reference
    role: Role
    path: Path
    sha256: str
    size: int
    pinned: Reference
    absolute: bool = False
    """Named by an absolute URI or path, so that its place in the tree is free."""


@dataclass(slots=True)
class Origin:
    """Where a workflow's documents come from."""

    main: Found
    root: Path | None = None
    """The folder that holds a fetched tree (git); None for local paths and URLs."""
    base: Reference | None = None
    """The reference that stands for `root`."""
    pinned: Reference | None = None
    revision: str = ""
    label: str = ""
    licence: str | None = None
    entry: str = ""
    manifest: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Path in the tree → sha256 and size."""
    hashed: Callable[[Path], tuple[str, int]] | None = None
    """Tells sha256 and size of a file in a tree that has no manifest."""
    without: tuple[str, ...] = ()
    """Of the tree, what is no part of the workflow."""


def open_given(reference: Reference, tree: Tree, session: Session) -> Origin:
    """Take a tree that lies here already."""
    main = Found(reference, "document", tree.root, "", 0, reference)
    origin = Origin(
        main, root=tree.root, base=tree.base, pinned=reference, entry=tree.entry, hashed=session.store.hash_file,
        without=tree.without, revision=tree.revision,
    )  # fmt: skip
    origin.main = in_tree(origin, tree.entry, "document")
    return origin


def open_origin(
    reference: Reference, session: Session, scratch: Path, behalf: Reference | None = None
) -> Origin:  # fmt: skip
    """Fetch what a reference means: a document, or the tree that it is part of."""
    if reference.is_local and not reference.path.exists():
        raise ReferenceNotFound("no such file or folder", where=str(reference.path))
    if reference.is_local and reference.path.is_dir():
        return Origin(Found(reference, "document", reference.path, "", 0, reference))
    if reference.is_local and not names_part(reference):
        if kind_of(reference.path).container:
            return _open_archive(reference, session, scratch, behalf)
        return Origin(local(reference, "document", session), entry=reference.path.name)
    [fetched] = session.fetch([Source(reference, around=True)], purpose="workflow", behalf=behalf)
    if fetched.local is not None:
        return open_origin(Reference.of_path(fetched.local), session, scratch)
    if fetched.kind == "file" and not fetched.entry:
        path = session.store.blob(fetched.sha256)
        if path is not None and not names_part(reference) and kind_of(path).container:
            return _open_archive(reference, session, scratch, behalf)
        found = stored(reference, "document", fetched, session)
        name = fetched.name or reference.name or "workflow"
        return Origin(found, pinned=fetched.pinned, revision=fetched.revision, licence=fetched.licence, entry=name)
    return open_tree(reference, fetched, session, scratch)


def _open_archive(reference: Reference, session: Session, scratch: Path, behalf: Reference | None) -> Origin:
    """Open an archive that is the workflow as a whole; of one with a single folder at its top, that folder."""
    whole = with_part(reference, "")
    [fetched] = session.fetch([Source(whole, around=True)], purpose="workflow", behalf=behalf)
    origin = open_tree(whole, fetched, session, scratch)
    assert origin.root is not None
    inside = list(origin.root.iterdir())
    if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink():
        origin.main.path = inside[0]
    return origin


def open_tree(reference: Reference, fetched: Fetched, session: Session, scratch: Path) -> Origin:
    """Take a fetched tree, and the document in it."""
    digest_of_tree = fetched.tree or fetched.sha256
    manifest = session.store.manifest(digest_of_tree)
    root = scratch / "tree"
    session.store.place_tree(digest_of_tree, root)
    files = {entry.path: (entry.sha256, entry.size) for entry in manifest.entries if entry.sha256}
    pinned = fetched.pinned or reference
    # What lies in an archive of this machine is no file of it: nothing in it names one.
    local_archive = "archive+" if pinned.is_local else ""
    base = Reference(local_archive + pinned.uri.partition("#")[0])
    origin = Origin(
        Found(reference, "document", root, "", 0, pinned), root=root, base=base, pinned=pinned,
        revision=fetched.revision, label=fetched.label, licence=fetched.licence, manifest=files,
    )  # fmt: skip
    entry = fetched.entry.strip("/")
    if entry and (root / entry).is_file():
        origin.entry = entry
        origin.main = in_tree(origin, entry, "document")
    elif entry:
        if not (root / entry).is_dir():
            raise ReferenceNotFound(f"there is no {entry!r} in it", where=str(reference))
        origin.main.path = root / entry
    return origin


def tree_of(origin: Origin, scratch: Path) -> tuple[Path, str]:
    """Return a folder and the entry in it, for engines to look at."""
    if origin.root is not None:
        return (origin.root, origin.entry) if origin.entry else (origin.main.path, "")
    if origin.main.path.is_dir():
        return origin.main.path, ""
    if origin.main.reference.is_local:
        return origin.main.path.parent, origin.main.path.name
    folder = scratch / "main"
    folder.mkdir(exist_ok=True)
    name = safe_name(origin.entry)
    (folder / name).write_bytes(origin.main.path.read_bytes())
    return folder, name


def local(reference: Reference, role: Role, session: Session) -> Found:
    """Hash a document of this machine. Raises ReferenceNotFound."""
    path = reference.without_fragment().path
    try:
        sha256, size = session.store.hash_file(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ReferenceNotFound("no such file", where=str(path)) from error
    return Found(reference.without_fragment(), role, path, sha256, size, reference.without_fragment())


def stored(reference: Reference, role: Role, fetched: Fetched, session: Session) -> Found:
    """Return a document that has been fetched."""
    path = session.store.blob(fetched.sha256)
    if path is None:
        raise FetchError("it has just been fetched and is no longer in the store", where=str(reference))
    return Found(reference, role, path, fetched.sha256, fetched.size, fetched.pinned or reference)


def in_tree(origin: Origin, path: str, role: Role) -> Found:
    """Return a document of the tree. Raises ReferenceNotFound."""
    assert origin.root is not None
    assert origin.base is not None
    real = origin.root / path
    if path not in origin.manifest and origin.hashed is not None:
        file, folder = real.resolve(), origin.root.resolve()
        inside = file.is_relative_to(folder) and file.relative_to(folder).parts[:1] != (".wfx",)
        if inside and file.is_file():
            origin.manifest[path] = origin.hashed(file)
    if path not in origin.manifest:
        # A link inside the tree: the store's manifest has the target's digest under the target's path.
        target = os.path.relpath(os.path.realpath(real), os.path.realpath(origin.root))
        if target not in origin.manifest:
            raise ReferenceNotFound(f"there is no {path!r} in it", where=str(origin.base))
        sha256, size = origin.manifest[target]
    else:
        sha256, size = origin.manifest[path]
    reference = with_path(origin.base, path)
    return Found(reference, role, real, sha256, size, reference)


def with_path(base: Reference, path: str) -> Reference:
    """Return the reference of a file in a tree."""
    return Reference(f"{base.uri}#path={quote(os.fsencode(path))}")
