"""What our own crates hold beside the metadata: the plan and the lock, from which a run is made again exactly."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from wfx import disclosing
from wfx.closures import Closure
from wfx.crates.locating import Locator, link_out_of, remote
from wfx.crates.reading import Crate
from wfx.engines import Engine, Recognition
from wfx.errors import DefinitionError, IntegrityError, PolicyError, WfxError
from wfx.fetching import Expected, Source
from wfx.planning import Plan
from wfx.records import decode
from wfx.references import SCHEME, Reference
from wfx.rundirs import STATE, load_record, read_state
from wfx.staging import Lock, Locked
from wfx.values import JsonValue, Values
from wfx.valuetypes import map_files

if TYPE_CHECKING:
    from wfx.session import Session

T = TypeVar("T")
WORKFLOW = "workflow/"


@dataclass(slots=True)
class Exact:
    """A crate of ours."""

    plan: Plan
    lock: Lock
    folder: Path | None
    base: Reference | None
    """Where the files are in the web, where they are not in a folder."""
    reference: Reference | None = None
    """The workflow, where it is the user's own and the crate the run that he made of it."""
    root: str = WORKFLOW

    def closure(self, reference: Reference, session: Session, engine: str, *, allow_local: bool) -> Closure:
        """Return the documents that were run, held to the digests of the plan.

        Raises IntegrityError, and PolicyError where a document names a file of this machine: the plan is a stranger's
        word as much as the workflow.
        """
        workflow = self.plan.workflow
        key = engine or self.plan.description.engine
        sources = self._documents(session)
        if self.reference is None:
            self._confine(sources, session.plugins.engine(key), allow_local)
        return Closure(
            reference=reference, pinned=reference, engine=session.plugins.engine(key),
            recognition=Recognition(
                self.plan.description.engine, workflow.entry, self.plan.description.language_version, "the crate's plan"
            ), entry=workflow.entry,
            fragment=workflow.fragment, documents=workflow.documents, sources=sources, aliases=dict(workflow.aliases),
            revision=workflow.revision, label=workflow.label, licence=workflow.licence,
            about=self.plan.description.about,
        )  # fmt: skip

    def _documents(self, session: Session) -> dict[str, Path]:
        documents = self.plan.workflow.documents
        for document in documents:
            if document.path.startswith("/") or ".." in document.path.split("/"):
                raise DefinitionError("the plan names a document outside of the crate", where=document.path)
        if self.folder is None:
            assert self.base is not None
            wanted = [Source(self.base.join(quote(self.root + d.path)), Expected(d.sha256, d.size)) for d in documents]
            fetched = session.fetch(wanted, purpose="workflow", behalf=self.base, refresh=False)
            found = [session.store.blob(f.sha256) for f in fetched]
            return {d.path: path for d, path in zip(documents, found, strict=True) if path is not None}
        sources = {}
        for document in documents:
            path = self.folder / self.root / document.path
            if not path.is_file() or not path.resolve().is_relative_to(self.folder.resolve()):
                raise DefinitionError(f"the crate's workflow lacks {document.path}", where=str(self.folder))
            if session.store.hash_file(path) != (document.sha256, document.size):
                raise IntegrityError(
                    "it is not what was run", where=str(path), why="its sha256 is not that of the plan",
                    remedy="to run it as it is, name the file itself",
                )  # fmt: skip
            sources[document.path] = path
        return sources

    def _confine(self, sources: Mapping[str, Path], engine: type[Engine], allow_local: bool) -> None:
        for document in self.plan.workflow.documents:
            if document.role != "document":
                continue
            for item in engine.references(sources[document.path].read_bytes(), document.path):
                host = item.text.lower().startswith("file:") or (
                    not SCHEME.match(item.text) and item.text.startswith(("/", "~"))
                )
                path = posixpath.normpath(posixpath.join(posixpath.dirname(document.path), item.text))
                out = not SCHEME.match(item.text) and path.split("/")[0] == ".."
                if out or (host and not allow_local):
                    raise PolicyError(
                        f"a workflow from elsewhere names a file of this machine: {item.text}",
                        where=f"{document.path}:{item.line}",
                        remedy=None if out else "look at it, and give --allow-local if it may read that file",
                    )
        known = {document.path for document in self.plan.workflow.documents}
        for uri, path in self.plan.workflow.aliases.items():
            if path not in known:
                raise PolicyError("the plan gives it a place outside of the workflow", where=uri)

    def values(self, locator: Locator, given: Collection[str], session: Session) -> Values:
        """Return the inputs as the engine read them, each file held to its digest in the lock."""
        locked = {item.path: item for item in self.lock.items}
        described = {p.id: p for p in self.plan.description.inputs}
        words = {item.path: item.disclosable for item in self.plan.files if item.disclosable != "yes"}
        result: Values = {}
        for name, value in self.plan.inputs.items():
            if name in given or name not in described:
                continue
            if _is_default(value):
                # The engine adds it again, as the workflow's own file that it is.
                continue

            def place(item: dict[str, Any], path: tuple[str | int, ...], name: str = name) -> JsonValue:
                location = item.get("location")
                if not isinstance(location, str) or SCHEME.match(location):
                    return item  # what it may name is looked at with all other values
                if location in words:
                    # What may not be handed on from the first run may not be from the second.
                    item = {**item, disclosing.KEY: disclosing.as_written(words[location])}
                return self._placed(item, location, locked.get(location), f"input '{name}'", locator, session)

            result[name] = map_files(value, place)
        return result

    def _placed(
        self,
        item: dict[str, Any],
        location: str,
        known: Locked | None,
        purpose: str,
        locator: Locator,
        session: Session,
    ) -> JsonValue:
        if location.startswith("/") or ".." in location.split("/"):
            locator.refused.append(f"{purpose}: {location} leads out of the crate")
            return item
        held = dict(item)
        if known is not None and known.kind == "file":
            held |= {"checksum": f"sha256${known.sha256}", "size": known.size}
        if self.folder is None:
            assert self.base is not None
            held["location"] = self.base.join(quote(location)).uri
            locator.remote.add(held["location"])
            if item.get("class") == "Directory":
                locator.missing.append(f"{purpose}: the folder {location} cannot be listed over the web")
            return held
        path = self.folder / location
        if path.exists() and not path.resolve().is_relative_to(self.folder.resolve()):
            locator.refused.append(f"{purpose}: {location} is a link out of the crate")
        elif path.is_dir() and known is not None and known.kind == "directory":
            if link := link_out_of(path):
                locator.refused.append(f"{purpose}: {location} holds the link {link}, which leads out of it")
            elif session.store.hash_tree(path)[0] != known.sha256:
                raise IntegrityError(
                    "the folder is not what was run on", where=str(path), why="the lock has another digest"
                )
            held["location"] = locator.found(path).uri
        elif path.exists():
            held["location"] = locator.found(path).uri
        elif known is not None and (origin := remote((known.pinned or known.origin).uri)) and origin.scheme != "local":
            # Crates may be handed on without the inputs that everybody can get.
            held["location"] = origin.uri
            locator.remote.add(origin.uri)
        else:
            locator.missing.append(f"{purpose}: {location} is not in the crate")
        return held


