"""The fetcher: a file as a stream, and a folder as its files."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import decode, encode, walk

from wfx_webdav.addresses import Address, Settings
from wfx_webdav.servers import Server, stated


class WebdavFetcher(StreamFetcher):
    """Opens files of WebDAV servers, and lists their folders.

    Settings, in `[fetcher.webdav]`: see `wfx_webdav.addresses.Settings`.
    """

    keys = ("webdav", "webdavs", "dav", "davs")

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open a file."""
        server = Server(ref, net)
        if server.address.is_folder:
            raise FetchError("it is a folder", where=str(ref), remedy="fetch it as a folder")
        names = [decode(part) for part in server.address.parts]
        body = server.get(names, span)
        # A server may answer with a page about a folder, where it was asked or where it has led to.
        led = urlsplit(body.url).path.endswith("/")
        page = body.media_type == "text/html" and not names[-1].lower().endswith((".html", ".htm"))
        if led or body.media_type == "httpd/unix-directory" or (page and server.is_folder(names)):
            body.stream.close()
            remedy = f"write {ref.without_fragment()}/ to fetch the files below it"
            raise FetchError("it is a folder", where=str(ref), remedy=remedy)
        checksums = {**dict(body.checksums), **dict(stated(body.headers.get("oc-checksum", "")))}
        return Body(
            body.stream, body.start, body.total, body.validator, body.accepts_ranges, body.media_type, names[-1],
            tuple(checksums.items()),
        )  # fmt: skip

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the files below a folder (a slash at the end), or those that wildcards mean."""
        address = Address.parse(ref)
        if not address.is_folder:
            return None
        server = Server(ref, net)
        found = walk(server.entries, address.parts, where=str(ref), limit=Settings.of(net).max_files)
        if not found and address.parts[-1]:
            raise ReferenceNotFound("nothing there has such a name", where=str(ref), remedy="check the wildcards")
        return [
            Source(
                _reference(ref, address, each.path),
                Expected(size=each.entry.size, checksums=each.entry.checksums), name=each.name,
            )
            for each in found
        ]  # fmt: skip


def _reference(ref: Reference, address: Address, path: Sequence[str]) -> Reference:
    """Return the reference of a file, with whatever else the folder's had."""
    head, mark, rest = ref.without_fragment().uri.partition("://")
    authority = rest.partition("/")[0]
    return Reference(f"{head}{mark}{authority}/{address.prefix}{'/'.join(encode(name) for name in path)}")
