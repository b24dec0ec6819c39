"""The closure of a workflow: its main document and everything that its documents name, as one tree.

A tree is laid out as it lies at its origin, so that relative references in it keep working: paths below the nearest
common folder of a local workflow, the repository's own paths for git, the URL's paths for http. What a document names
by an absolute URI elsewhere lies under `external/`, and the engine is told where (`Closure.aliases`).
"""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from wfx.about import About, read_about
from wfx.engines import DocumentReference, Engine, Recognition
from wfx.errors import DefinitionError, FetchError, PluginError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import Fetched, Source
from wfx.origins import Found, Origin, Role, Tree, in_tree, local, open_given, open_origin, stored, tree_of, with_path
from wfx.planning import Document
from wfx.plugins import PUBLISHED, blame
from wfx.records import digest
from wfx.references import SCHEME, Reference
from wfx.treepaths import tree_paths
from wfx.wholetrees import files_of_tree

if TYPE_CHECKING:
    from wfx.session import Session

MAX_DOCUMENTS = 10_000
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Closure:
    """A workflow's tree before it is written anywhere."""

    reference: Reference
    """As the user gave it."""
    pinned: Reference
    engine: type[Engine]
    recognition: Recognition
    entry: str
    fragment: str
    documents: tuple[Document, ...]
    sources: dict[str, Path]
    """Path in the tree → where its bytes lie now: the store, or the user's own file."""
    aliases: dict[str, str]
    """Absolute URI that a document names → path in the tree."""
    revision: str = ""
    label: str = ""
    licence: str | None = None
    about: About = About()
    """What lies beside the workflow and says something of it."""

    @property
    def digest(self) -> str:
        """The sha256 over what the engine will read."""
        return digest(
            [self.entry, self.fragment, [[d.path, d.sha256] for d in self.documents], sorted(self.aliases.items())]
        )

    @property
    def local(self) -> bool:
        """Whether it is the user's own, from this machine."""
        return self.reference.is_local


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a document names and nobody has looked at yet."""

    reference: Reference
    role: Role
    where: str
    absolute: bool


def collect(
    reference: Reference,
    session: Session,
    *,
    engine: str = "",
    scratch: Path,
    allow_local: bool = False,
    tree: Tree | None = None,
    behalf: Reference | None = None,
) -> Closure:
    """Fetch and pin a workflow with all that its documents name.

    `scratch` is an empty folder for the documents of a tree. `tree` is where it lies already; `behalf` is who names the
    reference, where that is not the user. Raises PolicyError where a document from elsewhere names
    a file of this machine and `allow_local` is not set, FetchError and DefinitionError with the place that names what
    is missing or broken.
    """
    place, fragment = _process_of(reference)
    origin = open_given(reference, tree, session) if tree is not None else open_origin(place, session, scratch, behalf)
    top, entry = tree_of(origin, scratch)
    folder = origin.main.path if origin.main.path.is_dir() else origin.main.path.parent
    cls, recognition = recognise(top, entry, session, engine, reference)
    if not origin.entry and recognition.entry and origin.root is not None:
        # What was recognised may be a folder of the repository.
        origin.entry = (origin.main.path / recognition.entry).relative_to(origin.root).as_posix()
        origin.main = in_tree(origin, origin.entry, "document")
    elif recognition.entry and origin.main.path.is_dir():
        path = origin.main.path / recognition.entry
        origin.main = local(Reference.of_path(path), "document", session)
    found = _follow(origin, cls, session, allow_local)
    if cls.capabilities.whole_tree:
        found = _whole_tree(origin, folder, cls, session) | found
    closure = _lay_out(reference, origin, cls, recognition, fragment, found)
    closure.about = read_about(_folders(origin, folder, recognition))
    return closure


def _folders(origin: Origin, folder: Path, recognition: Recognition) -> list[Path]:
    """Return the folders in which something may be said of the workflow: from its document's up to the whole tree."""
    if origin.root is not None:
        top = origin.root
        nearest = (top / origin.entry).parent
    elif origin.main.reference.is_local:
        top, nearest = folder, (folder / recognition.entry).parent
    else:
        # A lone document: what lies beside it elsewhere has not been fetched.
        return []
    return [nearest, *(parent for parent in nearest.parents if parent == top or parent.is_relative_to(top))]


