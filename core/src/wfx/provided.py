"""The versions of engines that wfx keeps: each a folder that is whole or not there, with the digests of all its files.

`ENGINES/LANGUAGE.ENGINE/VERSION/` has what `Engine.provide` has put there, `installation.json` (what it is) and
`files.json` (its files). It is made under another name and renamed when it is whole; what a killed installation has left
is removed by the next one, which finds in its package client's cache what had come already.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.engines import Engine, Installation
from wfx.errors import EngineError, IntegrityError, MachineError, UsageError, WfxError
from wfx.planning import now
from wfx.records import decode, digest, encode
from wfx.versions import satisfies

if TYPE_CHECKING:
    from wfx.providing import Package
    from wfx.session import Session

SCHEMA = 1
RECORD, FILES = "installation.json", "files.json"
LOCK = ".lock"
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*")


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of an engine that is kept here."""

    engine: str
    """Key."""
    version: str
    created: str
    digest: str
    """sha256 over its packages with their digests: the same on every machine."""
    packages: tuple[Package, ...]
    files: int
    size: int
    """Bytes."""
    folder: Path
    wfx: str = ""
    schema: int = SCHEMA

    @property
    def installation(self) -> Installation:
        """What an engine gets of it."""
        return Installation(self.version, self.folder, self.digest)


def root_of(session: Session) -> Path:
    """Return where the versions of engines are kept."""
    stated = session.config.get_str("engines.folder")
    return Path(stated).expanduser().absolute() if stated else session.directories.cache / "engines"


def short_name(engine: type[Engine]) -> str:
    """Return what people write for an engine: the second half of its key."""
    return engine.keys[0].partition(".")[2]


def kept(root: Path, engine: type[Engine]) -> list[Kept]:
    """Return the versions of an engine that are kept, the newest first."""
    records = (root / engine.keys[0]).glob(f"*/{RECORD}")
    found = [_read(record) for record in records if not record.parent.name.startswith(".")]
    return sorted(found, key=lambda each: _numbers(each.version), reverse=True)


def find(root: Path, engine: type[Engine], version: str) -> Kept | None:
    """Return the version that is kept; `9.5` is `9.5.0`. Raises IntegrityError where it is not what was installed."""
    for each in kept(root, engine):
        if same_version(each.version, version):
            check(each)
            return each
    return None


