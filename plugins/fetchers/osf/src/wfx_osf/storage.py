"""What OSF says of a project and its files, folder by folder and page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from wfx.deposits import Deposited, Wanted, ask_json, checksums_of, licence_of, may_lead_to, text_at, whole_size
from wfx.errors import AccessDenied, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference
from wfx.listings import MAX_FILES, Entry, decode, has_wildcard, walk

from wfx_osf.addresses import OsfAddress

PER_PAGE: Final = "page%5Bsize%5D=100"
MOST_PAGES: Final = MAX_FILES // 100


class Storage:
    """The files of OSF's own storage of one thing that has an identifier."""

    def __init__(self, address: OsfAddress, net: Net, where: Reference) -> None:
        self.address, self.net, self.where = address, net, where
        self.api = address.api(net)
        self.url = f"{self.api}/{'files' if address.file else 'guids'}/{address.id}/"
        self.data = self._thing(self.url)
        self._folders: dict[tuple[str, ...], str] = {}
        self._files: dict[tuple[str, ...], Deposited] = {}
        self._listed: dict[tuple[str, ...], list[Entry]] = {}

    @property
    def kind(self) -> str:
        """`nodes`, `registrations`, `preprints` or `files`."""
        return text_at(self.data, "type")

    def licence(self) -> str | None:
        """Return the licence of a project, registration or preprint; None where none is chosen, or it is not told."""
        href = text_at(self.data, "relationships", "license", "links", "related", "href")
        if not href:
            return None
        try:
            licence = self._thing(self._same_place(href))
        except (ReferenceNotFound, AccessDenied):
            return None
        return licence_of(text_at(licence, "attributes", "name"), text_at(licence, "attributes", "url"))

    def files(self) -> tuple[list[Deposited], Wanted]:
        """Return the files among which the reference chooses, and what it chooses: no more is listed than has to be."""
        wanted = self.address.wanted
        if self.kind in ("files", "preprints"):
            return [self._one()], wanted
        if self.kind not in ("nodes", "registrations"):
            raise FetchError(
                f"it is one of OSF's {self.kind or 'unnamed things'}, which have no files", where=str(self.where),
                remedy="name a project, a registration, a preprint or a file",
            )  # fmt: skip
        if self.data.get("attributes", {}).get("withdrawn") is True:
            raise ReferenceNotFound("the registration has been withdrawn", where=str(self.where))
        self._folders[()] = f"{self.api}/{self.kind}/{self.address.id}/files/osfstorage/"
        pattern = (
            f"{wanted.path.rstrip('/')}/{wanted.part}"
            if wanted.path and wanted.part
            else wanted.path or wanted.part or ""
        )
        if pattern and (found := self._below(pattern)):
            return found, Wanted(pattern)
        return self._below(""), wanted

    def _one(self) -> Deposited:
        data = self.data
        if self.kind == "preprints":
            href = text_at(data, "relationships", "primary_file", "links", "related", "href")
            if not href:
                raise ReferenceNotFound("the preprint shows no file", where=str(self.where))
            data = self._thing(self._same_place(href))
        if text_at(data, "attributes", "kind") != "file":
            raise FetchError("it is a folder, which has no identifier of its own", where=str(self.where))
        return self._file(data, text_at(data, "attributes", "name"))

    def _below(self, pattern: str) -> list[Deposited]:
        parts = pattern.split("/")
        plain = not any(has_wildcard(part) for part in parts)
        try:
            if plain and parts[-1]:
                names = tuple(decode(part) for part in parts)
                self._entries(names[:-1])
                if names in self._files:
                    return [self._files[names]]
                parts.append("")
            found = walk(self._entries, parts, where=str(self.where))
        except KeyError:
            return []
        return [self._files[each.path] for each in found]

    def _entries(self, folder: tuple[str, ...]) -> list[Entry]:
        """List a folder. Raises KeyError where there is none."""
        if folder not in self._listed:
            if folder not in self._folders:
                # The reference names it: its parent says where it is.
                self._entries(folder[:-1])
            self._listed[folder] = [self._entry(item, folder) for item in self._pages(self._folders[folder])]
        return self._listed[folder]

    def _entry(self, item: dict[str, Any], folder: tuple[str, ...]) -> Entry:
        attributes = item.get("attributes")
        name = attributes.get("name") if isinstance(attributes, dict) else None
        if not isinstance(name, str):
            raise _odd("a file without a name", self.url)
        path = (*folder, name)
        if text_at(item, "attributes", "kind") == "folder":
            href = text_at(item, "relationships", "files", "links", "related", "href")
            self._folders[path] = self._same_place(href)
            return Entry(name, folder=True, identity=text_at(item, "id"))
        self._files[path] = self._file(item, "/".join(path))
        return Entry(name, size=self._files[path].size)

    def _pages(self, url: str) -> Iterator[dict[str, Any]]:
        url += ("&" if "?" in url else "?") + PER_PAGE
        seen: set[str] = set()
        while url:
            if url in seen or len(seen) > MOST_PAGES:
                raise FetchError("the list of files there has no end", where=url)
            seen.add(url)
            answer = self._answer(url)
            items = answer.get("data")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise _odd("no list of files", url)
            yield from items
            following = text_at(answer, "links", "next")
            url = self._same_place(following) if following else ""

    def _file(self, item: dict[str, Any], path: str) -> Deposited:
        attributes = item.get("attributes")
        hashes = attributes.get("extra", {}).get("hashes", {}) if isinstance(attributes, dict) else {}
        stated = hashes.items() if isinstance(hashes, dict) else ()
        place = may_lead_to(self.net, self.api, text_at(item, "links", "download")).without_fragment().uri
        current = text_at(item, "attributes", "current_version")
        version = self.address.version or current
        if version:
            # Named, so that what comes is what was listed, whatever somebody puts there meanwhile.
            place += f"{'&' if '?' in place else '?'}version={version}"
        if version != current:
            return Deposited(path, Reference(place))
        return Deposited(
            path, Reference(place), whole_size(attributes.get("size") if attributes else None), checksums_of(*stated)
        )

    def _same_place(self, address: str) -> str:
        reference = may_lead_to(self.net, self.api, address)
        if reference.origin != Reference(self.api).origin:
            raise PolicyError("the interface leads to another host", where=self.url, why=str(reference))
        return reference.uri

    def _thing(self, url: str) -> dict[str, Any]:
        data = self._answer(url).get("data")
        if not isinstance(data, dict):
            raise _odd("no data", url)
        return data

    def _answer(self, url: str) -> dict[str, Any]:
        try:
            answer = ask_json(self.net, url)
        except AccessDenied as error:
            raise type(error)(
                "it is not public", where=str(self.where), why=f"{error.where}: {error.what}",
                remedy=f"give a token of somebody who may read it: {error.remedy}",
            ) from error  # fmt: skip
        except ReferenceNotFound as error:
            gone = "it has been deleted" if getattr(error, "status", 0) == 410 else "OSF has no such thing"
            raise ReferenceNotFound(
                gone, where=str(self.where), why=f"{error.where}: {error.why or error.what}"
            ) from error
        if not isinstance(answer, dict):
            raise _odd("no object", url)
        return answer


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the answer of OSF is not understood", where=url, why=f"it has {why}")
