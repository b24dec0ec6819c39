"""What figshare says of an item: its version, licence and files, or why they are not to be had."""

from __future__ import annotations

from typing import Any, Final

from wfx.deposits import Deposited, ask_json, checksums_of, licence_of, may_lead_to, text_at, whole_size
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference
from wfx.listings import MAX_FILES

from wfx_figshare.addresses import ItemAddress

PAGE: Final = 100


class Item:
    """One version of an item, as the public interface has it. Raises ReferenceNotFound, AccessDenied, FetchError."""

    def __init__(self, address: ItemAddress, net: Net, where: Reference) -> None:
        self.address, self.net, self.where = address, net, where
        self.api = address.api(net)
        self.url = f"{self.api}/articles/{address.id}"
        answer = self._answer(f"{self.url}/versions/{address.version}" if address.version else self.url)
        self.version = text_at(answer, "version")
        if not isinstance(answer, dict) or text_at(answer, "id") != address.id or not self.version.isdigit():
            raise _odd("another item, or none", self.url)
        if address.version and self.version != address.version:
            raise _odd(f"the version {self.version} in place of {address.version}", self.url)
        self.answer: dict[str, Any] = answer
        self.licence = licence_of(text_at(answer, "license", "name"), text_at(answer, "license", "url"))

    def files(self) -> list[tuple[str, Deposited]]:
        """Return all files with their numbers, in the folders that they were put in."""
        closed = self._closed()
        if closed and self.net.credential(self.api) is None:
            raise closed
        if closed:
            try:
                listed = self._pages(f"{self.api}/account/articles/{self.address.id}/files")
            except (ReferenceNotFound, AccessDenied) as error:
                raise closed from error
        else:
            try:
                listed = self._pages(f"{self.url}/versions/{self.version}/files")
            except ReferenceNotFound:
                listed = _list(self.answer.get("files", []), self.url)
        folders = self.answer.get("folder_structure")
        found = [self._file(item, folders if isinstance(folders, dict) else {}) for item in listed]
        if not found:
            raise ReferenceNotFound(
                "the item has no files", where=str(self.where), why=text_at(self.answer, "metadata_reason") or None
            )
        return found

    def _closed(self) -> AccessDenied | None:
        """Return what is to be said of files that are not for everybody; None where they are."""
        reason = ""
        if self.answer.get("is_confidential") is True:
            what, reason = "confidential", text_at(self.answer, "confidential_reason")
        elif self.answer.get("is_embargoed") is True and not self.answer.get("files"):
            until = text_at(self.answer, "embargo_date")
            what = f"under embargo until {until[:10]}" if until else "under embargo without an end"
            reason = text_at(self.answer, "embargo_reason")
        else:
            return None
        return AccessDenied(
            f"the files of the item are {what}", where=str(self.where), why=reason[:300] or None,
            remedy=f"ask its authors, or give the token of one of them for {self.api} (docs/tasks/credentials.md)",
        )  # fmt: skip

    def _pages(self, url: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number in range(1, MAX_FILES // PAGE + 2):
            page = _list(self._ask(f"{url}?page={number}&page_size={PAGE}"), url)
            found += page
            if len(page) < PAGE:
                return found
        raise FetchError(f"there are more than {MAX_FILES} files there", where=str(self.where))

    def _file(self, item: dict[str, Any], folders: dict[str, Any]) -> tuple[str, Deposited]:
        name, number = item.get("name"), text_at(item, "id")
        if not isinstance(name, str) or not name:
            raise _odd("a file without a name", self.url)
        folder = folders.get(number)
        path = f"{folder.strip('/')}/{name}" if isinstance(folder, str) and folder.strip("/") else name
        reference = may_lead_to(self.net, self.api, item.get("download_url"))
        if item.get("is_link_only") is True:
            # It lies elsewhere, and figshare has not looked at it.
            return number, Deposited(path, reference)
        checksums = checksums_of(("md5", item.get("supplied_md5")), ("md5", item.get("computed_md5")))
        kind = text_at(item, "mimetype")
        return number, Deposited(
            path, reference, whole_size(item.get("size")), checksums, kind if "/" in kind else None
        )  # fmt: skip

    def _ask(self, url: str) -> Any:
        return ask_json(self.net, url)

    def _answer(self, url: str) -> Any:
        try:
            return self._ask(url)
        except AccessDenied as error:
            raise type(error)(
                "the item is not shown to everybody", where=str(self.where), why=f"{error.where}: {error.what}",
                remedy=error.remedy,
            ) from error  # fmt: skip
        except ReferenceNotFound as error:
            version = f" version {self.address.version} of it" if self.address.version else " public item"
            raise ReferenceNotFound(
                f"there is no such{version}", where=str(self.where), why=f"{error.where}: {error.why or error.what}"
            ) from error


def _list(value: Any, url: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _odd("no list of files", url)
    return value


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the answer of figshare is not understood", where=url, why=f"it has {why}")
