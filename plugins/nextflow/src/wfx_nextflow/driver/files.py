"""The files of a task: what was staged for it, what it made, and their digests."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

STAGE = re.compile(r"^nxf_stage\(\) \{\n(.*?)^\}", re.M | re.S)
BRACES = re.compile(r"\{([^{}]*)\}")


class Digests:
    """sha256 of files, each read once for as long as it does not change."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], str] = {}

    def of(self, path: str) -> dict[str, object]:
        """Return size and checksum as wfx writes them."""
        info = os.stat(path)
        key = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
        if key not in self._known:
            with open(path, "rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return {"size": info.st_size, "checksum": f"sha256${self._known[key]}"}


def staged_of(folder: Path) -> dict[str, str]:
    """Return what Nextflow has put into a task's folder: name there → absolute path of the original."""
    try:
        text = (folder / ".command.run").read_text("utf-8", "surrogateescape")
    except OSError:
        return {}
    body = STAGE.search(text)
    found: dict[str, str] = {}
    for line in body[1].splitlines() if body else []:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if len(words) > 3 and words[0] in ("ln", "cp") and words[-2].startswith("/"):
            found[words[-1]] = words[-2]
    return found


def files_of(folder: Path, declared: Iterable[tuple[str, str]], staged: set[str]) -> dict[str, list[Path]]:
    """Return what a task has made, by the names of its declared outputs; inputs that a pattern matches are left out."""
    found: dict[str, list[Path]] = {}
    taken: set[Path] = set()
    open_ended = ""
    for name, pattern in declared:
        if not pattern or pattern.startswith("/"):
            open_ended = open_ended or name
            continue
        for one in _alternatives(pattern):
            for path in sorted(folder.glob(one)) if one not in ("", ".") else []:
                if str(path.relative_to(folder)) not in staged and path not in taken:
                    taken.add(path)
                    found.setdefault(name, []).append(path)
    if open_ended:
        # Its pattern is only known at run time: it may be any of the rest.
        rest = [path for path in sorted(folder.iterdir())
                if not path.name.startswith(".") and path.name not in staged and path not in taken
                and not any(path in other.parents for other in taken)]  # fmt: skip
        if rest:
            found.setdefault(open_ended, []).extend(rest)
    return found


def by_kind(outputs: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Return outputs of one kind each: of one that has files and folders (a tuple) the folders go by a name of their own.

    A crate's FormalParameter stands for files or for folders.
    """
    found: dict[str, list[Path]] = {}
    for name, paths in outputs.items():
        folders = [path for path in paths if path.is_dir()]
        if folders and len(folders) < len(paths):
            found[name] = [path for path in paths if path not in folders]
            found[f"{name}_folders"] = folders
        else:
            found[name] = paths
    return found


def _alternatives(pattern: str) -> list[str]:
    match = BRACES.search(pattern)
    if match is None:
        return [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [whole for part in match[1].split(",") for whole in _alternatives(head + part + tail)]
