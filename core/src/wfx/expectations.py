"""Hold what comes against what somebody has stated of it: the user, a place, a header."""

from __future__ import annotations

from pathlib import Path

from wfx import checksums
from wfx.errors import FetchError, IntegrityError
from wfx.fetching import Expected, Source
from wfx.references import Reference
from wfx.store import Known, Store


def hold(path: Path, sha256: str, size: int, expected: Expected, reference: Reference) -> None:
    """Hold a file that has come against what anybody has stated. Raises IntegrityError."""
    hold_size(size, expected, reference)
    if expected.sha256 and expected.sha256 != sha256:
        raise mismatch("sha256", sha256, expected.sha256, reference)
    for algorithm, stated in expected.checksums:
        if algorithm == "sha256":
            actual = sha256
        elif checksums.known(algorithm):
            actual = digest_of(path, algorithm)
        else:
            raise FetchError(f"the checksum's algorithm {algorithm!r} is not known", where=str(reference))
        if actual != stated.lower():
            raise mismatch(algorithm, actual, stated, reference)


def digest_of(path: Path, algorithm: str) -> str:
    """Return the digest of a file, in hex, by an algorithm of `wfx.checksums`."""
    with open(path, "rb", buffering=0) as file:
        return checksums.of_file(file, algorithm)


def hold_size(size: int, expected: Expected, reference: Reference) -> None:
    """Hold a size against the stated one. Raises IntegrityError."""
    if expected.size is not None and expected.size != size:
        raise IntegrityError(
            f"it has {size} bytes where {expected.size} are stated", where=str(reference),
            remedy="check the reference, or the size that was stated",
        )  # fmt: skip


def mismatch(algorithm: str, actual: str, stated: str, reference: Reference) -> IntegrityError:
    """Return the error for another digest than the stated one."""
    return IntegrityError(
        f"its {algorithm} is {actual} where {stated} is stated", where=str(reference),
        remedy="check the reference, or the checksum that was stated",
    )  # fmt: skip


def hold_known(known: Known, source: Source, store: Store) -> None:
    """Hold what is stated against the store's memory."""
    hold_size(known.size, source.expected, source.reference)
    if source.expected.sha256 and source.expected.sha256 != known.sha256:
        raise mismatch("sha256", known.sha256, source.expected.sha256, source.reference)
    if known.kind == "file":
        hold_others(source.expected, known.sha256, source.reference, store)


def hold_others(expected: Expected, sha256: str, reference: Reference, store: Store) -> None:
    """Hold stored bytes against checksums of other algorithms; each is computed once. Raises IntegrityError."""
    for algorithm, stated in expected.checksums:
        actual = sha256 if algorithm == "sha256" else store.fact(f"checksum {algorithm}", sha256)
        if actual is None:
            path = store.blob(sha256)
            if path is None or not checksums.known(algorithm):
                continue  # it is fetched anew, or has been said
            actual = digest_of(path, algorithm)
            store.set_fact(f"checksum {algorithm}", sha256, actual)
        if actual != stated.lower():
            raise mismatch(algorithm, str(actual), stated, reference)


def both(user: Expected, place: Expected, reference: Reference) -> Expected:
    """Put together what the user and a place state; where they differ nothing can fit both."""
    for name in ("sha256", "size"):
        one, other = getattr(user, name), getattr(place, name)
        if one is not None and other is not None and one != other:
            raise IntegrityError(
                f"the place states the {name} {other} where {one} is expected", where=str(reference),
                remedy="check the reference, or what was stated",
            )  # fmt: skip
    return Expected(
        user.sha256 or place.sha256, user.size if user.size is not None else place.size,
        tuple({*user.checksums, *place.checksums}),
    )  # fmt: skip
