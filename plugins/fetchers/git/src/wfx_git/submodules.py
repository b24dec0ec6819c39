"""Find out where the submodules of a tree are; what `.gitmodules` says is a stranger's word."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from urllib.parse import quote_from_bytes

from wfx.errors import DefinitionError, FetchError, PolicyError
from wfx.references import Reference

from wfx_git.addresses import SCHEMES, GitAddress
from wfx_git.program import Git
from wfx_git.trees import Entry

# `user@host:path`, which is no URL; a path with a colon has a slash before it.
SCP_LIKE = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:]+|\[[^\]/]+\]):(?P<path>.+)")
SETTING = re.compile(r"submodule\.(?P<name>.+)\.(?P<key>path|url)", re.S)


def urls(git: Git, tree: list[Entry]) -> dict[bytes, str]:
    """Return the addresses that `.gitmodules` gives, by path. Git itself reads it, as data: it includes no other file."""
    modules = next((entry for entry in tree if entry.path == b".gitmodules"), None)
    if modules is None:
        return {}
    if modules.is_link or modules.is_submodule:
        raise PolicyError(".gitmodules is not a regular file", where=git.folder.name)
    found: dict[str, dict[str, str]] = {}
    for item in git.run(["config", "--blob", modules.id, "--no-includes", "--list", "-z"]).split(b"\0")[:-1]:
        key, _, value = item.partition(b"\n")
        match = SETTING.fullmatch(os.fsdecode(key))
        if match:
            found.setdefault(match["name"], {})[match["key"]] = os.fsdecode(value)
    return {
        os.fsencode(one["path"].rstrip("/")): one["url"] for one in found.values() if "path" in one and "url" in one
    }


def address(parent: GitAddress, path: str, url: str | None) -> GitAddress:
    """Return where a submodule is. Raises FetchError and PolicyError, both with the submodule's path."""
    if not url:
        raise FetchError(
            f"the submodule {path} has no address", where=str(parent.reference()), why=".gitmodules does not name it",
            remedy="take a commit in which it does, or only a folder without it: #path=FOLDER&only=1",
        )  # fmt: skip
    try:
        found = _resolve(parent, url)
    except DefinitionError as error:
        raise PolicyError(
            f"the submodule {path} has the address {url!r}", where=str(parent.reference()), why=error.why or error.what
        ) from error
    if found.scheme == "file" and parent.scheme != "file":
        raise PolicyError(
            f"the submodule {path} is said to be on this machine", where=str(parent.reference()),
            why=f"a remote repository may not name local ones ({url!r})",
        )  # fmt: skip
    if found.scheme == "ssh" and parent.scheme == "https" and found.host == parent.host:
        # Authors write the address that they push to; the commit id says that it is the same.
        found = replace(found, scheme="https", user=None)
    if found.origin == parent.origin and found.user is None:
        found = replace(found, user=parent.user, password=parent.password)
    return found


def _resolve(parent: GitAddress, url: str) -> GitAddress:
    if url.startswith(("./", "../")):
        base = parent.location.rstrip("/").split("/")
        steps = url.split("/")
        while steps and steps[0] in (".", ".."):
            if steps.pop(0) == "..":
                if len(base) < 2:
                    raise DefinitionError("it leads above the root")
                base.pop()
        if ".." in steps:
            raise DefinitionError("it goes up again after it went down")
        location = "/".join(base) + "/" + _encoded("/".join(steps))
        whole = f"git+{parent.url.removesuffix(parent.location)}{location}"
        return GitAddress.parse(Reference(whole))
    scheme, mark, rest = url.partition("://")
    if mark:
        if scheme.lower() not in SCHEMES:
            raise DefinitionError(f"not one of {', '.join(s + '://' for s in SCHEMES)}")
        authority, slash, location = rest.partition("/")
        return GitAddress.parse(Reference(f"git+{scheme.lower()}://{authority}{slash}{_encoded(location)}"))
    if url.startswith("/"):
        return GitAddress.parse(Reference(f"git+file://{_encoded(url)}"))
    match = SCP_LIKE.fullmatch(url)
    if match is None or "::" in url:
        raise DefinitionError("it is no address of a repository")
    user = f"{match['user']}@" if match["user"] else ""
    return GitAddress.parse(Reference(f"git+ssh://{user}{match['host']}/{_encoded(match['path'].lstrip('/'))}"))


def _encoded(location: str) -> str:
    """Keep a reader of references from seeing a revision, a query or a fragment in what git takes for a path."""
    return quote_from_bytes(os.fsencode(location), safe="/%~+:,")
