"""Requests to a WebDAV server (RFC 4918), with the credentials of the reference or of a share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

from wfx.errors import AccessDenied, FetchError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import Net, Reference, Span
from wfx.listings import Entry, encode
from wfx.net.credentials import Credential
from wfx.net.http import HttpBody
from wfx.xmlanswers import Element, read_xml, text_of

from wfx_webdav.addresses import Address

T = TypeVar("T")
LARGEST_ANSWER = 64 * 2**20
# What is asked of each thing in a folder; the last one is ownCloud's and Nextcloud's.
PROPERTIES = (
    b'<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>'
    b"<d:resourcetype/><d:getcontentlength/><oc:checksums/></d:prop></d:propfind>"
)
XML = {"Content-Type": "application/xml; charset=utf-8"}
# A share by its link: the way of Nextcloud 29 and later, and the one before it and of ownCloud.
SHARES = ("public.php/dav/files/{token}", "public.php/webdav")
STATED = re.compile(r"(SHA256|SHA1|MD5):([0-9A-Fa-f]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the root of a reference lies on its server, and what is sent along."""

    root: str
    """URL, with a slash at its end."""
    headers: Mapping[str, str]
    anonymous: bool
    """Whether the headers are all the proof that there is."""

    def url(self, names: Sequence[str]) -> str:
        """Return the URL of a path."""
        return self.root + "/".join(encode(name) for name in names)


# First way to a share → the way that has answered.
_found: dict[str, str] = {}


class Server:
    """One server, or one share, as somebody with these credentials sees it."""

    def __init__(self, ref: Reference, net: Net) -> None:
        """Read the credentials; nothing is asked yet."""
        self.ref, self.net, self.address = ref, net, Address.parse(ref)
        credential = None if "@" in self.address.server else net.credential(ref.uri)
        if self.address.token:
            # RFC 7617: the link's own token is the user, and its password, where there is one, the password.
            proof = Credential(username=self.address.token, password=credential.password if credential else "")
            server = Reference(self.address.server).without_credentials().uri
            roots = [f"{server}/{self.address.root}{way.format(token=self.address.token)}/" for way in SHARES]
            self.places = [Place(root, proof.headers(), True) for root in roots]
        else:
            headers = credential.headers() if credential else {}
            self.places = [Place(f"{self.address.server}/", headers, bool(headers))]

    def get(self, names: Sequence[str], span: Span | None) -> HttpBody:
        """Open a file."""
        return self._first(lambda place: self._request(place, place.url(names), span))

    def entries(self, folder: Sequence[str]) -> list[Entry]:
        """Return what is in a folder."""

        def ask(place: Place) -> list[Entry]:
            url = place.url(folder)
            return list(self._entries(place, url if url.endswith("/") else f"{url}/"))

        return self._first(ask)

    def is_folder(self, names: Sequence[str]) -> bool:
        """Say whether a path is that of a folder; who cannot tell says no."""

        def ask(place: Place) -> bool:
            _, found = self._asked(place, place.url(names), "0")
            return found[0].find(".//resourcetype/collection") is not None

        with contextlib.suppress(WfxError):
            return self._first(ask)
        return False

    # -- inside

    def _first(self, act: Callable[[Place], T]) -> T:
        """Return what the first place answers that knows what is meant."""
        # Which of the ways to a share a server has is found out once.
        first = _found.get(self.places[0].root, self.places[0].root)
        *others, last = sorted(self.places, key=lambda place: place.root == first, reverse=True)
        for place in others:
            with contextlib.suppress(ReferenceNotFound, AccessDenied, _NoServer):
                return act(place)
        try:
            answer = act(last)
        except AccessDenied as error:
            if not self.address.token:
                raise
            link = f"{self.ref.origin}/{self.address.prefix.rstrip('/')}"
            raise AccessDenied(
                "the share asks for its password, or is not there", where=str(self.ref), why=error.what,
                remedy=f'give the password: ["{link}"] in credentials.toml (docs/tasks/credentials.md)',
            ) from error  # fmt: skip
        if others:
            _found[self.places[0].root] = last.root
        return answer

    def _request(self, place: Place, url: str, span: Span | None) -> HttpBody:
        return self.net.http(url, span, headers=place.headers, anonymous=place.anonymous)

    def _asked(self, place: Place, url: str, depth: str) -> tuple[str, list[Element]]:
        """Return the URL that has answered, and what it tells of each thing."""
        try:
            body = self.net.http(
                url, headers={**place.headers, **XML, "Depth": depth}, method="PROPFIND", data=PROPERTIES,
                anonymous=place.anonymous,
            )  # fmt: skip
        except FetchError as error:
            if error.status in (400, 405, 501):
                raise _NoServer(str(self.ref), error.status) from error
            raise
        if body.status != 207:
            body.stream.close()
            raise _NoServer(str(self.ref), body.status)
        root = read_xml(body.read(LARGEST_ANSWER), str(self.ref))
        found = root.findall("response")
        if root.tag != "multistatus" or not found:
            raise FetchError("the server answers with no list", where=str(self.ref), why=f"it is a {root.tag[:40]}")
        return body.url, found

    def _entries(self, place: Place, url: str) -> Iterator[Entry]:
        answered, found = self._asked(place, url, "1")
        base = unquote_to_bytes(urlsplit(answered).path).rstrip(b"/")
        here = False
        for response in found:
            href = text_of(response, "href")
            path = unquote_to_bytes(urlsplit(href).path)
            name = path.rstrip(b"/")
            if name == base:
                here = True
                properties = _properties(response)
                if properties is not None and properties.find("resourcetype/collection") is None:
                    raise ReferenceNotFound(
                        "it is a file, and no folder", where=str(self.ref), remedy="leave out the slash"
                    )
                continue
            if not name.startswith(base + b"/"):
                raise PolicyError("the server lists what is elsewhere", where=str(self.ref), why=repr(href[:80]))
            properties = _properties(response)
            if properties is None:
                why = text_of(response, "propstat/status") or text_of(response, "status")
                raise FetchError("the server does not tell of all that is there", where=str(self.ref), why=why or None)
            text = name[len(base) + 1 :].decode("utf-8", "surrogateescape")
            if properties.find("resourcetype/collection") is not None:
                yield Entry(text, folder=True)
                continue
            size, told = text_of(properties, "getcontentlength"), text_of(properties, "checksums/checksum")
            yield Entry(text, size=int(size) if size.isdecimal() else None, checksums=stated(told))
        if not here:
            raise FetchError("the server does not list what was asked for", where=str(self.ref))


class _NoServer(FetchError):
    """Whoever answers does not speak WebDAV."""

    def __init__(self, where: str, status: int | None) -> None:
        super().__init__("it is no WebDAV server", where=where, why=f"it answers {status} to PROPFIND")


def stated(text: str) -> tuple[tuple[str, str], ...]:
    """Return the checksums in ownCloud's and Nextcloud's form: `SHA1:… MD5:…`."""
    return tuple((name.lower(), value.lower()) for name, value in STATED.findall(text))


def _properties(response: Element) -> Element | None:
    """Return the properties that there are."""
    for each in response.findall("propstat"):
        if " 200" in f" {text_of(each, 'status')} ":
            return each.find("prop")
    return None
