"""Paths of documents in a workflow's tree, and names that are safe to create."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from wfx.records import digest
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.origins import Found, Origin


def tree_paths(items: list[Found], origin: Origin) -> list[str]:
    """Give every document its path in the tree."""
    main = origin.main
    if origin.root is not None:
        return [
            i.path.relative_to(origin.root).as_posix()
            if i.path.is_relative_to(origin.root)
            else external_path(i.reference)
            for i in items
        ]
    if main.reference.is_local:
        # A default file somewhere else (`/usr/share/…`) must not pull the root of the tree up to `/`.
        near = [i for i in items if i.reference.is_local and not (i.absolute and i.role == "file")]
        top = Path(os.path.commonpath([i.path.parent for i in near]))
        return [
            i.path.relative_to(top).as_posix()
            if i.reference.is_local and i.path.is_relative_to(top)
            else external_path(i.reference)
            for i in items
        ]
    same = [i for i in items if i.reference.origin == main.reference.origin]
    folders = [posixpath.dirname(urlsplit(i.reference.uri).path) or "/" for i in same]
    root_path = posixpath.commonpath(folders)
    result = []
    for item in items:
        if item.reference.origin != main.reference.origin:
            result.append(external_path(item.reference))
            continue
        path = posixpath.relpath(urlsplit(item.reference.uri).path or "/", root_path)
        result.append("/".join(safe_name(os.fsdecode(unquote_to_bytes(part))) for part in path.split("/")))
    return unique_paths(result)


def external_path(reference: Reference) -> str:
    """Return the path of what lies elsewhere, below `external/`."""
    if reference.is_local:
        return f"external/local/{digest(reference.uri)[:8]}/{safe_name(reference.name)}"
    parts = urlsplit(reference.uri)
    path = [
        safe_name(os.fsdecode(unquote_to_bytes(part))) for part in parts.path.split("/") if part not in ("", ".", "..")
    ]
    return "/".join(["external", safe_name(reference.host or reference.scheme), *(path or ["index"])])


def unique_paths(paths: list[str]) -> list[str]:
    """Number the paths that stand twice."""
    seen: set[str] = set()
    result = []
    for path in paths:
        candidate, n = path, 1
        while candidate in seen:
            n += 1
            stem, dot, suffix = path.rpartition(".")
            candidate = f"{stem}_{n}{dot}{suffix}" if dot else f"{path}_{n}"
        seen.add(candidate)
        result.append(candidate)
    return result


def safe_name(name: str, *, keep_control: bool = False) -> str:
    """Return a file name that is safe to create: one part, no control characters, at most 255 bytes, never empty.

    `keep_control` is for the names of a user's own files, which go through as they are.
    """
    control = not keep_control
    name = "".join("_" if c in "/\0" or (control and (ord(c) < 0x20 or ord(c) == 0x7F)) else c for c in name)
    if name in ("", ".", ".."):
        name = "file" + name.replace(".", "_")
    raw = os.fsencode(name)
    if len(raw) > 255:
        stem, dot, suffix = raw.rpartition(b".")
        suffix = dot + suffix if dot and len(suffix) <= 20 else b""
        raw = (stem or raw)[: 255 - len(suffix)].decode("utf-8", "ignore").encode() + suffix
    return os.fsdecode(raw)
