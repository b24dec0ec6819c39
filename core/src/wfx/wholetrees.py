"""The files of a folder that is a workflow as a whole: for languages whose documents do not say what they read."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path

from wfx.errors import DefinitionError

__all__ = ["files_of_tree"]

# Version control, a run of ours, and what Python leaves beside its sources.
NEVER = (".git", ".hg", ".svn", ".wfx", "wfx-runs", "__pycache__", ".venv", ".DS_Store")
LARGEST = 4 * 2**30


def files_of_tree(folder: Path, leaves_out: Sequence[str] = (), *, limit: int) -> list[str]:
    """Return the files below a folder, relative to it and sorted, without what matches `leaves_out` at any depth.

    Links to folders are not followed, and neither are links that lead out of it; folders that are run directories of
    ours are passed over. Raises DefinitionError for more than `limit` files or 4 GiB: then the folder is more than a
    workflow.
    """
    patterns = (*NEVER, *leaves_out)
    top = os.path.realpath(folder)
    found: list[str] = []
    total = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if not _matches(name, patterns) and not os.path.isdir(f"{parent}/{name}/.wfx")
        ]
        for name in names:
            path = os.path.join(parent, name)
            if _matches(name, patterns) or not os.path.isfile(path):
                continue
            if os.path.islink(path) and not os.path.realpath(path).startswith(top + os.sep):
                continue
            found.append(os.path.relpath(path, folder))
            total += os.path.getsize(path)
            if len(found) > limit or total > LARGEST:
                raise DefinitionError(
                    f"the folder has more than {limit} files or {LARGEST >> 30} GiB", where=str(folder),
                    why="all of it is the workflow", remedy="put the workflow into a folder of its own",
                )  # fmt: skip
    return sorted(found)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
