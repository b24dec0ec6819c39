"""Git repositories with everything in them that there can be, hostile names too, made without a work tree.

::

    repository = make_repository(tmp_path / "one.git", {"README": b"hello", "link": Symlink(b"README")}, tag="v1")
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Executable:
    """A file with the executable bit."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link."""

    target: bytes


@dataclass(frozen=True, slots=True)
class Submodule:
    """The commit of another repository; `url` goes into `.gitmodules` as it stands, None leaves it out."""

    url: str | None
    commit: str


@dataclass(frozen=True, slots=True)
class Large:
    """A file kept by git LFS: its pointer is committed; serve the content with `GitHttp(lfs=…)`."""

    content: bytes

    @property
    def oid(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """The pointer's bytes."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {len(self.content)}\n"
        ).encode()


File = bytes | Executable | Symlink | Submodule | Large


@dataclass(slots=True)
class Repository:
    """A bare repository that can be committed to without a work tree."""

    path: Path
    commits: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address as a local one."""
        return f"file://{self.path}"

    @property
    def head(self) -> str:
        """The latest commit that was made here."""
        return self.commits[-1]

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git in the repository, deaf to the settings of whoever runs the tests."""
        return _git(self.path, arguments, stdin)

    def commit(
        self, files: Mapping[str, File], branch: str = "main", parent: str | None = None, message: str = "A commit"
    ) -> str:
        """Commit exactly these files on a branch; `parent` None continues it, "" begins anew (a forced push)."""
        if parent is None:
            with contextlib.suppress(subprocess.CalledProcessError):
                parent = self.git("rev-parse", "--verify", "-q", f"refs/heads/{branch}")
        tree = self.tree(files)
        commit = self.git("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", message)
        self.git("update-ref", f"refs/heads/{branch}", commit)
        self.commits.append(commit)
        return commit

    def tree(self, files: Mapping[str, File]) -> str:
        """Write a tree and return its id; names are as the file system's, with surrogates for odd bytes."""
        files = dict(files)
        modules = {path: file for path, file in files.items() if isinstance(file, Submodule) and file.url is not None}
        if modules and ".gitmodules" not in files:
            files[".gitmodules"] = "".join(
                f'[submodule "{path}"]\n\tpath = {path}\n\turl = {module.url}\n' for path, module in modules.items()
            ).encode()
        large = [path for path, file in files.items() if isinstance(file, Large)]
        if large and ".gitattributes" not in files:
            files[".gitattributes"] = "".join(
                f'"{path}" filter=lfs diff=lfs merge=lfs -text\n' for path in large
            ).encode()
        root: dict[bytes, object] = {}
        for path, file in files.items():
            *folders, name = os.fsencode(path).split(b"/")
            here = root
            for one in folders:
                here = here.setdefault(one, {})  # type: ignore[assignment]
            here[name] = file
        return self._tree(root)

    def _tree(self, folder: Mapping[bytes, object]) -> str:
        lines = []
        for name, content in folder.items():
            if isinstance(content, dict):
                lines.append((name + b"/", b"40000", self._tree(content), name))
            elif isinstance(content, Submodule):
                lines.append((name, b"160000", content.commit, name))
            elif isinstance(content, Symlink):
                lines.append((name, b"120000", self.blob(content.target), name))
            elif isinstance(content, Executable):
                lines.append((name, b"100755", self.blob(content.content), name))
            elif isinstance(content, Large):
                lines.append((name, b"100644", self.blob(content.pointer), name))
            else:
                assert isinstance(content, bytes)
                lines.append((name, b"100644", self.blob(content), name))
        # By hand: `mktree` refuses the names that a hostile repository would have.
        raw = b"".join(
            mode + b" " + name + b"\0" + bytes.fromhex(object_id) for _, mode, object_id, name in sorted(lines)
        )  # fmt: skip
        return self.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)

    def blob(self, content: bytes) -> str:
        """Write a blob and return its id."""
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def tag(self, name: str, target: str | None = None, *, annotated: bool = True) -> str:
        """Tag a commit, by default the latest; return the id that the tag itself has."""
        target = target or self.head
        self.git("tag", "-f", *(("-a", "-m", name) if annotated else ()), name, target)
        return self.git("rev-parse", f"refs/tags/{name}")


def make_repository(
    folder: Path, files: Mapping[str, File], tag: str | None = None, branch: str = "main"
) -> Repository:
    """Make a bare repository with one commit of the files, and an annotated tag if one is named."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _git(folder.parent, ("init", "-q", "--bare", "--template=", f"--initial-branch={branch}", os.fspath(folder)))
    repository = Repository(folder)
    # Servers of the hosts allow both.
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repository.commit(files, branch)
    if tag:
        repository.tag(tag)
    return repository


def git_environment() -> dict[str, str]:
    """Return an environment in which git is deaf to the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    person = {"NAME": "Ann", "EMAIL": "ann@example.org", "DATE": "2024-01-01T00:00:00Z"}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in person.items()},
    }  # fmt: skip


def _git(folder: Path, arguments: tuple[str, ...], stdin: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, capture_output=True, env=git_environment(), check=True, timeout=60
    )  # fmt: skip
    return done.stdout.decode("utf-8", "surrogateescape").strip()
