"""A crate as the source of a definition: its workflow, and the inputs of the run that it records."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from wfx import closures
from wfx.closures import Closure
from wfx.crates.contents import choose_action, language, main_workflow, run_actions
from wfx.crates.exact import Exact, exact
from wfx.crates.locating import Locator, remote
from wfx.crates.opening import crate_folder, find_crate, open_crate
from wfx.crates.reading import NAMES, Crate, Entity, ids, kinds, normal, path_of, text
from wfx.crates.rebuilding import Rebuilder
from wfx.errors import DefinitionError, InputError, PluginError, PolicyError
from wfx.origins import Tree
from wfx.planning import PlannedImage
from wfx.plugins import PUBLISHED
from wfx.records import digest
from wfx.references import Reference
from wfx.values import JsonValue, Values

if TYPE_CHECKING:
    from wfx.engines import Description
    from wfx.imageneeds import ImageSource
    from wfx.session import Session

MOST = 20
COMMIT = re.compile(r"[0-9a-f]{40}")
REGISTRIES = ("docker", "oras", "library")


@dataclass(slots=True)
class Held:
    """One crate, with the run that is chosen in it."""

    crate: Crate
    main: Entity
    action: Entity | None
    session: Session
    locator: Locator
    exact: Exact | None
    """What our own crates hold beside the metadata: plan and lock."""
    workflow: Reference
    where: Reference
    """The crate."""
    within: Crate | None = None
    """The crate that holds the workflow, where that is another one."""

    @property
    def name(self) -> str:
        """Name of the run, where the crate has one of ours."""
        return self.exact.plan.name if self.exact is not None else ""

    @property
    def images(self) -> tuple[PlannedImage, ...]:
        """The images of the recorded run, by digest."""
        found = self.exact.plan.images if self.exact is not None else ()
        return tuple(i for i in found if i.pinned is not None and i.pinned.scheme in REGISTRIES)

    def carried_images(self) -> dict[str, ImageSource]:
        """Return the images of which the crate has copies, which are in the store then. Raises IntegrityError."""
        from wfx.imageneeds import ImageSource
        from wfx.images.carrying import FOLDER, bring_in

        if self.exact is None or self.locator.folder is None or not self.exact.plan.images:
            return {}
        recorded = [image for image in self.exact.plan.images if image.digest]
        found = bring_in(self.locator.folder / FOLDER, self.session.store, {image.digest for image in recorded})
        return {
            image.image: ImageSource(image.image, "carried", image.pinned, carried=(image, found[image.digest]))
            for image in recorded
            if image.digest in found
        }

    def as_recorded(self, sources: Mapping[str, ImageSource]) -> dict[str, ImageSource]:
        """Return the images with the digests of the recorded run in place of tags, which may mean another by now."""
        from wfx.crates.images import RecordedImages

        ours = {image.image: image.pinned for image in self.images}
        stated = RecordedImages(self.crate)

        def recorded(source: ImageSource) -> ImageSource:
            pinned = ours.get(source.image) or (stated.pinned(source.image) if self.exact is None else None)
            return replace(source, reference=pinned) if source.kind == "registry" and pinned else source

        return {name: recorded(source) for name, source in sources.items()}

    @property
    def named(self) -> dict[str, Reference]:
        """URIs that the crate names, not the user → the crate."""
        return dict.fromkeys(self.locator.remote, self.where)

    def fingerprint(self) -> JsonValue:
        """Return what tells one request from another."""
        return [self.where.safe(), digest(self.crate.document), self.action["@id"] if self.action else None]

    def closure(self, *, engine: str, scratch: Path, allow_local: bool) -> Closure:
        """Return the workflow's documents: exactly as they were run, or as a tree in which nothing leads out."""
        if self.exact is not None:
            return self.exact.closure(self.workflow, self.session, engine, allow_local=allow_local)
        crate = self.within or self.crate
        main = main_workflow(crate) if self.within is not None else self.main
        assert main is not None
        if normal(main["@id"]) in crate.ambiguous:
            raise DefinitionError("two entities have the main workflow's @id and differ", where=shown(self.where))
        self._need_engine(crate, main, engine)
        tree = None
        folder = self.locator.folder if self.within is None else crate_folder(crate, self.session)
        base = Reference(self.workflow.uri.partition("#")[0])
        if folder is not None and (base == self.where or self.within is not None):
            tree = Tree(folder, path_of(main["@id"]) or "", base, tuple(self._no_workflow(crate)), crate.revision)
        return closures.collect(
            self.workflow, self.session, engine=engine, scratch=scratch, allow_local=allow_local, tree=tree,
            behalf=None if tree is not None else self.where,
        )  # fmt: skip

    def _no_workflow(self, crate: Crate) -> Iterator[str]:
        """Yield what lies in the crate and is no part of the workflow: what runs read and wrote, and the metadata."""
        yield from (*NAMES, "ro-crate-preview.html", "ro-crate-preview_files/", ".wfx/")
        for action in run_actions(crate, self.main):
            for entity in (*crate.all(action.get("object")), *crate.all(action.get("result"))):
                path = path_of(entity["@id"])
                if path and path != "./":
                    yield path

    def _need_engine(self, crate: Crate, main: Entity, engine: str) -> None:
        """Say at once which engine is missing for a language that the crate names."""
        name, _, key = language(crate, main)
        installed = self.session.plugins.keys("engine")
        if engine or not (name or key) or any(k.split(".")[0] == key for k in installed):
            return
        packages = [package for k, package in PUBLISHED["engine"].items() if k.split(".")[0] == key]
        raise PluginError(
            f"the crate's workflow is written in {name or key}, and no engine for it is installed", where=shown(self.where),
            remedy=f"install {packages[0]}" if packages else f"the engines here are {', '.join(installed) or 'none'}",
        )  # fmt: skip

    def values(self, description: Description, given: Collection[str]) -> Values:
        """Return the inputs that the crate holds, but for those `given`, with absolute locations.

        Raises PolicyError for what leads out of the crate, and InputError that lists all that is not to be had.
        """
        if self.exact is not None:
            found = self.exact.values(self.locator, given, self.session)
        else:
            rebuilder = Rebuilder(self.crate, self.main, self.action, self.locator)
            found = rebuilder.values(description.inputs, given)
        found = {name: self.locator.confine(value, f"input '{name}'") for name, value in found.items()}
        if self.locator.refused:
            raise PolicyError(_listed(self.locator.refused), where=shown(self.where))
        if self.locator.missing:
            raise InputError(
                _listed(self.locator.missing),
                where=shown(self.where),
                remedy="give them with -i NAME=@FILE or -i NAME=VALUE",
            )
        return found


