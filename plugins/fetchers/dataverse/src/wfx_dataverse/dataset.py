"""What an installation says of a dataset: its version, licence and files, or why they are not to be had."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from wfx.deposits import Deposited, ask_json, checksums_of, licence_of, text_at, whole_size
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference
from wfx.listings import MAX_FILES

from wfx_dataverse.addresses import DatasetAddress

PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a dataset."""

    file: Deposited
    table: str = ""
    """Path of the table that the installation has made of it, where it has."""
    closed: str = ""
    """Why it is not for everybody."""


class Dataset:
    """Asks an installation about one dataset."""

    def __init__(self, address: DatasetAddress, net: Net, where: Reference) -> None:
        self.address, self.net, self.where = address, net, where
        self.api = address.api(net)

    def version(self) -> tuple[str, str | None]:
        """Return the version that is meant, and its licence. Raises ReferenceNotFound, AccessDenied."""
        url = self._url("", "excludeFiles=true&")
        data = self._ask(url)
        number = f"{text_at(data, 'versionNumber')}.{text_at(data, 'versionMinorNumber')}"
        if not all(part.isdigit() for part in number.split(".")):
            raise _odd("a version without a number", url)
        if text_at(data, "versionState") == "DEACCESSIONED":
            raise ReferenceNotFound(
                f"the version {number} has been withdrawn", where=str(self.where),
                why=text_at(data, "versionNote") or text_at(data, "deaccessionNote") or None,
            )  # fmt: skip
        licence = data.get("license")
        stated = (
            (text_at(licence, "name"), text_at(licence, "uri"))
            if isinstance(licence, dict)
            else (text_at(data, "license"),)
        )
        return number, licence_of(*stated)

    def files(self) -> list[Listed]:
        """Return all files of the version, page by page."""
        found: dict[str, Listed] = {}
        while True:
            url = self._url("/files", f"limit={PAGE}&offset={len(found)}&")
            answer = self._answer(url)
            page = answer.get("data")
            if not isinstance(page, list):
                raise _odd("no list of files", url)
            before = len(found)
            for item in page:
                listed = self._listed(item, url)
                found.setdefault(listed.file.reference.uri, listed)
            total = whole_size(answer.get("totalCount"))
            # One that knows no pages gives all of them, again and again.
            if len(found) == before or len(page) < PAGE or (total is not None and len(found) >= total):
                return list(found.values())
            if len(found) > MAX_FILES:
                raise FetchError(f"there are more than {MAX_FILES} files there", where=str(self.where))

    def one(self) -> Listed:
        """Return the file whose own identifier the address has."""
        pid = self.address.pid
        url = (
            f"{self.api}/files/{pid}"
            if pid.isdigit()
            else f"{self.api}/files/:persistentId?persistentId={_quoted(pid)}"
        )
        return self._listed(self._ask(url), url)

    def hold_open(self, chosen: Iterator[Listed]) -> None:
        """Raise AccessDenied for files that are not for everybody, where no credential is given for the installation."""
        closed = [each for each in chosen if each.closed]
        if not closed or self.net.credential(self.api) is not None:
            return
        names = ", ".join(each.file.path for each in closed[:5]) + (", …" if len(closed) > 5 else "")
        site = self.api.removesuffix("/api")
        raise AccessDenied(
            f"{'a file is' if len(closed) == 1 else f'{len(closed)} files are'} not for everybody", where=str(self.where),
            why=f"{closed[0].closed}: {names}",
            remedy=f"ask for access there, and give your API token for {site} as the header X-Dataverse-key",
        )  # fmt: skip

    def _listed(self, item: Any, url: str) -> Listed:
        data = item.get("dataFile") if isinstance(item, dict) else None
        number = text_at(data, "id")
        if not isinstance(data, dict) or not number.isdigit():
            raise _odd("a file without a number", url)
        folder = item.get("directoryLabel")
        label = item.get("label") or data.get("filename")
        if not isinstance(label, str) or not isinstance(folder, str | None):
            raise _odd("a file without a name", url)
        prefix = f"{folder}/" if folder else ""
        place = f"{self.api}/access/datafile/{number}"
        stated = checksums_of(
            (text_at(data, "checksum", "type"), text_at(data, "checksum", "value")), ("md5", data.get("md5"))
        )
        original = data.get("originalFileName")
        if data.get("tabularData") is True or data.get("originalFileFormat"):
            # The checksum is that of what was deposited, and not that of the table which was made of it.
            name = original if isinstance(original, str) and original else label
            file = Deposited(
                prefix + name, Reference(f"{place}?format=original"), whole_size(data.get("originalFileSize")), stated
            )
            return Listed(file, prefix + label if name != label else "", _closed(item, data))
        kind = text_at(data, "contentType").partition(";")[0] or None
        file = Deposited(prefix + label, Reference(place), whole_size(data.get("filesize")), stated, kind)
        return Listed(file, "", _closed(item, data))

    def _url(self, tail: str, query: str) -> str:
        version = self.address.version or ":latest-published"
        pid = _quoted(self.address.pid)
        return f"{self.api}/datasets/:persistentId/versions/{version}{tail}?{query}persistentId={pid}"

    def _ask(self, url: str) -> dict[str, Any]:
        data = self._answer(url).get("data")
        if not isinstance(data, dict):
            raise _odd("no data", url)
        return data

    def _answer(self, url: str) -> dict[str, Any]:
        what = "file" if self.address.file else "dataset"
        try:
            answer = ask_json(self.net, url)
        except AccessDenied as error:
            raise type(error)(
                f"the {what} is not shown to everybody", where=str(self.where), why=f"{error.where}: {error.what}",
                remedy=f"it may not be published yet, or give your API token for {self.api.removesuffix('/api')}"
                " as the header X-Dataverse-key",
            ) from error  # fmt: skip
        except ReferenceNotFound as error:
            version = f" in the version {self.address.version}" if self.address.version else " that is published"
            raise ReferenceNotFound(
                f"there is no such {what}{'' if self.address.file else version}", where=str(self.where),
                why=f"{error.where}: {error.why or error.what}",
            ) from error  # fmt: skip
        if not isinstance(answer, dict) or answer.get("status") != "OK":
            raise _odd("no status OK", url)
        return answer


def _closed(item: dict[str, Any], data: dict[str, Any]) -> str:
    until = text_at(data, "embargo", "dateAvailable")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    if until and until > today:
        return f"under embargo until {until}"
    ended = text_at(data, "retention", "dateUnavailable")
    if ended and ended <= today:
        return f"not kept since {ended}"
    return "restricted" if item.get("restricted") is True or data.get("restricted") is True else ""


def _quoted(pid: str) -> str:
    return quote(pid, safe=":/")


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the installation's answer is not understood", where=url, why=f"it has {why}")
