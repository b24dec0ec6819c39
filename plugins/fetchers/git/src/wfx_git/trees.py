"""List the tree of a commit and write it, with neither an index nor a checkout: there is nothing to configure or to hook.

Regular files are written first, into folders made here, and links only when all else is there; so nothing is ever
written through a link, whatever the names and the file system's idea of their equality.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wfx.errors import FetchError, MachineError, PolicyError

from wfx_git.program import Git, explain

CHUNK = 1 << 20
LONGEST_LINK = 4095


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree, folders left out."""

    mode: int
    id: str
    path: bytes

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == 0o120000

    @property
    def is_submodule(self) -> bool:
        """Whether it is the commit of another repository."""
        return self.mode == 0o160000


def entries(git: Git, commit: str) -> list[Entry]:
    """Return all entries of a commit's tree. Raises PolicyError for a name that no checkout should make."""
    found = []
    for line in git.run(["ls-tree", "-r", "-z", "--full-tree", commit]).split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, object_id = about.split(b" ")
        found.append(Entry(int(mode, 8), object_id.decode(), path))
        _check(path, commit)
    return found


def _check(path: bytes, commit: str) -> None:
    for part in path.split(b"/"):
        if part in (b"", b".", b"..") or part.lower() == b".git":
            raise PolicyError(
                f"the tree of commit {commit} has the entry {os.fsdecode(path)!r}",
                why="such a name leads out of the tree or into git's own files",
            )


def within(path: bytes, part: bytes) -> bool:
    """Whether the path is the part itself or lies in it; everything lies in the empty part."""
    return not part or path == part or path.startswith(part + b"/")


def read(git: Git, entry: Entry) -> bytes:
    """Return the bytes of a small file."""
    return git.run(["cat-file", "blob", entry.id])


def write(git: Git, wanted: Iterable[Entry], into: Path) -> Iterator[tuple[Entry, bytes]]:
    """Write regular files below a folder; yield each that is smaller than a kibibyte, with its bytes, once written.

    Raises PolicyError for two entries of one name, MachineError for what the file system refuses.
    """
    root = os.fsencode(into)
    with git.start(["cat-file", "--batch"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for entry in wanted:
            process.stdin.write(entry.id.encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline().split()
            if len(answer) != 3 or answer[1] != b"blob":
                process.kill()
                assert process.stderr is not None
                raise FetchError(
                    f"the file {os.fsdecode(entry.path)} is not in the repository",
                    why=explain(process.stderr.read(), None).why,
                )
            size = int(answer[2])
            with _new(root, entry) as file:
                small = _copy(process.stdout, file, size)
            process.stdout.read(1)
            if size < 1024:
                yield entry, small


def link(git: Git, wanted: Iterable[Entry], into: Path) -> None:
    """Make symbolic links below a folder, after everything else. Raises PolicyError for one that cannot be one."""
    root = os.fsencode(into)
    made = list(wanted)
    for entry in made:
        folder(root, os.path.dirname(entry.path))
    for entry in made:
        target = read(git, entry)
        if not target or b"\0" in target or len(target) > LONGEST_LINK:
            raise PolicyError(f"the link {os.fsdecode(entry.path)!r} has no possible target")
        try:
            os.symlink(target, os.path.join(root, entry.path))
        except FileExistsError as error:
            raise _twice(entry.path) from error
        except OSError as error:
            raise MachineError.of(error) from error


def folder(root: bytes, path: bytes) -> None:
    """Make a folder and those above it, none of which may be a file yet."""
    try:
        os.makedirs(os.path.join(root, path), exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _twice(path) from error
    except OSError as error:
        raise MachineError.of(error) from error


def _new(root: bytes, entry: Entry) -> IO[bytes]:
    target = os.path.join(root, entry.path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    mode = 0o777 if entry.mode & 0o100 else 0o666
    try:
        try:
            return os.fdopen(os.open(target, flags, mode), "wb")
        except FileNotFoundError:
            folder(root, os.path.dirname(entry.path))
            return os.fdopen(os.open(target, flags, mode), "wb")
    except (FileExistsError, NotADirectoryError) as error:
        raise _twice(entry.path) from error
    except OSError as error:
        raise MachineError.of(error) from error


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> bytes:
    block = b""
    left = size
    while left:
        block = source.read(min(left, CHUNK))
        if not block:
            raise FetchError("git ended in the middle of a file")
        try:
            target.write(block)
        except OSError as error:
            raise MachineError.of(error) from error
        left -= len(block)
    return block


def _twice(path: bytes) -> PolicyError:
    return PolicyError(
        f"the tree has two entries for {os.fsdecode(path)!r}",
        why="or two that this file system takes for one, such as names that differ in case only",
    )
