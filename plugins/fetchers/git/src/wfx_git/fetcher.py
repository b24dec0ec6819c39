"""Fetch the tree of a commit, with its submodules and large files, as `git clone --recurse-submodules` would make it."""

from __future__ import annotations

import difflib
import logging
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from wfx.errors import FetchError, Interrupted, ReferenceNotFound, WfxError
from wfx.fetching import Net, Pinned, Reference, TreeFetcher

from wfx_git import lfs, submodules, trees
from wfx_git.addresses import COMMIT, GitAddress
from wfx_git.program import Git, Remote, connect
from wfx_git.transfer import Transfer, fetched
from wfx_git.trees import Entry, within

log = logging.getLogger(__name__)

DEPTH: Final = 5
"""Of submodules in submodules."""
ABBREVIATED: Final = re.compile(r"[0-9a-f]{4,39}")
SETTINGS: Final = frozenset({b".gitattributes", b".lfsconfig", b".gitmodules"})
"""Files that say what others mean; needed even where only a part is wanted."""


class GitFetcher(TreeFetcher):
    """Repositories over https, ssh, http, the git protocol, and those on this machine."""

    keys: ClassVar[tuple[str, ...]] = ("git+https", "git+http", "git+ssh", "git+git", "git+file")

    def pin(self, ref: Reference, net: Net) -> Pinned:
        """Ask which commit the tag or branch is today. A tag wins over a branch of its name, as in git itself."""
        address = GitAddress.parse(ref)
        if COMMIT.fullmatch(address.revision.lower()):
            commit = address.revision.lower()
            return Pinned(ref if address.is_pinned else address.at(commit).reference(), commit)
        remote = connect(address, net)
        revision = address.revision
        if revision in ("", "HEAD"):
            found = _list(remote, ["HEAD"]).get("HEAD")
            if found is None:
                raise ReferenceNotFound(
                    "the repository has no default branch", where=str(address.reference()), why="it may be empty",
                    remedy="name a tag, a branch or a commit: …@REVISION",
                )  # fmt: skip
        elif revision.startswith("refs/"):
            refs = _list(remote, [revision])
            found = refs.get(revision + "^{}", refs.get(revision))
            if found is None:
                raise ReferenceNotFound(f"there is no {revision} in the repository", where=str(address.reference()))
        else:
            refs = _list(remote, ["--heads", "--tags"])
            found = _choose(refs, revision)
            if found is None:
                raise _unknown(address, refs)
        return Pinned(address.at(found).reference(), found, label=revision)

    def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
        """Write the tree, or with `only=1` just the path's part of it, each at its place in the tree."""
        address = GitAddress.parse(self.pin(ref, net).reference)
        part = os.fsencode(address.path)
        # Beside the tree, on the same disk: what comes may be too large for the place of temporary files.
        with tempfile.TemporaryDirectory(prefix=".git-", dir=into.parent) as work:
            tree = _Tree(net, Path(work))
            found = tree.write(address, part if address.only else b"", into, DEPTH)
            if not any(within(path, part) for path in found):
                raise ReferenceNotFound(
                    f"there is no {address.path!r} in the tree", where=str(ref), why=_nearest(address.path, found),
                )  # fmt: skip
        return address.path


def advertised(address: GitAddress, net: Net) -> list[str]:
    """Return the names of all branches and tags. Raises as `GitFetcher.pin` does."""
    refs = _list(connect(address, net), ["--heads", "--tags"])
    return sorted({_short(name) for name in refs})


