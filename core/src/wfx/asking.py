"""Ask places about inputs before a byte of them is fetched: how large they are, whether one may have them, if they are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wfx.errors import AccessDenied, FetchError, IntegrityError, ReferenceNotFound
from wfx.fetching import LocalFetcher, ResolverFetcher, Source, StreamFetcher
from wfx.planning import PlannedInput
from wfx.references import Reference
from wfx.treeparts import names_part
from wfx.values import JsonValue, Values

if TYPE_CHECKING:
    from wfx.net import Net
    from wfx.session import Session

MAX_HOPS = 10


@dataclass(frozen=True, slots=True)
class Told:
    """What a place says of a reference."""

    size: int | None = None
    validator: str | None = None
    licence: str | None = None
    refused: str = ""


def ask(files: Sequence[PlannedInput], session: Session) -> tuple[PlannedInput, ...]:
    """Return the planned files with what their places say of them; what the store has need not come.

    Many places are asked at once, and each of an archive with many members once. A refusal is noted. Raises
    ReferenceNotFound and FetchError.
    """
    groups: dict[tuple[str, Reference | None], list[PlannedInput]] = {}
    for item in files:
        if not item.reference.is_local and item.reference.scheme != "data" and not _stored(item, session):
            groups.setdefault((item.reference.without_fragment().uri, item.named_by), []).append(item)
    with ThreadPoolExecutor(max(1, session.config.get_int("fetch.jobs")), thread_name_prefix="ask") as pool:
        answers = dict(zip(groups, pool.map(lambda items: _of_any(items[0], session), groups.values()), strict=True))
    return tuple(_with(item, answers.get((item.reference.without_fragment().uri, item.named_by))) for item in files)


def _stored(item: PlannedInput, session: Session) -> bool:
    """Say whether bytes that are stated by their digest, or that never change, are in the store."""
    if item.expected.sha256 is not None and session.store.has(item.expected.sha256):
        return True
    if item.known_sha256 is None or session.plugins.fetcher_provider(item.reference) is None:
        return False
    return session.plugins.fetcher(item.reference).never_changes(item.reference)


def _with(item: PlannedInput, told: Told | None) -> PlannedInput:
    if told is None:
        return replace(item, transfer=0)
    same = item.validator is not None and told.validator == item.validator
    if names_part(item.reference):
        # What is known of the place is known of the archive.
        return replace(
            item, transfer=0 if same and item.known_sha256 else told.size, refused=told.refused,
            licence=item.licence or told.licence, known_sha256=item.known_sha256 if same else None,
        )  # fmt: skip
    same = same and told.size == item.known_size
    return replace(
        item, validator=told.validator, known_size=told.size if told.size is not None else item.known_size,
        known_sha256=item.known_sha256 if same else None, transfer=0 if same else told.size, refused=told.refused,
        licence=item.licence or told.licence,
    )  # fmt: skip


def _of_any(item: PlannedInput, session: Session) -> Told:
    """Ask the reference, or the first of its mirrors that answers."""
    net = session.net if item.named_by is None else session.net.on_behalf_of(item.named_by, "fetch")
    problem: FetchError | IntegrityError | None = None
    for reference in (item.reference, *item.alternates):
        try:
            return _of(reference.without_fragment() if names_part(reference) else reference, net, session)
        except AccessDenied as error:
            problem = problem or error
        except (FetchError, IntegrityError) as error:
            problem = error if problem is None or isinstance(problem, AccessDenied) else problem
    assert problem is not None
    if isinstance(problem, AccessDenied):
        credential = net.credential(item.reference.uri)
        how = f"with the credential of {credential.given_in}" if credential is not None else "and no credential applies"
        return Told(refused=f"{problem.what}, {how}")
    raise problem


def _of(reference: Reference, net: Net, session: Session, hops: int = 0) -> Told:
    for cls in session.plugins.fetchers(reference):
        fetcher = cls()
        if isinstance(fetcher, StreamFetcher):
            files = fetcher.files(reference, net)
            if files is not None:
                return _of_many(files)
            body = fetcher.open(reference, net)
            body.stream.close()
            return Told(body.total, body.validator)
        if isinstance(fetcher, LocalFetcher) or not isinstance(fetcher, ResolverFetcher):
            return Told()
        pinned = fetcher.pin(reference, net)
        if pinned is not None:
            reference = pinned.reference
        found = fetcher.resolve(reference, net)
        if not found:
            raise ReferenceNotFound("nothing is there", where=str(reference))
        if len(found) == 1 and found[0].reference == reference:
            continue
        licence = pinned.licence if pinned is not None else None
        if len(found) > 1 or found[0].expected.size is not None or hops >= MAX_HOPS:
            told = _of_many(found)
        else:
            told = _of(found[0].reference, net, session, hops + 1)
        return replace(told, licence=licence or found[0].licence or told.licence)
    return Told()


def _of_many(sources: Sequence[Source]) -> Told:
    sizes = [len(s.content) if s.content is not None else s.expected.size for s in sources]
    return Told(None if None in sizes else sum(size or 0 for size in sizes))


def absent(files: Sequence[PlannedInput], session: Session) -> set[str]:
    """Return the paths of those files that may be missing, and are: companions that a tool can do without.

    Offline, what the store does not know is taken for missing. Raises FetchError where a place cannot be asked.
    """
    doubtful = [item for item in files if item.optional and item.known_sha256 is None]
    if session.offline or not doubtful:
        return {item.path for item in doubtful}

    def missing(item: PlannedInput) -> bool:
        try:
            return bool(_of_any(item, session).refused)
        except ReferenceNotFound:
            return True

    with ThreadPoolExecutor(max(1, session.config.get_int("fetch.jobs")), thread_name_prefix="ask") as pool:
        answers = list(pool.map(missing, doubtful))
    return {item.path for item, gone in zip(doubtful, answers, strict=True) if gone}


def without(values: Values, paths: set[str]) -> Values:
    """Return the values without the companions at these places."""
    return {name: _without(value, paths) for name, value in values.items()}


def _without(value: JsonValue, paths: set[str]) -> JsonValue:
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, dict) and item.get("location") in paths)]
        return [_without(item, paths) for item in kept]
    if not isinstance(value, dict):
        return value
    result = {key: _without(item, paths) for key, item in value.items()}
    if result.get("secondaryFiles") == []:
        del result["secondaryFiles"]
    return result
