"""The fetcher: a blob as a stream, and a prefix as the blobs below it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlencode

from wfx.errors import AccessDenied, DefinitionError, FetchError, ReferenceNotFound, WfxError
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import encode, safe_path
from wfx.net import TemporaryFailure
from wfx.net.http import HttpBody
from wfx.xmlanswers import Element, read_xml, text_of

from wfx_azure.proofs import VERSION, proof_for
from wfx_azure.settings import VERSIONS, Address, Settings

TOLD = (400, 401, 403, 404, 409)
LARGEST_ANSWER = 64 * 2**20
PAGE = 5000
NOWHERE = {"BlobNotFound": "there is no such blob", "ContainerNotFound": "there is no such container"}
TRY_AGAIN = ("ServerBusy", "OperationTimedOut", "InternalError")


class AzureFetcher(StreamFetcher):
    """Opens blobs, and lists what is below a prefix.

    Settings, in `[fetcher.azure]` and `[fetcher.azure.CONTAINER]`: see `wfx_azure.settings.Settings`.
    """

    keys = ("az", "abfs", "abfss")

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """A version or a snapshot means the same bytes for ever."""
        return any(f"{name}=" in ref.uri for name in VERSIONS) and bool(Address.parse(ref).version)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open a blob."""
        container = _Container(ref, net)
        address = container.address
        if address.is_folder:
            raise FetchError("it is a folder", where=str(ref), remedy="fetch it as a folder")
        try:
            body = container.get(f"/{encode(address.name, safe='/')}", dict(address.version), span)
        except ReferenceNotFound as error:
            if not address.version and container.has_below(f"{address.name}/"):
                remedy = f"write {address.head}{encode(address.name, safe='/')}/ to fetch the blobs below it"
                raise FetchError("it is a folder", where=str(ref), remedy=remedy) from error
            raise
        if body.headers.get("x-ms-meta-hdi_isfolder") == "true":
            body.stream.close()
            raise FetchError("it is a folder", where=str(ref), remedy=f"write {ref.without_fragment()}/")
        # Of a range the first one is of the range, the second of the whole.
        stated = body.headers.get("x-ms-blob-content-md5") or (
            body.headers.get("content-md5", "") if body.status == 200 else ""
        )
        checksums = dict(body.checksums) | _md5(stated)
        return Body(
            body.stream, body.start, body.total, body.validator, body.accepts_ranges, body.media_type,
            address.name.rpartition("/")[2], tuple(checksums.items()),
        )  # fmt: skip

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the blobs below a prefix (a slash at the end, or a whole container)."""
        if not Address.parse(ref).is_folder:
            return None
        container = _Container(ref, net)
        prefix = container.address.name
        found: dict[str, _Blob] = {}
        seen = 0
        for blob in container.listed(prefix):
            seen += 1
            if seen > container.settings.max_files:
                raise FetchError(
                    f"there are more than {container.settings.max_files} blobs there", where=str(ref),
                    remedy="name a longer prefix, or raise fetcher.azure.max_files",
                )  # fmt: skip
            if not blob.name.startswith(prefix):
                raise FetchError("the store lists what was not asked for", where=str(ref), why=repr(blob.name[:80]))
            if not blob.name.endswith("/") and not blob.is_folder:
                found[safe_path(blob.name[len(prefix) :], str(ref))] = blob
        if not seen and prefix:
            raise ReferenceNotFound("there is nothing below this prefix", where=str(ref), remedy="check the reference")
        return [
            Source(
                container.address.below(blob.name), Expected(size=blob.size, checksums=tuple(blob.checksums.items())),
                name=name,
            )
            for name, blob in found.items()
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Blob:
    """One entry of a list."""

    name: str
    size: int | None
    checksums: Mapping[str, str]
    is_folder: bool
    """A folder's own mark, as accounts with folders list it."""

    @classmethod
    def of(cls, item: Element) -> _Blob:
        element = item.find("Name")
        name = (element.text or "") if element is not None else ""
        if element is not None and element.get("Encoded") == "true":
            name = os.fsdecode(unquote_to_bytes(name))
        size = text_of(item, "Properties/Content-Length")
        folder = (
            text_of(item, "Properties/ResourceType") == "directory" or text_of(item, "Metadata/hdi_isfolder") == "true"
        )
        md5 = _md5(text_of(item, "Properties/Content-MD5"))
        return cls(name, int(size) if size.isdecimal() else None, md5, folder)