class _Tree:
    """One fetch: what its repositories have in common."""

    def __init__(self, net: Net, work: Path) -> None:
        self.net, self.work, self.number = net, work, 0

    def write(self, address: GitAddress, part: bytes, into: Path, depth: int) -> list[bytes]:
        """Write a commit's tree, or a part of it, and return the paths of all that was or could have been written."""
        commit = address.revision
        remote = connect(address, self.net)
        self.number += 1
        folder = self.work / str(self.number)
        folder.mkdir()

        def wanted(transfer: Transfer) -> list[str]:
            return [e.id for e in trees.entries(transfer.git, commit) if not e.is_submodule and _needed(e, part)]

        git = fetched(folder, remote, commit, wanted if part else None).git
        tree = trees.entries(git, commit)
        # A part may lie in a submodule, so that the submodule's path is a beginning of the part's.
        chosen = [e for e in tree if within(e.path, part) or (e.is_submodule and within(part, e.path))]
        pointers: list[lfs.Pointer] = []
        for entry, content in trees.write(git, (e for e in chosen if not e.is_link and not e.is_submodule), into):
            pointer = lfs.Pointer.read(entry.path, content)
            if pointer is not None:
                pointers.append(pointer)
        lfs.replace(git, remote, self.net, tree, pointers, into)
        paths = [entry.path for entry in tree]
        inner = [entry for entry in chosen if entry.is_submodule]
        if inner:
            known = submodules.urls(git, tree)
            for entry in inner:
                paths += self._submodule(address, entry, known.get(entry.path), part, into, depth)
        trees.link(git, (e for e in chosen if e.is_link), into)
        return paths

    def _submodule(
        self, parent: GitAddress, entry: Entry, url: str | None, part: bytes, into: Path, depth: int
    ) -> list[bytes]:
        path = os.fsdecode(entry.path)
        if not depth:
            raise FetchError(
                f"the submodule {path} is nested too deeply", where=str(parent.reference()),
                why=f"more than {DEPTH} levels",
            )  # fmt: skip
        address = replace(submodules.address(parent, path, url), revision=entry.id, path="", only=False)
        rest = part[len(entry.path) + 1 :] if within(part, entry.path) and part else b""
        net = self.net
        if address.origin != parent.origin and address.scheme != "file":
            # A public repository must not lead to hosts that only this machine can reach.
            net = net.on_behalf_of(parent.reference(), "fetch")
        trees.folder(os.fsencode(into), entry.path)
        inner = _Tree(net, self.work)
        inner.number = self.number
        try:
            found = inner.write(address, rest, into / path, depth - 1)
        except Interrupted:
            raise
        except WfxError as error:
            # The same class, so that a refusal stays one, and offline stays offline.
            raise type(error)(
                f"the submodule {path} cannot be fetched", where=str(parent.reference()), why=str(error),
            ) from error  # fmt: skip
        finally:
            self.number = inner.number
        return [entry.path + b"/" + each for each in found]


def _needed(entry: Entry, part: bytes) -> bool:
    return within(entry.path, part) or entry.path.rpartition(b"/")[2] in SETTINGS


def _list(remote: Remote, arguments: list[str]) -> dict[str, str]:
    """Return object ids by the full names of refs; `NAME^{}` is what an annotated tag stands for."""
    with tempfile.TemporaryDirectory(prefix="wfx-git-") as work:
        git = Git(Path(work) / "git", remote.gate)
        git.init()
        options = [a for a in arguments if a.startswith("--")]
        names = [a for a in arguments if not a.startswith("--")]
        # Of a pattern git takes the end, so `^{}` has to be asked for too.
        patterns = [*names, *(f"{name}^{{}}" for name in names)]
        out = git.run(["ls-remote", "-q", *options, "--", remote.address.url, *patterns], remote)
    refs = {}
    for line in out.splitlines():
        object_id, _, name = line.partition(b"\t")
        refs[os.fsdecode(name)] = object_id.decode()
    return refs


def _choose(refs: dict[str, str], name: str) -> str | None:
    for full in (f"refs/tags/{name}^{{}}", f"refs/tags/{name}", f"refs/heads/{name}"):
        if full in refs:
            return refs[full]
    return None


def _short(name: str) -> str:
    return name.removesuffix("^{}").removeprefix("refs/heads/").removeprefix("refs/tags/")


def _unknown(address: GitAddress, refs: dict[str, str]) -> ReferenceNotFound:
    revision = address.revision
    names = sorted({_short(name) for name in refs})
    if ABBREVIATED.fullmatch(revision):
        whole = sorted({i for n, i in refs.items() if i.startswith(revision) and n + "^{}" not in refs})
        digits = len(next(iter(refs.values()), "")) or 40
        return ReferenceNotFound(
            f"no tag or branch {revision!r}, and a shortened commit id is not enough", where=str(address.reference()),
            why="others may begin with the same digits",
            remedy=f"write all of it: @{whole[0]}" if len(whole) == 1 else f"write all {digits} digits",
        )  # fmt: skip
    near = difflib.get_close_matches(revision, names, 5, 0.5) or names[-5:]
    return ReferenceNotFound(
        f"there is no tag or branch {revision!r} in the repository", where=str(address.reference()),
        why=f"it has {len(names)}" if names else "it has none",
        remedy=f"did you mean {', '.join(near)}?" if near else "the repository may be empty",
    )  # fmt: skip


def _nearest(path: str, found: list[bytes]) -> str:
    names = {os.fsdecode(each) for each in found}
    names |= {name.rpartition("/")[0] for name in names} - {""}
    near = difflib.get_close_matches(path, names, 3, 0.6)
    last = path.rpartition("/")[2]
    near += [name for name in sorted(names) if name.rpartition("/")[2] == last and name not in near][:3]
    return f"there is {', '.join(near)}" if near else f"it has {len(found)} files"
