"""A tree by the interface: its directories are listed, then its files fetched, several at the same time."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from wfx.errors import IntegrityError, PolicyError, ReferenceNotFound
from wfx.listings import safe_path

from wfx_swh.archive import TELL, Archive
from wfx_swh.objects import BLOCK, Entry, content_hash
from wfx_swh.swhids import Swhid

TOGETHER: Final = 6
MOST_ENTRIES: Final = 100_000
DEEPEST: Final = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class Survey:
    """What is in a tree."""

    folders: list[str] = field(default_factory=list)
    files: list[tuple[str, Entry]] = field(default_factory=list)
    """Links too."""
    modules: list[tuple[str, str]] = field(default_factory=list)
    """Path and revision of submodules."""

    @property
    def requests(self) -> int:
        """Questions that the files would cost."""
        return len({entry.target for _, entry in self.files})


def survey(archive: Archive, value: str, *, limit: int | None) -> Survey | None:
    """List a directory and all below; None as soon as listings and files would cost more than `limit` questions.

    Raises PolicyError for names that lead elsewhere, and for a tree without end.
    """
    found, level, listed = Survey(), [("", value)], 0
    for _ in range(DEEPEST):
        listed += len({each for _, each in level})
        if limit is not None and listed + found.requests > limit:
            return None
        if not level:
            return found
        unique = list(dict.fromkeys(each for _, each in level))
        listings = dict(zip(unique, together(archive.listing, unique), strict=True))
        level = [below for prefix, each in level for below in _sort(prefix, listings[each], found, Swhid("dir", each))]
        if len(found.files) + len(found.folders) > MOST_ENTRIES:
            raise PolicyError(f"the tree has more than {MOST_ENTRIES} entries", where=str(archive.where))
    raise PolicyError(f"the tree is deeper than {DEEPEST} folders", where=str(archive.where))


def _sort(prefix: str, entries: list[Entry], found: Survey, at: Swhid) -> Iterable[tuple[str, str]]:
    check_names(entries, at)
    for entry in entries:
        path = f"{prefix}{os.fsdecode(entry.name)}"
        if entry.is_module:
            found.modules.append((path, entry.target))
        elif entry.is_folder:
            found.folders.append(path)
            yield f"{path}/", entry.target
        else:
            if entry.absent:
                raise ReferenceNotFound(
                    f"the archive knows of {path!r}, and does not have its bytes", where=str(at),
                    why=f"swh:1:cnt:{entry.target} is absent",
                )  # fmt: skip
            found.files.append((path, entry))


def check_names(entries: list[Entry], at: Swhid) -> None:
    """Raise PolicyError for a name in a directory that leads elsewhere, or stands there twice."""
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise PolicyError("two entries of a directory have the same name", where=str(at))
    for name in names:
        if b"/" in name:
            raise PolicyError(f"an entry of a directory has the name {os.fsdecode(name)!r}", where=str(at))
        safe_path(os.fsdecode(name), str(at))


def write(archive: Archive, found: Survey, into: Path) -> None:
    """Write what was surveyed; each file is brought once, and held against its hash."""
    for path in found.folders:
        (into / path).mkdir()
    places: dict[str, list[tuple[str, Entry]]] = {}
    for path, entry in found.files:
        places.setdefault(entry.target, []).append((path, entry))
    links: dict[str, bytes] = {}
    lock = threading.Lock()

    def bring(target: str) -> None:
        files = [(path, entry) for path, entry in places[target] if not entry.is_link]
        if files:
            _download(archive, target, into / files[0][0])
        for path, _ in files[1:]:
            shutil.copyfile(into / files[0][0], into / path)
        for path, entry in files:
            (into / path).chmod(0o755 if entry.perms & 0o111 else 0o644)
        if len(files) < len(places[target]):
            if files:
                aim = (into / files[0][0]).read_bytes()
            else:
                body, _ = archive.content(target)
                aim = body.read(BLOCK)
                _hold_bytes(aim, target)
            with lock:
                links.update({path: aim for path, entry in places[target] if entry.is_link})

    together(bring, list(places))
    # After all files, so that none is ever written through a link.
    for path, aim in sorted(links.items()):
        if not aim or b"\0" in aim:
            raise PolicyError(f"the link {path!r} leads nowhere", where=str(archive.where))
        (into / path).symlink_to(os.fsdecode(aim))


def _download(archive: Archive, target: str, path: Path) -> None:
    body, size = archive.content(target)
    found, buffer = content_hash(size), memoryview(bytearray(BLOCK))
    try:
        with path.open("xb") as file:
            while count := body.stream.readinto(buffer):
                found.update(buffer[:count])
                file.write(buffer[:count])
    finally:
        body.stream.close()
    hold_content(found.hexdigest(), target)


def _hold_bytes(data: bytes, target: str) -> None:
    found = content_hash(len(data))
    found.update(data)
    hold_content(found.hexdigest(), target)


def hold_content(actual: str, target: str) -> None:
    """Raise IntegrityError for bytes that are not what their identifier says."""
    if actual != target:
        raise IntegrityError(
            "the archive gave other bytes than the SWHID is of", where=f"swh:1:cnt:{target}",
            why=f"theirs is swh:1:cnt:{actual}", remedy=TELL,
        )  # fmt: skip


def together(work: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    """Return the results for all items, several at the same time; the first error ends it."""
    with ThreadPoolExecutor(TOGETHER, thread_name_prefix="swh") as pool:
        futures = [pool.submit(work, item) for item in items]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
    for future in futures:
        if not future.cancelled() and (problem := future.exception()) is not None:
            raise problem
    return [future.result() for future in futures]
