"""What Zenodo says of a record: its version, licence and files, or why they are not to be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from wfx.deposits import Deposited, ask_json, checksums_of, encoded, licence_of, text_at, whole_size
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference

from wfx_zenodo.addresses import RecordAddress


@dataclass(frozen=True, slots=True)
class Record:
    """One version of a record, as the records interface has it."""

    id: str
    concept: str
    answer: Any
    api: str

    @property
    def licence(self) -> str | None:
        """As SPDX has it, where it is one of those."""
        return licence_of(text_at(self.answer, "metadata", "license", "id"))

    def files(self, where: Reference) -> list[Deposited]:
        """Return the files. Raises AccessDenied where they are not for everybody, ReferenceNotFound where there are none."""
        listed = self.answer.get("files")
        if not isinstance(listed, list):
            listed = []
        if not listed:
            raise self._without_files(where)
        found = []
        for item in listed:
            key = item.get("key") if isinstance(item, dict) else None
            if not isinstance(key, str) or not key:
                raise _odd("a file without a key", self.api)
            algorithm, _, checksum = text_at(item, "checksum").rpartition(":")
            url = f"{self.api}/records/{self.id}/files/{encoded(key)}/content"
            found.append(
                Deposited(
                    key, Reference(url), whole_size(item.get("size")), checksums_of((algorithm or "md5", checksum))
                )
            )
        return found

    def _without_files(self, where: Reference) -> FetchError:
        access = text_at(self.answer, "metadata", "access_right")
        if access in ("restricted", "embargoed", "closed"):
            until = text_at(self.answer, "metadata", "embargo_date")
            conditions = text_at(self.answer, "metadata", "access_conditions")
            why = f"the embargo ends on {until}" if access == "embargoed" and until else conditions[:300] or None
            site = self.api.removesuffix("/api")
            return AccessDenied(
                f"the files of the record are {access}", where=str(where), why=why,
                remedy=f"ask its owners for access, and give a token for {site} (docs/tasks/credentials.md)",
            )  # fmt: skip
        return ReferenceNotFound("the record has no files", where=str(where))


def read_record(address: RecordAddress, net: Net, where: Reference) -> Record:
    """Ask for a record, or for the newest version of a concept. Raises ReferenceNotFound, AccessDenied, FetchError."""
    api = address.api(net)
    url = f"{api}/records/{address.id}"
    try:
        answer = ask_json(net, url)
    except AccessDenied as error:
        raise type(error)(
            "the record is not shown to everybody", where=str(where), why=f"{error.where}: {error.what}",
            remedy=f"give a token of somebody who may read it: {error.remedy}",
        ) from error  # fmt: skip
    except ReferenceNotFound as error:
        if getattr(error, "status", 0) == 410:
            raise ReferenceNotFound("the record has been deleted", where=str(where), why=error.why) from error
        answer = _newest(api, address.id, net)
        if answer is None:
            raise ReferenceNotFound("there is no such record", where=str(where), why=str(error)) from error
    record = Record(text_at(answer, "id"), text_at(answer, "conceptrecid"), answer, api)
    if not record.id or address.id not in (record.id, record.concept):
        raise _odd(f"the record {record.id!r} in place of {address.id}", url)
    return record


def _newest(api: str, concept: str, net: Net) -> Any:
    """Look for the newest version of a concept, for a site that does not lead there itself; None where there is none."""
    try:
        answer = ask_json(net, f"{api}/records?q={quote(f'conceptrecid:{concept}', safe='')}&size=1")
    except ReferenceNotFound:
        return None
    hits = answer.get("hits") if isinstance(answer, dict) else None
    found = hits.get("hits") if isinstance(hits, dict) else None
    if not isinstance(found, list):
        raise _odd("no hits", api)
    return found[0] if found and isinstance(found[0], dict) else None


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the answer of Zenodo is not understood", where=url, why=f"it has {why}")