def same_version(one: str, other: str) -> bool:
    """Say whether two texts name one version."""
    return one == other or satisfies(one, f"=={other}") is True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _read(record: Path) -> Kept:
    from wfx.providing import Package

    try:
        value = json.loads(record.read_bytes())
        if value["schema"] != SCHEMA:
            raise EngineError(
                "it was installed by another version of wfx", where=str(record.parent), remedy="remove that folder"
            )
        packages = tuple(decode(Package, item) for item in value["packages"])
        return Kept(
            str(value["engine"]), str(value["version"]), str(value["created"]), str(value["digest"]), packages,
            int(value["files"]), int(value["size"]), record.parent, str(value["wfx"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, WfxError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(
            "the record of an installation cannot be read", where=str(record), why=str(error),
            remedy="remove its folder, and install it again",
        ) from error  # fmt: skip


# -- making and removing


def install(root: Path, engine: type[Engine], version: str, note: Callable[[str], None] = lambda text: None) -> Kept:
    """Return a version that is kept, brought first where it is missing.

    Raises EngineError where it cannot be had or driven, MachineError for a disk that is full.
    """
    name = engine.capabilities.name
    if VERSION.fullmatch(version) is None:
        raise UsageError(f"'{version}' is no version of {name}", remedy=f"write {short_name(engine)}@VERSION")
    if not engine.capabilities.provides:
        raise EngineError(f"{name} cannot be provided by wfx", remedy="install it as its documentation says")
    if not engine.fits(version, engine.capabilities.versions):
        raise EngineError(f"{name} {version} cannot be driven", why=f"the plugin drives {engine.capabilities.versions}")
    folder = root / engine.keys[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, note):
            found = find(root, engine, version)
            return found or _make(folder, engine, version, note)
    except OSError as error:
        raise MachineError.of(error) from error


def _make(folder: Path, engine: type[Engine], version: str, note: Callable[[str], None]) -> Kept:
    from wfx import __version__
    from wfx.providing import Provision

    name = engine.capabilities.name
    for left in folder.glob(".*.part"):
        shutil.rmtree(left)
    part, final = folder / f".{version}.part", folder / version
    part.mkdir()
    job = Provision(version, part, final, lambda text: note(f"{name} {version}: {text}"))
    try:
        got = engine.provide(job)
        if not same_version(got, version):
            raise EngineError(f"{name} {version} was asked for, and {got} came")
        files = dict(_files(part))
        if not files:
            raise EngineError(f"{name} {version} could not be provided", why="nothing came")
        _write(part / FILES, files)
        record = Kept(
            engine.keys[0], got, now(), digest(sorted([p.name, p.version, p.sha256] for p in job.packages)),
            tuple(job.packages), len(files), sum(each[1] for each in files.values()), final, __version__,
        )  # fmt: skip
        _write(part / RECORD, {key: value for key, value in encode(record).items() if key != "folder"})
        if final.exists():
            # Without a record it is nothing, and nobody uses it.
            shutil.rmtree(final)
        _sync(part)
        part.rename(final)
        _sync(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    note(f"{name} {got} is installed")
    return record


def _write(path: Path, value: object) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(root: Path, engine: type[Engine], version: str) -> Kept:
    """Remove a version. Raises UsageError where it is not kept, MachineError while a run uses it."""
    name = short_name(engine)
    found = [each for each in kept(root, engine) if same_version(each.version, version)]
    if not found:
        raise UsageError(f"{name} {version} is not kept here", remedy="see `wfx engines list`")
    with _locked(root / engine.keys[0], lambda text: None):
        with (found[0].folder / RECORD).open("rb") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise MachineError(f"a run uses {name} {version}", remedy="wait until it has ended") from None
            # First out of sight, whole; then away.
            gone = found[0].folder.with_name(f".{found[0].folder.name}.part")
            shutil.rmtree(gone, ignore_errors=True)
            found[0].folder.rename(gone)
        shutil.rmtree(gone)
    return found[0]


@contextmanager
def in_use(installation: Installation | None) -> Iterator[None]:
    """Keep an installation from being removed."""
    if installation is None:
        yield
        return
    try:
        record = (installation.folder / RECORD).open("rb")
    except OSError as error:
        raise MachineError.of(error) from error
    with record:
        fcntl.flock(record, fcntl.LOCK_SH)
        yield


@contextmanager
def _locked(folder: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of an engine's folder; another process that installs is waited for."""
    with (folder / LOCK).open("ab") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    note("waiting for another wfx that installs it")
                    told = True
                time.sleep(0.2)
        yield


# -- whether it is still what was installed


def check(each: Kept) -> None:
    """Look whether all files are there, as they were; what has another time is read. Raises IntegrityError."""
    _compare(each, thorough=False)


def verify(each: Kept) -> None:
    """Read all files and compare their digests. Raises IntegrityError."""
    _compare(each, thorough=True)


def _compare(each: Kept, *, thorough: bool) -> None:
    try:
        stated = json.loads((each.folder / FILES).read_bytes())
    except (OSError, ValueError) as error:
        raise _changed(each, FILES, str(error)) from error
    folder = f"{each.folder}{os.sep}"
    for path, (sha256, size, mtime) in stated.items():
        try:
            info = os.lstat(folder + path)
            if (size, mtime) == (info.st_size, info.st_mtime_ns) and not thorough:
                continue
            same = info.st_size == size and _digest(each.folder / path) == sha256
        except OSError as error:
            raise _changed(each, path, "it is gone" if isinstance(error, FileNotFoundError) else str(error)) from error
        if not same:
            raise _changed(each, path, "it is not the file that was installed")


def _changed(each: Kept, path: str, why: str) -> IntegrityError:
    name = each.engine.partition(".")[2]
    return IntegrityError(
        f"{name} {each.version} is not what was installed", where=str(each.folder / path), why=why,
        remedy=f"wfx engines remove {name}@{each.version}, and install it again",
    )  # fmt: skip


def _files(folder: Path) -> Iterator[tuple[str, tuple[str, int, int]]]:
    """Yield each file with digest, size and time; a link counts as what it says. Our own two records are left out."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            path = os.path.join(place, name)
            relative = os.path.relpath(path, folder)
            info = os.lstat(path)
            if relative in (RECORD, FILES) or not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
                continue
            yield relative, (_digest(Path(path)), info.st_size, info.st_mtime_ns)


def _digest(path: Path) -> str:
    if path.is_symlink():
        return hashlib.sha256(b"link " + os.fsencode(path.readlink())).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
