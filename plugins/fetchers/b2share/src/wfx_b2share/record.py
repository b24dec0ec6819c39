"""What B2SHARE says of a record, in versions 2 and 3 of its interface: licence and files, or why they are not to be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wfx.deposits import Deposited, ask_json, checksums_of, encoded, licence_of, text_at, whole_size
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference

from wfx_b2share.addresses import RecordAddress


@dataclass(frozen=True, slots=True)
class Record:
    """One version of a record."""

    id: str
    answer: Any
    api: str

    @property
    def licence(self) -> str | None:
        """As SPDX has it, where it is one of those."""
        right = self.answer.get("metadata", {})
        return licence_of(
            text_at(right, "rights", 0, "id"), text_at(right, "rights", 0, "link"),
            text_at(right, "license", "license_identifier"), text_at(right, "license", "license"),
            text_at(right, "license", "license_uri"),
        )  # fmt: skip

    def files(self, net: Net, where: Reference) -> list[Deposited]:
        """Return the files. Raises AccessDenied where they are not for everybody, ReferenceNotFound where there are none."""
        stated = self.answer.get("files")
        if isinstance(stated, list) and stated:
            return [self._of_bucket(item) for item in stated]
        if isinstance(stated, dict) and stated.get("enabled") is False:
            raise ReferenceNotFound("the record has no files", where=str(where))
        if not isinstance(stated, dict):
            raise self._closed(where) or ReferenceNotFound("the record has no files", where=str(where))
        url = f"{self.api}/records/{self.id}/files"
        try:
            answer = ask_json(net, url)
        except AccessDenied as error:
            raise self._closed(where) or error from error
        entries = answer.get("entries") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise _odd("no list of files", url)
        return [self._of_entry(item) for item in entries]

    def _of_entry(self, item: Any) -> Deposited:
        key = _key(item, self.api)
        url = f"{self.api}/records/{self.id}/files/{encoded(key)}/content"
        kind = text_at(item, "mimetype")
        return Deposited(
            key, Reference(url), whole_size(item.get("size")), _checksum(item), kind if "/" in kind else None
        )

    def _of_bucket(self, item: Any) -> Deposited:
        key, bucket = _key(item, self.api), text_at(item, "bucket")
        if not bucket.replace("-", "").isalnum():
            raise _odd("a file without a bucket", self.api)
        return Deposited(
            key, Reference(f"{self.api}/files/{bucket}/{encoded(key)}"), whole_size(item.get("size")), _checksum(item)
        )

    def _closed(self, where: Reference) -> AccessDenied | None:
        access, metadata = self.answer.get("access"), self.answer.get("metadata")
        until = text_at(access, "embargo", "until") or text_at(metadata, "embargo_date")
        restricted = text_at(access, "files") == "restricted"
        if not restricted and not (isinstance(metadata, dict) and metadata.get("open_access") is False):
            return None
        why = f"the embargo ends on {until[:10]}" if until else text_at(access, "embargo", "reason")
        site = self.api.removesuffix("/api")
        return AccessDenied(
            "the files of the record are restricted", where=str(where), why=why or None,
            remedy=f"ask its owners for access, and give a token for {site} (docs/tasks/credentials.md)",
        )  # fmt: skip


def read_record(address: RecordAddress, net: Net, where: Reference) -> Record:
    """Ask for a record, or for the newest version of it. Raises ReferenceNotFound, AccessDenied, FetchError."""
    api = address.api(net)
    url = f"{api}/records/{address.id}" + ("/versions/latest" if address.latest else "")
    try:
        answer = ask_json(net, url)
    except AccessDenied as error:
        raise type(error)(
            "the record is not shown to everybody", where=str(where), why=f"{error.where}: {error.what}",
            remedy=f"give a token of somebody who may read it: {error.remedy}",
        ) from error  # fmt: skip
    except ReferenceNotFound as error:
        gone = "the record has been deleted" if getattr(error, "status", 0) == 410 else "there is no such record"
        raise ReferenceNotFound(gone, where=str(where), why=f"{error.where}: {error.why or error.what}") from error
    found = text_at(answer, "id")
    if not found or (found != address.id and not address.latest) or not isinstance(answer.get("metadata"), dict):
        raise _odd(f"the record {found!r:.50} in place of {address.id}", url)
    return Record(found, answer, api)


def _key(item: Any, url: str) -> str:
    key = item.get("key") if isinstance(item, dict) else None
    if not isinstance(key, str) or not key:
        raise _odd("a file without a key", url)
    return key


def _checksum(item: Any) -> tuple[tuple[str, str], ...]:
    algorithm, _, value = text_at(item, "checksum").partition(":")
    return checksums_of((algorithm, value))


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the answer of B2SHARE is not understood", where=url, why=f"it has {why}")
