"""What a registry is asked, and its answers read with care (GA4GH Tool Registry Service 2.0.0 and 2.0.1)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from wfx.documents import load_document
from wfx.errors import DefinitionError, DocumentError, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference
from wfx.net.bodies import HttpBody

from wfx_trs.addresses import TrsAddress, is_this_machine

LARGEST_ANSWER: Final = 32 * 2**20
# Of several languages in one version, the first of these that it has.
TYPES: Final = ("CWL", "NFL", "SMK", "GALAXY", "WDL")
NUMBERED: Final = re.compile(r"[vV]?(\d+(?:\.\d+)*)")
SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Version:
    """What a registry says of one version."""

    name: str
    types: tuple[str, ...]
    fixed: bool
    """Whether the registry promises that it does not change (`is_production`)."""


class Registry:
    """The interface of one registry, for one workflow in it."""

    def __init__(self, address: TrsAddress, net: Net, where: Reference) -> None:
        self.address, self.net, self.where = address, net, where
        self.url = f"{address.api(net)}/tools/{quote(address.id, safe='')}"
        self._headers = _proof(address, net, self.url)

    def newest(self) -> str:
        """Return the newest version: the one with the highest number among those that do not change, else among all."""
        with self._naming("the registry has no such workflow"):
            answer = self._json(self.url)
        found = _list(answer.get("versions") if isinstance(answer, dict) else None, "versions", self.url)
        versions = [self._version(item) for item in found]
        if not versions:
            raise ReferenceNotFound("the workflow has no version", where=str(self.where))
        for candidates in ([each for each in versions if each.fixed], versions):
            if len(candidates) == 1:
                return candidates[0].name
            numbered = [(_number(each.name), each.name) for each in candidates if NUMBERED.fullmatch(each.name)]
            if numbered:
                return max(numbered)[1]
        names = ", ".join(each.name for each in versions[:SHOWN])
        raise DefinitionError(
            "which version of the workflow is meant?", where=str(self.where),
            why=f"it has {names}{' and more' if len(versions) > SHOWN else ''}",
            remedy="write the version behind the id",
        )  # fmt: skip

    def version(self, name: str) -> Version:
        """Return what the registry says of a version. Raises ReferenceNotFound."""
        with self._naming("the registry has no such version of a workflow"):
            answer = self._json(self._version_url(name))
        if not isinstance(answer, dict):
            raise _odd("no object", self._version_url(name))
        return self._version(answer)

    def files(self, version: str, kind: str) -> list[dict[str, Any]]:
        """Return the list of a version's files, as the registry writes it."""
        url = f"{self._version_url(version)}/{quote(kind, safe='')}/files"
        return _list(self._json(url), "files", url)

    def open_plain(self, version: str, kind: str, path: str) -> HttpBody:
        """Open a file by its path, as it is."""
        url = f"{self._version_url(version)}/PLAIN_{quote(kind, safe='')}/descriptor/{_path(path)}"
        body = self.net.http(url, headers=self._headers)
        if (body.media_type or "") == "text/html" and not path.lower().endswith((".html", ".htm")):
            body.stream.close()
            raise FetchError("a page came where a file was expected", where=body.url or url)
        return body

    def wrapped(self, version: str, kind: str, path: str) -> dict[str, Any]:
        """Return a file by its path, as an object with its content or its address."""
        url = f"{self._version_url(version)}/{quote(kind, safe='')}/descriptor/{_path(path)}"
        answer = self._json(url)
        if not isinstance(answer, dict):
            raise _odd("no object", url)
        return answer

    def extras(self, version: str, kind: str, role: str) -> list[dict[str, Any]]:
        """Return the objects of test or container files, for which a registry may have a place of its own."""
        tail = "containerfile" if role == "CONTAINERFILE" else f"{quote(kind, safe='')}/tests"
        url = f"{self._version_url(version)}/{tail}"
        return _list(self._json(url), "wrappers", url)

    def open_elsewhere(self, url: str) -> HttpBody:
        """Open an address that the registry names: it leads into no private network but the registry's own host."""
        reference = Reference(self.url).join(url)
        if reference.scheme not in ("http", "https"):
            raise FetchError(
                "the registry names an address that is none of the web", where=self.url, why=str(reference)
            )
        return self.net.on_behalf_of(Reference(self.url), "workflow").http(reference.uri)

    @contextlib.contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        try:
            yield
        except ReferenceNotFound as error:
            raise ReferenceNotFound(what, where=str(self.where), why=f"{error.where}: {error.what}") from error

    def _version_url(self, name: str) -> str:
        return f"{self.url}/versions/{quote(name, safe='')}"

    def _version(self, item: Any) -> Version:
        name = item.get("id") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise _odd("a version without an id", self.url)
        # Dockstore's ids of versions begin with that of the workflow, and its addresses have the rest alone.
        name = name.removeprefix(f"{self.address.id}:")
        kinds = item.get("descriptor_type")
        kinds = [kinds] if isinstance(kinds, str) else [] if kinds is None else kinds
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            raise _odd("a descriptor_type that is no list", self.url)
        return Version(name, tuple(kind.upper() for kind in kinds), item.get("is_production") is True)

    def _json(self, url: str) -> Any:
        body = self.net.http(url, headers={"Accept": "application/json", **self._headers})
        data = body.read(LARGEST_ANSWER)
        if (body.media_type or "").endswith("html"):
            raise FetchError(
                "a page came where the registry's answer was expected", where=body.url or url,
                remedy="check the host, and the setting fetcher.trs.servers",
            )  # fmt: skip
        try:
            return load_document(data, "answer.json").value
        except DocumentError as error:
            raise FetchError("the registry's answer is no JSON", where=body.url or url, why=error.what) from error


def _proof(address: TrsAddress, net: Net, url: str) -> dict[str, str]:
    """Return headers of what is given for `trs://HOST`; what is given for the interface's address the gate sends itself."""
    credential = net.credential(address.reference().uri)
    if credential is None or net.credential(url) is not None:
        return {}
    return credential.headers() if url.startswith("https:") or is_this_machine(address.host) else {}


def choose_type(version: Version, wanted: str, where: Reference) -> str:
    """Return the language to fetch. Raises ReferenceNotFound, DefinitionError."""
    if wanted and (not version.types or wanted in version.types):
        return wanted
    if wanted:
        raise ReferenceNotFound(
            f"the version has no {wanted} in it", where=str(where), why=f"it has {', '.join(version.types)}"
        )
    known = [kind for kind in TYPES if kind in version.types]
    if known or len(version.types) == 1:
        return (*known, *version.types)[0]
    raise DefinitionError(
        "the registry does not say what language the workflow is written in", where=str(where),
        remedy=f"add ?type= and one of {', '.join(TYPES)}",
    )  # fmt: skip


def _path(path: str) -> str:
    # A server would resolve `..` and `//` in the address, so the slashes of such a path are escaped (Dockstore).
    return quote(path, safe="" if path.startswith("/") or ".." in path.split("/") or "//" in path else "/")


def _number(name: str) -> tuple[int, ...]:
    match = NUMBERED.fullmatch(name)
    assert match is not None
    return tuple(int(part[:18]) for part in match[1].split("."))


def _list(value: Any, what: str, url: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _odd(f"no list of {what}", url)
    return value


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the registry's answer is not understood", where=url, why=f"it has {why}")