def _listed(lines: list[str]) -> str:
    more = f"; and {len(lines) - MOST} more" if len(lines) > MOST else ""
    return "; ".join(lines[:MOST]) + more


def find_held(argument: str, session: Session, action: str = "") -> Held | None:
    """Return the crate that a text leads to, to be run; None where it leads to none, or to one without a workflow."""
    crate = find_crate(argument, session)
    if crate is None:
        return None
    if main_workflow(crate) is None and _is_workflow(crate, session):
        return None
    return hold(crate, session, action)


def _is_workflow(crate: Crate, session: Session) -> bool:
    """Say whether a folder whose metadata speak of no workflow is one all the same."""
    reference = crate.reference
    if reference is None or not reference.is_local or not reference.path.is_dir():
        return False
    try:
        closures.recognise(reference.path, "", session, "", reference)
    except DefinitionError:
        return False
    return True


def shown(reference: Reference | None) -> str:
    """Return where a crate is, as people write it."""
    if reference is None:
        return "the crate"
    plain = str(reference).removeprefix("crate+")
    return str(Reference(plain).path) if Reference(plain).is_local else plain


def hold(crate: Crate, session: Session, action: str = "") -> Held:
    """Take a crate to be run. Raises DefinitionError where it has no workflow that can be had."""
    assert crate.reference is not None
    where = _elsewhere(crate.reference)
    main = main_workflow(crate)
    if main is None:
        raise DefinitionError(
            "the crate has no main workflow", where=shown(crate.reference), why="its root names no mainEntity",
            remedy="see `wfx inspect`",
        )  # fmt: skip
    chosen = choose_action(crate, main, action)
    folder = None if crate.base is not None else crate_folder(crate, session)
    locator = Locator(crate, folder)
    found = exact(crate, folder, session)
    if found is not None:
        entry = f"{found.root}{found.plan.workflow.entry}"
        workflow = found.reference or Reference(f"{where.uri}#path={quote(entry)}")
        return Held(crate, main, chosen, session, locator, found, workflow, where)
    workflow_reference, within = _workflow(crate, main, where, locator, session)
    return Held(crate, main, chosen, session, locator, None, workflow_reference, where, within)


def _elsewhere(reference: Reference) -> Reference:
    """Return the crate's reference as one from elsewhere: what others wrote is not the user's own for lying here."""
    plain = reference.without_fragment()
    return Reference(f"crate+{plain.uri}") if plain.is_local else plain


def _workflow(
    crate: Crate, main: Entity, where: Reference, locator: Locator, session: Session
) -> tuple[Reference, Crate | None]:
    path = path_of(main["@id"])
    if locator.path(main) is not None and path:
        return Reference(f"{where.uri}#path={quote(path)}"), None
    if "Dataset" in kinds(main):
        return _other_crate(main, locator, session)
    found = locator.find(main, "the workflow")
    if found is None and locator.refused:
        raise PolicyError(locator.refused[0], where=shown(crate.reference))
    found = found or _repository(main)
    if found is None:
        raise DefinitionError(
            f"the crate's workflow {main['@id']} is not in it", where=shown(crate.reference),
            why="it names no address for it",
            remedy="put the file where the crate says, or run the workflow from where it is",
        )  # fmt: skip
    return found, None


def _repository(main: Entity) -> Reference | None:
    """Return the workflow in its repository, where the crate names one with a commit (as WfExS does)."""
    repository, commit = remote(text(main.get("codeRepository"))), text(main.get("version"))
    path = path_of(text(main.get("alternateName")) or "")
    if not path or "/" not in path:
        path = (path_of(main["@id"]) or "").removeprefix("workflow/")
    if repository is None or repository.scheme != "https" or not COMMIT.fullmatch(commit) or not path:
        return None
    return Reference(f"git+{repository.uri.rstrip('/')}@{commit}#path={quote(path)}")


def _other_crate(main: Entity, locator: Locator, session: Session) -> tuple[Reference, Crate | None]:
    """Return the workflow of the crate that is the main entity: a Five Safes request names one in a registry."""
    served = (r for item in ids(main.get("distribution")) if (r := remote(item)) is not None)
    found = next(served, None) or locator.find(main, "the workflow's crate")
    if found is None or remote(found.uri) is None:
        raise DefinitionError(
            f"the workflow's crate {main['@id']} is not to be had", where=shown(locator.crate.reference)
        )
    other = open_crate(found, session, behalf=locator.crate.reference)
    inner = main_workflow(other)
    if inner is None or not path_of(inner["@id"]):
        raise DefinitionError("the workflow's crate has no workflow in it", where=str(found))
    return Reference(f"{found.without_fragment().uri}#path={quote(path_of(inner['@id']) or '')}"), other
