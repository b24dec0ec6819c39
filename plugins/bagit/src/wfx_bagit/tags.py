"""The tag files of a bag: declaration, information and manifests (RFC 8493 §2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wfx.packing import Member

ALGORITHM = "sha512"
"""What RFC 8493 §2.4 wants of those that make bags."""
PAYLOAD = "data"
METADATA = "ro-crate-metadata.json"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
LONGEST = 1000


class Manifest:
    """Digests by path."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Manifest:
        """Return the manifest of files that are in memory."""
        made = cls()
        for path, data in files.items():
            made.add(path, hashlib.new(ALGORITHM, data).hexdigest())
        return made

    def add(self, path: str, digest: str) -> None:
        """Enter a file."""
        self._lines.append((path, digest))

    def text(self) -> bytes:
        """Return the bytes of the manifest file, sorted by path."""
        lines = sorted(f"{encoded(path)}\n{digest}" for path, digest in self._lines)
        return "".join(f"{line.partition(chr(10))[2]}  {line.partition(chr(10))[0]}\n" for line in lines).encode()


def encoded(path: str) -> str:
    """Return a path as a manifest has it (RFC 8493 §2.1.3): the ends of lines and the percent sign are encoded."""
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def decoded(path: str) -> str:
    """Return the path that a manifest means."""
    for code, character in (("%0A", "\n"), ("%0D", "\r"), ("%0a", "\n"), ("%0d", "\r"), ("%25", "%")):
        path = path.replace(code, character)
    return path


def about(members: Sequence[Member]) -> dict[str, bytes]:
    """Return `bagit.txt` and `bag-info.txt`, from what the crate says of itself: no time of today is in them."""
    root = _root(members)
    files = [member for member in members if not member.is_folder]
    info = {
        "Bag-Software-Agent": f"wfx-bagit {_version()}",
        "Bagging-Date": str(root.get("datePublished", ""))[:10],
        "External-Description": root.get("description") or root.get("name"),
        "External-Identifier": root.get("identifier"),
        "Payload-Oxum": f"{sum(member.size for member in files)}.{len(files)}",
    }
    lines = (f"{label}: {' '.join(text.split())[:LONGEST]}\n" for label, text in _texts(info.items()))
    return {"bagit.txt": DECLARATION, "bag-info.txt": "".join(lines).encode("utf-8", "replace")}


def _texts(items: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str]]:
    for label, value in items:
        if isinstance(value, str) and value.strip():
            yield label, value


def _root(members: Sequence[Member]) -> dict[str, Any]:
    for member in members:
        if member.path == METADATA:
            with member.open() as file:
                try:
                    graph = json.load(file)["@graph"]
                except (ValueError, KeyError, TypeError):
                    return {}
            return next((e for e in graph if isinstance(e, dict) and e.get("@id") == "./"), {})
    return {}


def _version() -> str:
    from wfx_bagit import __version__

    return __version__
