"""Bring the objects of one commit into a repository of our own, as few of them as the server lets us choose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from wfx.errors import ReferenceNotFound

from wfx_git.program import Dumb, Git, Remote, Unadvertised

log = logging.getLogger(__name__)

FETCH = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
BLOBLESS = "--filter=blob:none"


class Transfer:
    """A commit in a repository of ours, with the means to bring those of its blobs that did not come along."""

    def __init__(self, git: Git, remote: Remote, commit: str) -> None:
        self.git, self.remote, self.commit = git, remote, commit

    @classmethod
    def begin(cls, folder: Path, remote: Remote, commit: str, *, blobless: bool) -> Transfer:
        """Fetch a commit and its trees, and without `blobless` its blobs, into a new repository in `folder`.

        Raises ReferenceNotFound where the repository does not have the commit, and as `program.explain` says.
        """
        git = Git(folder, remote.gate)
        git.init("sha1" if len(commit) == 40 else "sha256")
        # Named, because git can fetch single blobs later only from a remote that it has a name for.
        git.run(["config", "remote.origin.url", remote.address.url])
        transfer = cls(git, remote, commit)
        some = (BLOBLESS,) if blobless else ()
        try:
            git.run([*FETCH, "--depth=1", *some, "origin", commit], remote)
        except Unadvertised as error:
            if blobless and isinstance(error, Dumb):
                raise
            log.debug("%s gives no single commits; fetching the whole history", remote.address.url)
            git.run([*FETCH, *some, "origin", *EVERYTHING], remote)
            # The default branch of a bare repository may be neither; a detached HEAD is advertised all the same.
            if commit not in transfer._present():
                with suppress(ReferenceNotFound):
                    git.run([*FETCH, *some, "origin", "HEAD"], remote)
        if commit not in transfer._present():
            raise ReferenceNotFound(
                f"the commit {commit} is not in the repository (any more)", where=str(remote.address.reference()),
                why="no branch or tag leads to it", remedy="was the branch rewritten? name a tag or another commit",
            )  # fmt: skip
        return transfer

    def complete(self, blobs: Iterable[str]) -> None:
        """Fetch those of the blobs that are not here yet, in one request. Raises Unadvertised where that cannot be."""
        missing = sorted(set(blobs) - self._present())
        if missing:
            self.git.run(
                # There is nothing to negotiate: a blob has no history.
                ["-c", "fetch.negotiationAlgorithm=noop", *FETCH, BLOBLESS, "--stdin", "origin"], self.remote,
                "".join(f"{blob}\n" for blob in missing).encode(),
            )  # fmt: skip

    def _present(self) -> set[str]:
        """Return the ids of all objects that are here; to ask for one that is not would make git fetch it."""
        listed = self.git.run(
            ["cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check=%(objectname)"]
        )
        return set(listed.decode().split())


def fetched(folder: Path, remote: Remote, commit: str, wanted: Callable[[Transfer], Iterable[str]] | None) -> Transfer:
    """Fetch a commit into a new repository in the folder: whole, or with only the `wanted` of its blobs."""
    if wanted is not None:
        try:
            transfer = Transfer.begin(folder / "part", remote, commit, blobless=True)
            transfer.complete(wanted(transfer))
        except Unadvertised:
            log.debug("%s gives no single files; fetching the whole tree", remote.address.url)
        else:
            return transfer
    return Transfer.begin(folder / "whole", remote, commit, blobless=False)
