"""Read and write references to git repositories: `git+https://host/repo.git@REV#path=folder/file&only=1`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

from wfx.errors import DefinitionError
from wfx.references import Reference

SCHEMES: Final = ("https", "ssh", "file", "http", "git")
COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# Host names, addresses and ports; never a leading dash, which a program could take for an option.
HOST: Final = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.\-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
USER: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+\-]*")


@dataclass(frozen=True, slots=True)
class GitAddress:
    """A repository, a revision of it, and a path in it."""

    scheme: str
    """As git has it: `https`, not `git+https`."""
    host: str
    """With the port; empty for `file`."""
    location: str
    """Path of the repository, percent-encoded, with its leading slash."""
    user: str | None = None
    password: str | None = None
    revision: str = ""
    """Tag, branch or commit; empty: the default branch."""
    path: str = ""
    """Within the tree, without slashes at its ends; bytes that are not UTF-8 as surrogates (PEP 383)."""
    only: bool = False
    """Whether nothing but `path` is wanted."""

    @classmethod
    def parse(cls, reference: Reference) -> GitAddress:
        """Read a reference.

        The revision begins at the first `@` after the authority, so it may hold more of them, and slashes; an `@` of the
        repository's own path is written `%40`. Raises DefinitionError.
        """
        head, _, fragment = reference.uri.partition("#")
        scheme, mark, rest = head.partition("://")
        git, plus, scheme = scheme.lower().partition("+")
        if not mark or git + plus != "git+" or scheme not in SCHEMES:
            raise _invalid(reference, f"not one of {', '.join('git+' + s + '://' for s in SCHEMES)}")
        authority, slash, path = rest.partition("/")
        userinfo, at, host = authority.rpartition("@")
        location, revision_mark, revision = path.partition("@")
        if not location.strip("/"):
            raise _invalid(reference, "it names no repository")
        if "?" in head:
            raise _invalid(reference, "a query has no meaning to git; write ? as %3F")
        if revision_mark and not revision:
            raise _invalid(reference, "nothing follows the @")
        user, colon, password = userinfo.partition(":")
        wanted, only = _fragment(reference, fragment)
        address = cls(
            scheme, host.lower(), _requote(slash + location), unquote(user) if at else None,
            unquote(password) if colon else None, _decode(revision), wanted, only,
        )  # fmt: skip
        address._check(reference)
        return address

    def _check(self, reference: Reference) -> None:
        if self.scheme == "file":
            if self.host not in ("", "localhost") or self.user is not None:
                raise _invalid(reference, "a local repository has no host and no user")
        elif not HOST.fullmatch(self.host):
            raise _invalid(reference, "the host is not valid")
        if self.scheme == "ssh" and (
            self.password is not None or (self.user is not None and not USER.fullmatch(self.user))
        ):
            raise _invalid(reference, "ssh takes a user and no password here; use an ssh key")
        if self.scheme == "git" and self.user is not None:
            raise _invalid(reference, "the git protocol knows no users")
        if self.revision.startswith("-") or any(c in self.revision for c in " ~^:?*[\\\x7f") or min(
            self.revision, default="!"
        ) < "!" or ".." in self.revision or "@{" in self.revision:  # fmt: skip
            raise _invalid(reference, f"{self.revision!r} cannot be the name of a tag, a branch or a commit")

    @property
    def url(self) -> str:
        """The address for git, without any secret; ssh keeps its user, which is part of the address."""
        user = f"{self.user}@" if self.scheme == "ssh" and self.user else ""
        return f"{self.scheme}://{user}{self.host if self.scheme != 'file' else ''}{self.location}"

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`, by which credentials and policy are chosen."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a whole commit id."""
        return COMMIT.fullmatch(self.revision) is not None

    def at(self, commit: str) -> GitAddress:
        """Return the same place at another revision."""
        return replace(self, revision=commit)

    def reference(self) -> Reference:
        """Write the reference; `parse` reads it back to the same value."""
        user = ""
        if self.user is not None:
            user = quote(self.user, safe="") + (
                f":{quote(self.password, safe='')}" if self.password is not None else ""
            )
            user += "@"
        text = f"git+{self.scheme}://{user}{self.host}{self.location}"
        if self.revision:
            text += "@" + quote(self.revision.encode("utf-8", "surrogateescape"), safe="/@+")
        if self.path:
            text += "#path=" + quote_from_bytes(os.fsencode(self.path), safe="/+@,:")
            text += "&only=1" if self.only else ""
        return Reference(text)


def _decode(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(text))


def _requote(location: str) -> str:
    """Return one spelling for all spellings of a path, without an `@`, and without slashes at its end."""
    return quote_from_bytes(unquote_to_bytes(location), safe="/~+:,").rstrip("/")


def _fragment(reference: Reference, fragment: str) -> tuple[str, bool]:
    path, only = "", False
    for part in filter(None, fragment.split("&")):
        key, _, value = part.partition("=")
        if key == "path":
            path = _decode(value).strip("/")
            if "\0" in path or any(p in ("", ".", "..") for p in path.split("/") if path):
                raise _invalid(reference, "the path must stay in the repository, and have no empty parts")
        elif key == "only" and value in ("", "0", "1"):
            only = value != "0"
        else:
            raise _invalid(
                reference, f"'#{part}' is not known", "write #path=FOLDER/FILE, and &only=1 for that part alone"
            )
    return path, only and bool(path)


def _invalid(
    reference: Reference, why: str, remedy: str = "write git+https://HOST/REPOSITORY@REVISION#path=FOLDER"
) -> DefinitionError:
    return DefinitionError("not a reference to a git repository", where=str(reference), why=why, remedy=remedy)
