"""Where an identifier lands: at a repository that a fetcher knows, at a file, or at a page for people."""

from __future__ import annotations

from wfx.errors import AccessDenied, FetchError
from wfx.fetching import Net, Reference, Source
from wfx.plugins import PluginManager

PAGES = ("text/html", "application/xhtml+xml")


def has_its_own_fetcher(reference: Reference) -> Reference | None:
    """Return the reference as the fetcher of its host has it, where one is installed; None where none is."""
    plugins = PluginManager()
    for scheme in dict.fromkeys((reference.scheme, "https")):
        if reference.host and plugins.provider("fetcher", f"{scheme}://{reference.host}") is not None:
            return Reference(scheme + ":" + reference.uri.partition(":")[2])
    # What has no web address is some fetcher's alone.
    return reference if reference.scheme not in ("http", "https") else None


def land(reference: Reference, ref: Reference, net: Net, said: str = "") -> Source:
    """Return what an address is: something of its host's own fetcher, or a file. `said` tells what the record is.

    Raises FetchError for a page, which is for people and no data.
    """
    own = has_its_own_fetcher(reference)
    if own is not None:
        return Source(own, page=True)
    try:
        body = net.http(reference.without_fragment().uri)
    except AccessDenied as error:
        raise type(error)(
            "its page is not shown", where=str(ref), why=f"{error.where}: {error.what}",
            remedy="look at it with a browser, and give the address of the file",
        ) from error  # fmt: skip
    body.stream.close()
    last = Reference(body.url or reference.uri)
    own = has_its_own_fetcher(last) if last.host != reference.host else None
    if own is not None:
        return Source(own, page=True)
    if (body.media_type or "").lower() not in PAGES:
        return Source(reference, name=body.name or "")
    raise FetchError(
        "it leads to a page for people, and no fetcher knows where the data are behind it", where=str(ref),
        why=f"{said}: {last}" if said else str(last), remedy="look at the page, and give the address of the file",
    )  # fmt: skip
