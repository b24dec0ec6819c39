"""A tree by the vault: the archive cooks a bundle of it, which is unpacked and held against the identifier."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from pathlib import Path
from typing import Any, Final

from wfx.archives import extract
from wfx.errors import FetchError, IntegrityError
from wfx.redaction import redact

from wfx_swh.archive import TELL, Archive
from wfx_swh.objects import BLOCK, Entry, entry_of_path
from wfx_swh.swhids import Swhid
from wfx_swh.walking import check_names

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
SHOWN: Final = 300
# How the vault's own bundles begin where it has no bytes to put in.
PLACEHOLDERS: Final = (b"This content is missing", b"This content has not been retrieved", b"This content is hidden")

log = logging.getLogger(__name__)


def bring_bundle(archive: Archive, value: str, into: Path) -> list[tuple[str, str]]:
    """Write a directory into the empty folder `into`; return path and revision of its submodules.

    Raises FetchError where the vault fails or takes longer than it may, IntegrityError for another tree than was asked.
    """
    at = Swhid("dir", value)
    _cook(archive, at)
    aside = into / f".bundle-{secrets.token_hex(8)}"
    aside.mkdir()
    _download(archive, at, aside / "bundle.tar.gz")
    extract(aside / "bundle.tar.gz", aside / "tree", where=str(at))
    tops = list((aside / "tree").iterdir())
    if len(tops) != 1 or tops[0].is_symlink() or not tops[0].is_dir():
        raise FetchError("the vault's bundle is not understood", where=str(at), why="it has not one folder at its top")
    modules = _hold(archive, at, tops[0])
    for child in tops[0].iterdir():
        child.rename(into / child.name)
    shutil.rmtree(aside)
    return modules


def _cook(archive: Archive, at: Swhid) -> None:
    """Ask for the bundle and wait until it is there."""
    path, waited, pause = f"vault/flat/{at}/", 0.0, FIRST_PAUSE
    answer = archive.json(path, at, method="POST")
    while True:
        status = answer.get("status") if isinstance(answer, dict) else None
        message = _message(answer)
        if status == "done":
            return
        if status == "failed":
            raise FetchError(
                "the archive could not make a bundle of the directory", where=str(at), why=message or "it does not say why",
                remedy='run again, or set fetcher.swh.trees = "api"',
            )  # fmt: skip
        if status not in ("new", "pending"):
            raise FetchError(
                "the archive's answer is not understood", where=str(at), why=f"a bundle's status is {status!r:.50}"
            )
        if waited + pause > archive.settings.wait:
            raise FetchError(
                f"the archive's bundle is not ready after {waited:.0f} s", where=str(at), why=message or None,
                remedy="run again later, for it goes on there; or raise the setting fetcher.swh.wait",
            )  # fmt: skip
        log.info("%s: the archive makes a bundle (%s)%s", at, status, f": {message}" if message else "")
        archive.pause(pause)
        waited, pause = waited + pause, min(LONGEST_PAUSE, pause * 2)
        answer = archive.json(path, at)


def _message(answer: Any) -> str:
    text = answer.get("progress_message") if isinstance(answer, dict) else None
    return redact(" ".join(text.split()))[:SHOWN] if isinstance(text, str) else ""


def _download(archive: Archive, at: Swhid, path: Path) -> None:
    body, buffer = archive.ask(f"vault/flat/{at}/raw/", at), memoryview(bytearray(BLOCK))
    try:
        with path.open("xb") as file:
            while count := body.stream.readinto(buffer):
                file.write(buffer[:count])
    finally:
        body.stream.close()


def _hold(archive: Archive, at: Swhid, folder: Path) -> list[tuple[str, str]]:
    """Hold an unpacked directory against its identifier; return its submodules.

    Where it has another hash, the archive's listings, which have theirs, say why: a bundle has submodules as empty
    folders and no older modes, which is made good, and anything else is an error.
    """
    hashes: dict[Path, str] = {}
    modules: list[tuple[str, str]] = []
    entry_of_path(folder, hashes)

    def compare(path: Path, value: str) -> None:
        if hashes[path] == value:
            return
        there = {os.fsencode(child.name): child for child in path.iterdir()}
        entries = archive.listing(value)
        check_names(entries, Swhid("dir", value))
        for entry in entries:
            child = there.pop(entry.name, path / os.fsdecode(entry.name))
            shown = child.relative_to(folder).as_posix()
            if entry.is_module:
                child.mkdir(exist_ok=True)
                if any(child.iterdir()):
                    raise _other(at, f"{shown!r} is a submodule, and is not empty in it")
                modules.append((shown, entry.target))
            elif not os.path.lexists(child):
                raise _other(at, f"{shown!r} is not in it")
            elif entry.is_folder and child in hashes:
                compare(child, entry.target)
            else:
                _hold_file(child, entry, at, shown)
        for name in sorted(there):
            raise _other(at, f"{os.fsdecode(name)!r} is none of the directory's")

    compare(folder, at.hash)
    return modules


def _hold_file(path: Path, entry: Entry, at: Swhid, shown: str) -> None:
    found = entry_of_path(path, {})
    if found.is_folder or found.is_link != entry.is_link or found.target != entry.target:
        if not found.is_folder and not found.is_link:
            with path.open("rb") as file:
                if file.read(64).startswith(PLACEHOLDERS):
                    raise _other(at, f"the archive does not have the bytes of {shown!r}")
        raise _other(at, f"{shown!r} is another one")
    if not entry.is_link:
        path.chmod(0o755 if entry.perms & 0o111 else 0o644)


def _other(at: Swhid, why: str) -> IntegrityError:
    return IntegrityError("the vault's bundle is not what the SWHID is of", where=str(at), why=why, remedy=TELL)
