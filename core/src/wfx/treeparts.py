"""Parts of stored trees: what a path within one is, without another fetch."""

from __future__ import annotations

import os
from dataclasses import replace
from urllib.parse import quote, unquote_to_bytes

from wfx.errors import PolicyError, ReferenceNotFound
from wfx.references import Reference
from wfx.store import Known, Manifest, Store


def entry_of(reference: Reference) -> str:
    """Return the path in a tree that a reference names by `#path=`."""
    for part in reference.fragment.split("&"):
        if part.startswith("path="):
            return os.fsdecode(unquote_to_bytes(part.removeprefix("path="))).strip("/")
    return ""


def names_part(reference: Reference) -> bool:
    """Say whether a reference names a part of what it leads to, by `#path=`; the whole of it, where the path is empty."""
    return any(part.startswith("path=") for part in reference.fragment.split("&"))


def with_part(whole: Reference, path: str) -> Reference:
    """Return the reference of a part: of a file in an archive, say."""
    return Reference(f"{whole.without_fragment().uri}#path={quoted_path(path)}")


def quoted_path(path: str) -> str:
    """Return a path as it stands after `#path=`."""
    return quote(os.fsencode(path))


def part_of(store: Store, tree: str, entry: str, reference: Reference) -> Known:
    """Return what a path within a tree is: a file, or a folder with a manifest of its own."""
    manifest = store.manifest(tree)
    if not entry:
        return Known(tree, "directory", manifest.size, name=Reference(reference.uri.partition("#")[0]).name)
    name = entry.rpartition("/")[2]
    by_path = {item.path: item for item in manifest.entries}
    path = entry
    for _ in range(40):
        item = by_path.get(path)
        if item is None or not item.link:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), item.link))
    if item is not None and item.sha256:
        return Known(item.sha256, "file", item.size, name=name, entry=path, tree=tree)
    inside = tuple(
        replace(item, path=item.path[len(path) + 1 :]) for item in manifest.entries if item.path.startswith(path + "/")
    )
    if not inside and not (item is not None and item.folder):
        raise ReferenceNotFound(f"there is no {entry!r} in it", where=str(reference))
    for item in inside:
        if item.link:
            target = os.path.normpath(os.path.join(os.path.dirname(item.path), item.link))
            if target == ".." or target.startswith("../"):
                raise PolicyError(f"the link {item.path!r} leads out of {entry!r}", where=str(reference))
    part = Manifest(inside)
    digest = store.add_bytes(part.encode())
    store.flush()
    return Known(digest, "directory", part.size, name=name, entry=path, tree=tree)
