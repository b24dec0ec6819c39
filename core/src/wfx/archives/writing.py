"""Write into a folder that is ours alone: new files only, and links when all files are there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NewFiles:
    """Makes files, folders and links below `root`; what is there already is never opened, replaced or followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made = {""}

    def folder(self, path: str) -> None:
        """Make a folder with all above it."""
        if path not in self._made:
            (self.root / path).mkdir(parents=True, exist_ok=True)
            self._made.add(path)

    def open(self, path: str, executable: bool) -> BinaryIO:
        """Open a new file to write."""
        self.folder(path.rpartition("/")[0])
        return os.fdopen(os.open(self.root / path, FLAGS, 0o755 if executable else 0o644), "wb")

    def link(self, links: Mapping[str, str]) -> None:
        """Make symbolic links, path → target; nothing is written after them."""
        for path, target in links.items():
            self.folder(path.rpartition("/")[0])
            (self.root / path).symlink_to(target)
