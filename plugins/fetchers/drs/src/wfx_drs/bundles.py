"""From what a repository describes to where the bytes are: of one object, or of all that is below a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from wfx.errors import FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference, Source

from wfx_drs.addresses import DrsObject, is_compact, look_up, object_of
from wfx_drs.described import SCHEMES, Described, Part, describe, hold_bundle, opened_way

TOGETHER: Final = 8
MOST_OBJECTS: Final = 20_000
DEEPEST: Final = 32


def walk(at: DrsObject, net: Net) -> list[Source]:
    """Return a source for each object below a bundle, with its path as name.

    Raises ReferenceNotFound for one without any, PolicyError for a bundle that is in itself or has no end.
    """
    top = describe(at, net)
    with ThreadPoolExecutor(TOGETHER, thread_name_prefix="drs") as pool:
        found = _Bundle(net, net.on_behalf_of(Reference(at.url), "fetch"), pool).walk(top)
    if not found:
        raise ReferenceNotFound("the bundle is empty", where=at.url)
    return found


@dataclass(slots=True)
class _Level:
    """A bundle that is being walked through, and those that it is in."""

    bundle: Described
    path: str
    above: frozenset[str]


class _Bundle:
    """Walks through a bundle level by level, each level's objects at the same time."""

    def __init__(self, net: Net, elsewhere: Net, pool: ThreadPoolExecutor) -> None:
        self.net, self.elsewhere, self.pool = net, elsewhere, pool
        self.count = 0

    def walk(self, top: Described) -> list[Source]:
        """Return a source for each object below. Raises PolicyError for a bundle that is in itself, or has no end."""
        found: list[Source] = []
        levels = [_Level(top, "", frozenset({top.at.url}))]
        for _ in range(DEEPEST):
            if not levels:
                return found
            levels = [below for level in levels for below in self._look(level, found)]
        raise PolicyError(f"the bundle is deeper than {DEEPEST} levels", where=top.at.url)

    def _look(self, level: _Level, found: list[Source]) -> Iterator[_Level]:
        parts = level.bundle.parts or ()
        self.count += len(parts)
        if self.count > MOST_OBJECTS:
            raise PolicyError(f"the bundle has more than {MOST_OBJECTS} objects", where=level.bundle.at.url)
        names = [part.name for part in parts]
        if len(set(names)) < len(names):
            raise FetchError("two objects in the bundle have the same name", where=level.bundle.at.url)
        children = list(self.pool.map(lambda part: self._describe(part, level.bundle.at), parts))
        hold_bundle(level.bundle, children)
        for part, child in zip(parts, children, strict=True):
            path = f"{level.path}{part.name}"
            if child.parts is None:
                found.append(source_of(child, self.net, name=path))
            elif child.at.url in level.above:
                raise PolicyError(f"the bundle is in itself, at {path!r}", where=child.at.url)
            else:
                yield _Level(child, f"{path}/", level.above | {child.at.url})

    def _describe(self, part: Part, at: DrsObject) -> Described:
        """Describe what a bundle names: at its own server, else at the first that has it."""
        problem: FetchError | None = None
        if part.id and not part.id.startswith("drs://"):
            try:
                return describe(at.sibling(part.id), self.net)
            except ReferenceNotFound as error:
                problem = error
        for uri in (*part.uris, *([part.id] if part.id.startswith("drs://") else [])):
            try:
                ref = Reference(uri)
                ref = look_up(ref, self.elsewhere) if is_compact(ref) else ref
                at_home = (
                    object_of(ref, self.elsewhere).url.rpartition("/objects/")[0] == at.url.rpartition("/objects/")[0]
                )
                named = at.named and at_home
                return describe(object_of(ref, self.elsewhere, named=named), self.elsewhere)
            except ReferenceNotFound as error:
                problem = problem or error
        assert problem is not None
        raise problem


def source_of(described: Described, net: Net, name: str = "") -> Source:
    """Return where an object's bytes are. Raises FetchError where no fetcher could go."""
    ways = described.ways
    other = [way.url for way in ways if way.url.partition(":")[0].lower() in SCHEMES]
    known = any(way.web for way in ways)
    if not known and not other:
        # What it is that an object store's access is (a signed address of the web, mostly) is known when it is asked.
        for way in ways:
            if way.access_id:
                opened = opened_way(way, described.at, net)
                known = known or opened.web
                if opened.url.partition(":")[0].lower() in SCHEMES:
                    other.append(opened.url)
    places = [described.at.reference] if known else []
    places += [Reference(url) for url in other]
    if not places:
        offered = ", ".join(sorted({way.kind or "unnamed" for way in ways}))
        raise FetchError(
            "the repository offers no way to the object that wfx can go", where=described.at.url,
            why=f"it offers {offered}" if offered else "it names none",
        )  # fmt: skip
    return Source(places[0], described.expected, tuple(places[1:]), name or described.name, described.media_type)