def recognise(
    tree: Path, entry: str, session: Session, engine: str, reference: Reference
) -> tuple[type[Engine], Recognition]:
    """Find the engine of a workflow: the one that is asked for, else the only one that recognises it."""
    if engine:
        cls = session.plugins.engine(engine)
        claim = cls.recognise(tree, entry)
        if claim is None:
            raise DefinitionError(
                f"{cls.capabilities.name} does not know it as {cls.capabilities.language_name}", where=str(reference)
            )
        return cls, claim
    keys = session.plugins.keys("engine")
    suffix = entry.rpartition(".")[2].lower()
    # The language that the suffix names is asked first and, when it agrees, alone: nothing else is imported.
    keys.sort(key=lambda key: key.split(".")[0] != suffix)
    claims: list[tuple[type[Engine], Recognition]] = []
    broken: dict[str, PluginError] = {}
    for key in keys:
        try:
            cls = session.plugins.engine(key)
            claim = cls.recognise(tree, entry)
        except PluginError as error:
            broken[key] = error
            continue
        except WfxError:
            raise
        except Exception as error:
            # An engine that stumbles over another's document must not keep that one's engine from running it.
            blamed = blame(error)
            if blamed is None:
                raise
            broken[key] = blamed
            continue
        if claim is not None:
            claims.append((cls, claim))
            if key.split(".")[0] == suffix:
                break
    for key, problem in broken.items():
        if not claims and key.split(".")[0] == suffix:
            raise problem
        # Not a warning: whoever runs another language has no use for it, and `wfx plugins doctor` tells.
        log.info("the engine %s could not be asked: %s", key, problem)
    if not claims:
        known = "; ".join(
            [f"installed engines: {', '.join(keys) or 'none'}", *(f"{key} is broken: {p}" for key, p in broken.items())]
        )
        missing = [
            f"{package} for {key.split('.')[0]}" for key, package in PUBLISHED["engine"].items() if key not in keys
        ]
        raise DefinitionError(
            "no installed engine recognises it as a workflow", where=str(reference), why=known,
            remedy=f"install {', '.join(missing)}" if missing else "name the main document, or the engine with --engine",
        )  # fmt: skip
    languages = {claim.engine.split(".")[0] for _, claim in claims}
    if len(languages) > 1:
        evidence = "; ".join(f"{claim.engine} ({claim.evidence})" for _, claim in claims)
        raise DefinitionError(
            "it fits several engines", where=str(reference), why=evidence, remedy="choose with --engine"
        )
    return claims[0]


def _process_of(reference: Reference) -> tuple[Reference, str]:
    """Return what the fetcher is to bring, and the process in the document that the fragment names.

    `#path=…` is the fetcher's; `&process=NAME` may stand behind it. Any other fragment is the process's name.
    """
    fragment = reference.fragment
    if fragment.startswith(("path=", "only=", "process=")):
        parts = fragment.split("&")
        named = [part.partition("=")[2] for part in parts if part.startswith("process=")]
        rest = "&".join(part for part in parts if not part.startswith("process="))
        place = Reference(reference.without_fragment().uri + (f"#{rest}" if rest else ""))
    elif (reference.scheme.startswith("git+") or reference.scheme == "gh") and set("/.=") & set(fragment):
        # A path without its `path=`, which the fetcher explains.
        return reference, ""
    else:
        named, place = [fragment], reference.without_fragment()
    return place, os.fsdecode(unquote_to_bytes(named[0])) if named else ""


def _follow(origin: Origin, cls: type[Engine], session: Session, allow_local: bool) -> dict[str, Found]:
    """Read documents until nothing new is named; return what was found, by absolute URI."""
    found = {_key(origin.main.reference): origin.main}
    queue = [origin.main]
    while queue:
        wanted: dict[str, _Wanted] = {}
        for document in queue:
            for item in cls.references(document.path.read_bytes(), _place(document, origin)):
                for reference, role in _targets(document, item, origin, allow_local):
                    where = f"{_place(document, origin)}:{item.line}"
                    if _key(reference) not in found:
                        absolute = bool(SCHEME.match(item.text)) or item.text.startswith("/")
                        wanted.setdefault(_key(reference), _Wanted(reference, role, where, absolute))
        if len(found) + len(wanted) > MAX_DOCUMENTS:
            raise DefinitionError(
                f"the workflow names more than {MAX_DOCUMENTS} documents", where=str(origin.main.reference)
            )
        new = _bring(wanted, origin, session)
        found.update(new)
        queue = [item for item in new.values() if item.role == "document"]
    return found


def _whole_tree(origin: Origin, folder: Path, cls: type[Engine], session: Session) -> dict[str, Found]:
    """Return every file of a repository, or of the folder of a local workflow; nothing of a lone remote document."""
    if origin.root is not None:
        names = files_of_tree(origin.root, cls.capabilities.leaves_out, limit=MAX_DOCUMENTS)
        apart = tuple(part for part in origin.without if part.endswith("/"))
        names = [name for name in names if str(name) not in origin.without and not str(name).startswith(apart)]
        items = [in_tree(origin, name, "other") for name in names]
    elif origin.main.reference.is_local:
        names = files_of_tree(folder, cls.capabilities.leaves_out, limit=MAX_DOCUMENTS)
        items = [local(Reference.of_path(folder / name), "other", session) for name in names]
    else:
        return {}
    return {_key(item.reference): item for item in items}


def _key(reference: Reference) -> str:
    if reference.fragment.startswith("path="):
        return reference.uri
    return reference.without_fragment().uri


def _place(document: Found, origin: Origin) -> str:
    if origin.root is not None and document.path.is_relative_to(origin.root):
        return str(document.path.relative_to(origin.root))
    return str(document.path) if document.reference.is_local else str(document.reference)


