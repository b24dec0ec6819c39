"""Turn what people write of the two large hosts' repositories into references to them.

`https://github.com/OWNER/REPO/tree/v1/workflow`, as it stands in the address bar, and `gh:OWNER/REPO@v1#path=workflow`
become `git+https://github.com/OWNER/REPO.git@v1#path=workflow`. Only the address is read and the git protocol asked: a
host's own interface has limits and other answers.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import parse_qs, unquote_to_bytes

from wfx.errors import DefinitionError, OfflineError
from wfx.fetching import Net, Reference, ResolverFetcher, Source

from wfx_git.addresses import COMMIT, GitAddress
from wfx_git.fetcher import advertised

NAME: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\-]*")
VIEWS: Final = frozenset({"tree", "blob", "raw", "blame", "edit"})
NO_OWNERS: Final = frozenset({
    "about", "account", "api", "apps", "codespaces", "collections", "contact", "customer-stories", "dashboard",
    "enterprise", "events", "explore", "features", "groups", "help", "issues", "join", "login", "marketplace",
    "new", "notifications", "oauth", "organizations", "orgs", "pricing", "projects", "pulls", "search", "security",
    "sessions", "settings", "site", "snippets", "sponsors", "stars", "team", "topics", "trending", "uploads",
    "users",
})  # fmt: skip


GITHUB: Final = "https://github.com"


class GitHubShorthand(ResolverFetcher):
    """`gh:OWNER/REPO[@REVISION][#path=…]`: a repository at GitHub, or at the host that stands in its place."""

    keys: ClassVar[tuple[str, ...]] = ("gh",)
    leads_to = "git+https"

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the repository. Raises DefinitionError for what is none, or where the setting is no address."""
        head, _, fragment = ref.uri.partition("#")
        repository, mark, revision = head.partition(":")[2].partition("@")
        parts = repository.split("/")
        if len(parts) != 2 or not all(NAME.fullmatch(part) for part in parts) or (mark and not revision):
            raise DefinitionError(
                "not a repository at GitHub", where=str(ref), remedy="write gh:OWNER/REPOSITORY@REVISION#path=FOLDER"
            )
        base = str(net.section("fetcher.git").get("github") or GITHUB).rstrip("/")
        if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", base):
            raise DefinitionError(
                f"the setting fetcher.git.github is {base!r}", why="it is no address of a host",
                remedy="write it as https://HOST",
            )  # fmt: skip
        uri = f"git+{base}/{parts[0]}/{parts[1].removesuffix('.git')}.git{mark}{revision}"
        return [Source(GitAddress.parse(Reference(uri + (f"#{fragment}" if fragment else ""))).reference())]


@dataclass(frozen=True, slots=True)
class Page:
    """What an address of a host shows."""

    repository: tuple[str, ...]
    revision: str = ""
    view: str = ""
    """One of `VIEWS`, or empty for the repository itself."""
    rest: tuple[str, ...] = ()
    """Revision and path; where the one ends is not to be seen."""


class HostResolver(ResolverFetcher):
    """What the hosts have in common."""

    leads_to = "git+https"

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the repository that the page is of; the reference itself for downloads and for the host's own pages."""
        head, _, fragment = ref.uri.partition("#")
        _, _, rest = head.partition("://")
        authority, _, location = rest.partition("/")
        location, _, query = location.partition("?")
        page = self.read(tuple(filter(None, location.split("/"))))
        if page is None:
            return [Source(ref)]
        user, at, host = authority.rpartition("@")
        uri = f"git+https://{user}{at}{host.lower()}/{'/'.join(page.repository)}.git"
        revision, path = page.revision, ""
        if page.view:
            repository = GitAddress.parse(Reference(uri))
            revision, path = _divide(page.rest, lambda: self._names(repository, net))
        only = page.view == "raw" or parse_qs(query).get("raw", ["false"])[0] in ("true", "1")
        # What a browser jumps to (`#L10`, `#readme`) is no part of a tree.
        if fragment.startswith(("path=", "only=")):
            tail = fragment
        else:
            tail = f"path={path}" + ("&only=1" if only else "") if path else ""
        uri += (f"@{revision}" if revision else "") + (f"#{tail}" if tail else "")
        return [Source(GitAddress.parse(Reference(uri)).reference())]

    @abstractmethod
    def read(self, parts: tuple[str, ...]) -> Page | None:
        """Read the parts of a path, still percent-encoded; None where they are not of a repository's tree."""

    def _names(self, address: GitAddress, net: Net) -> list[str]:
        return advertised(address, net)