def _is_default(value: JsonValue) -> bool:
    found = False

    def look(item: dict[str, Any], path: tuple[str | int, ...]) -> JsonValue:
        nonlocal found
        found = found or str(item.get("location", "")).startswith(WORKFLOW)
        return item

    map_files(value, look)
    return found


def exact(crate: Crate, folder: Path | None, session: Session) -> Exact | None:
    """Return what a crate of ours holds; None for another's, or one of a version whose plan cannot be read."""
    try:
        plan, lock = (
            _record(crate, session, "plan.json", Plan),
            _record(crate, session, "lock.json", Lock),
        )
    except WfxError:
        return None
    if plan is None or lock is None:
        return None
    return Exact(plan, lock, folder, crate.base, _own(folder, plan))


def _own(folder: Path | None, plan: Plan) -> Reference | None:
    """Return the workflow as a local one where the crate is a run directory of a workflow of this machine."""
    if folder is None:
        return None
    try:
        if read_state(folder) is None or not (folder / STATE / "plan.json").is_file():
            return None
        kept = load_record(folder, "plan", Plan)
    except (WfxError, OSError):
        return None
    same = kept.workflow.digest == plan.workflow.digest and kept.workflow.reference.is_local
    return Reference.of_path(folder / WORKFLOW / plan.workflow.entry) if same else None


def _record(crate: Crate, session: Session, name: str, cls: type[T]) -> T | None:
    if crate.base is None:
        if crate.payload.size(name) is None:
            return None
        with crate.payload.open(name) as file:
            data = file.read()
    else:
        if crate.get(name) is None:
            return None
        [fetched] = session.fetch([Source(crate.base.join(name))], purpose="workflow", behalf=crate.base)
        path = session.store.blob(fetched.sha256)
        if path is None:
            return None
        data = path.read_bytes()
    try:
        return decode(cls, json.loads(data.decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError):
        return None