class _Container:
    """One container, as somebody with this proof sees it."""

    def __init__(self, ref: Reference, net: Net) -> None:
        self.ref, self.net, self.address = ref, net, Address.parse(ref)
        self.settings = Settings.of(net, self.address.container)
        account = self.address.account or self.settings.account
        if not account and not self.settings.endpoint:
            raise DefinitionError(
                "it is not known in which account that is", where=str(ref),
                remedy="set fetcher.azure.account, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/NAME",
            )  # fmt: skip
        self.root = (self.settings.endpoint or f"https://{account}.blob.{self.address.suffix}").rstrip("/")
        self.proof = proof_for(ref, self.address, account, net, self.settings)

    def get(self, path: str, parameters: Mapping[str, str], span: Span | None = None) -> HttpBody:
        """Ask for a blob, or with an empty path something of the container."""
        query = "&".join(filter(None, (urlencode(parameters), self.proof.signature)))
        url = f"{self.root}/{encode(self.address.container, safe='$')}{path}{'?' if query else ''}{query}"
        headers = {"x-ms-version": VERSION, **self.proof.headers}
        body = self.net.http(url, span, headers=headers, anonymous=True, also=TOLD)
        if body.status in (200, 206):
            return body
        error = self._error(body)
        error.status = body.status
        raise error

    def listed(self, prefix: str, most: int = PAGE) -> Iterator[_Blob]:
        """Yield the entries below a prefix, page by page."""
        marker, seen = "", set[str]()
        while True:
            parameters = {"restype": "container", "comp": "list", "prefix": prefix, "maxresults": str(most)}
            parameters |= {"include": "metadata"} | ({"marker": marker} if marker else {})
            root = read_xml(self.get("", parameters).read(LARGEST_ANSWER), str(self.ref))
            if root.tag != "EnumerationResults":
                raise FetchError("the store answers with no list", where=str(self.ref), why=f"it is a {root.tag[:40]}")
            yield from map(_Blob.of, root.iterfind("Blobs/Blob"))
            marker = text_of(root, "NextMarker")
            if not marker or most < PAGE:
                return
            if marker in seen:
                raise FetchError("the store's list has no end", where=str(self.ref))
            seen.add(marker)

    def has_below(self, prefix: str) -> bool:
        """Say whether there is anything below a prefix; who may not list does not know."""
        with contextlib.suppress(WfxError):
            return any(True for _ in self.listed(prefix, 1))
        return False

    def _error(self, body: HttpBody) -> FetchError:
        where, code, message = str(self.ref), body.headers.get("x-ms-error-code", ""), ""
        with contextlib.suppress(WfxError):
            root = read_xml(body.read(64 * 1024), where)
            code = code or text_of(root, "Code")
            # What follows the first line is for whoever runs the store.
            message = text_of(root, "Message").partition("\n")[0][:200]
        body.stream.close()
        why = ": ".join(filter(None, (code, message))) or f"status {body.status}"
        if code in TRY_AGAIN:
            return TemporaryFailure("the store asks to wait", where=where, why=why)
        if code == "BlobArchived":
            return FetchError("the blob is archived", where=where, why=why, remedy="rehydrate it, then run again")
        # Who may read nothing of an account is told that nothing is there.
        hidden = code in ("ResourceNotFound", "NoAuthenticationInformation", "PublicAccessNotPermitted")
        if body.status in (401, 403) or (hidden and not self.proof.given_in):
            if not self.proof.given_in:
                remedy = (
                    f'give a token, a SAS or a key for it: ["az://{self.address.container}"] in credentials.toml'
                    " (docs/tasks/credentials.md)"
                )
                return AccessDenied("the store lets nobody read it without proof", where=where, why=why, remedy=remedy)
            return AccessDenied(
                "the store does not accept the proof", where=where, why=why,
                remedy=f"check what is given in {self.proof.given_in}, and that it has not ended",
            )  # fmt: skip
        if body.status == 404:
            return ReferenceNotFound(
                NOWHERE.get(code, "there is no such blob"), where=where, why=why, remedy="check the reference"
            )
        return FetchError("the store refuses it", where=where, why=why)


def _md5(text: str) -> dict[str, str]:
    with contextlib.suppress(binascii.Error, ValueError):
        digest = base64.b64decode(text, validate=True)
        if len(digest) == 16:
            return {"md5": digest.hex()}
    return {}