class GitHubResolver(HostResolver):
    """Pages of repositories, folders and files at GitHub."""

    keys: ClassVar[tuple[str, ...]] = ("https://github.com",)

    def read(self, parts: tuple[str, ...]) -> Page | None:
        """Read OWNER/REPO, with @REVISION, or with /tree/…, /blob/…, /raw/…, /commit/ID or /releases/tag/TAG."""
        if len(parts) < 2 or parts[0].lower() in NO_OWNERS:
            return None
        name, mark, revision = "/".join(parts[1:]).partition("@")
        if mark and "/" not in name:
            return _page((parts[0], name), revision=revision)
        repository, more = parts[:2], parts[2:]
        if not more:
            return _page(repository)
        if more[0] == "commit" and len(more) == 2:
            return _page(repository, revision=more[1])
        if more[:2] == ("releases", "tag") and len(more) > 2:
            return _page(repository, revision="/".join(more[2:]))
        if more[0] in VIEWS and len(more) > 1:
            return _page(repository, view=more[0], rest=more[1:])
        return None


class GitLabResolver(HostResolver):
    """Pages of repositories, folders and files at GitLab, in groups of any depth."""

    keys: ClassVar[tuple[str, ...]] = ("https://gitlab.com",)

    def read(self, parts: tuple[str, ...]) -> Page | None:
        """Read GROUP/…/REPO, with @REVISION, or with /-/tree/…, /-/blob/…, /-/raw/…, /-/commit/ID or /-/tags/TAG."""
        if len(parts) < 2 or parts[0].lower() in NO_OWNERS:
            return None
        whole, mark, revision = "/".join(parts).partition("@")
        if mark and "/-/" not in whole:
            return _page(tuple(whole.split("/")), revision=revision)
        if "-" in parts:
            place = parts.index("-")
            repository, more = parts[:place], parts[place + 1 :]
        else:
            # Of before 2019; such names are reserved, so no repository has them.
            place = next((i for i, part in enumerate(parts) if i > 1 and part in VIEWS), len(parts))
            repository, more = parts[:place], parts[place:]
        if not more:
            return _page(repository)
        if more[0] in ("commit", "tags") and len(more) > 1:
            return _page(repository, revision="/".join(more[1:]))
        if more[0] in VIEWS and len(more) > 1:
            return _page(repository, view=more[0], rest=more[1:])
        return None


def _page(
    repository: tuple[str, ...], revision: str = "", view: str = "", rest: tuple[str, ...] = ()
) -> Page | None:  # fmt: skip
    if len(repository) < 2 or not all(NAME.fullmatch(part) for part in repository):
        return None
    return Page((*repository[:-1], repository[-1].removesuffix(".git")), revision, view, rest)


def _divide(rest: tuple[str, ...], names: Callable[[], list[str]]) -> tuple[str, str]:
    """Divide `feature/x/folder` into revision and path; the host is asked only where there are two ways to."""
    rest = rest[2:] if rest[:1] == ("refs",) and len(rest) > 2 and rest[1] in ("heads", "tags") else rest
    if len(rest) == 1 or COMMIT.fullmatch(rest[0]):
        return rest[0], "/".join(rest[1:])
    try:
        known = set(names())
    except OfflineError:
        return rest[0], "/".join(rest[1:])
    for count in range(len(rest), 0, -1):
        if os.fsdecode(unquote_to_bytes("/".join(rest[:count]))) in known:
            return "/".join(rest[:count]), "/".join(rest[count:])
    return rest[0], "/".join(rest[1:])