def _targets(
    document: Found, item: DocumentReference, origin: Origin, allow_local: bool
) -> Iterator[tuple[Reference, Role]]:
    """Yield what a document's reference means: a file, or the files of a folder."""
    text = item.text.partition("#")[0] if item.role == "document" else item.text
    if not text:
        return
    where = f"{_place(document, origin)}:{item.line}"
    foreign = not origin.main.reference.is_local
    names_host = text.lower().startswith("file:") or (not SCHEME.match(text) and text.startswith(("/", "~")))
    if foreign and names_host and not allow_local:
        raise PolicyError(
            f"a workflow from elsewhere names a file of this machine: {item.text}", where=where,
            remedy="look at it, and give --allow-local if it may read that file",
        )  # fmt: skip
    if names_host:
        reference = Reference.parse(text)
    elif origin.root is not None and document.path.is_relative_to(origin.root) and not SCHEME.match(text):
        path = os.fsdecode(unquote_to_bytes(text))
        relative = posixpath.normpath(posixpath.join(str(document.path.parent.relative_to(origin.root)), path))
        if relative == ".." or relative.startswith("../"):
            raise PolicyError(f"it names a file outside of its repository: {item.text}", where=where)
        assert origin.base is not None
        reference = with_path(origin.base, relative)
    else:
        reference = document.reference.join(text)
    role: Role = "file" if item.role == "directory" else item.role
    if item.role == "directory" or (item.role == "file" and _folder(reference, origin) is not None):
        folder = _folder(reference, origin)
        if folder is None:
            return
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            if origin.root is not None and folder.is_relative_to(origin.root):
                assert origin.base is not None
                yield with_path(origin.base, file.relative_to(origin.root).as_posix()), role
            else:
                yield Reference.of_path(file), role
        return
    yield reference, role


def _folder(reference: Reference, origin: Origin) -> Path | None:
    """Return the folder that a reference means, where it lies here."""
    if reference.is_local:
        return reference.path if reference.path.is_dir() else None
    if origin.root is not None and origin.base is not None and reference.uri.startswith(origin.base.uri + "#path="):
        path = origin.root / os.fsdecode(unquote_to_bytes(reference.fragment.removeprefix("path=")))
        return path if path.is_dir() else None
    return None


def _bring(wanted: dict[str, _Wanted], origin: Origin, session: Session) -> dict[str, Found]:
    """Get what is named, from this machine, from the tree, or from elsewhere all at once."""
    new: dict[str, Found] = {}
    remote: dict[str, _Wanted] = {}
    for key, item in wanted.items():
        reference = item.reference
        try:
            if reference.is_local:
                new[key] = local(reference, item.role, session)
            elif origin.base is not None and reference.uri.startswith(origin.base.uri + "#path="):
                path = os.fsdecode(unquote_to_bytes(reference.fragment.removeprefix("path=")))
                new[key] = in_tree(origin, path, item.role)
            else:
                remote[key] = item
        except ReferenceNotFound as error:
            # A default that the user replaces need not exist, and schemas are ornament to the run.
            if item.role in ("file", "schema"):
                continue
            raise DefinitionError(f"it names {error.what}: {error.where}", where=item.where) from error
    new.update(_bring_remote(remote, origin, session))
    for key, found in new.items():
        found.absolute = wanted[key].absolute
    return new


def _bring_remote(remote: dict[str, _Wanted], origin: Origin, session: Session) -> dict[str, Found]:
    behalf = None if origin.main.reference.is_local else origin.main.reference
    needed = {key: item for key, item in remote.items() if item.role in ("document", "text")}
    answers: dict[str, Fetched] = {}
    if needed:
        sources = [Source(item.reference) for item in needed.values()]
        answers.update(zip(needed, session.fetch(sources, purpose="workflow", behalf=behalf), strict=True))
    for key, item in remote.items():
        if key not in needed:
            try:
                [answers[key]] = session.fetch([Source(item.reference)], purpose="workflow", behalf=behalf)
            except FetchError:
                continue
    return {
        key: stored(remote[key].reference, remote[key].role, fetched, session)
        for key, fetched in answers.items()
        if fetched.kind == "file"
    }


def _lay_out(
    reference: Reference, origin: Origin, cls: type[Engine], recognition: Recognition, fragment: str,
    found: dict[str, Found],
) -> Closure:  # fmt: skip
    """Give every document its path in the tree."""
    items = list(found.values())
    paths = tree_paths(items, origin)
    aliases = {}
    for item, path in zip(items, paths, strict=True):
        if item.absolute or path.startswith("external/") or (origin.root is None and not item.reference.is_local):
            aliases[item.reference.uri] = path
    documents = sorted(
        (Document(path, i.sha256, i.size, i.pinned, i.role) for i, path in zip(items, paths, strict=True)),
        key=lambda d: d.path,
    )
    return Closure(
        reference=reference, pinned=origin.pinned or reference, engine=cls, recognition=recognition,
        entry=paths[items.index(origin.main)], fragment=fragment, documents=tuple(documents),
        sources={path: i.path for i, path in zip(items, paths, strict=True)}, aliases=aliases,
        revision=origin.revision, label=origin.label, licence=origin.licence,
    )  # fmt: skip
