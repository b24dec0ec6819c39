"""DOIs and handles: how they are written, and where the handle system has them lead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from wfx.errors import DefinitionError, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference

from wfx_doi.services import address_of, ask

DOI: Final = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+|10/[a-z0-9]+", re.I)
HANDLE: Final = re.compile(r"[^\s/]+/\S+")
HOSTS: Final = ("doi.org", "dx.doi.org", "www.doi.org", "hdl.handle.net")
FOUND, NONE, EMPTY = 1, 100, 200
"""Response codes of the handle system (RFC 3652 §2.2.2.5)."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A name of the handle system; a DOI is one whose prefix begins with `10.`."""

    name: str

    @property
    def is_doi(self) -> bool:
        """Whether it is a DOI."""
        return DOI.fullmatch(self.name) is not None

    @property
    def reference(self) -> Reference:
        """The reference of it."""
        return Reference(f"{'doi' if self.is_doi else 'hdl'}:{quote(self.name, safe='/:;()<>.,!*+=@~-_$&')}")

    def __str__(self) -> str:
        return self.name


def handle_of(ref: Reference) -> Handle | None:
    """Read a reference; None for an address of the resolver's own site that is no name. Raises DefinitionError."""
    if ref.scheme in ("http", "https"):
        name = unquote(urlsplit(ref.uri).path.lstrip("/"))
        return Handle(name) if (DOI if ref.host != "hdl.handle.net" else HANDLE).fullmatch(name) else None
    rest = unquote(ref.without_fragment().uri.partition(":")[2]).lstrip("/")
    # People paste the address behind the scheme.
    rest = re.sub(rf"^(?:https?:/*)?(?:{'|'.join(map(re.escape, HOSTS))})/|^(?:doi|hdl):", "", rest, flags=re.I)
    if ref.scheme == "doi" and not DOI.fullmatch(rest):
        raise DefinitionError("it is no DOI", where=str(ref), remedy="write doi:10.PREFIX/SUFFIX")
    if not HANDLE.fullmatch(rest):
        raise DefinitionError("it is no handle", where=str(ref), remedy="write hdl:PREFIX/SUFFIX")
    return Handle(rest)


def look_up(handle: Handle, net: Net, where: Reference) -> Reference:
    """Return where a name leads: an address, or another name that it stands for.

    Raises ReferenceNotFound for a name that nobody has registered.
    """
    service = address_of("resolver" if handle.is_doi else "handles", net)
    url = f"{service}/api/handles/{quote(handle.name, safe='/')}"
    kind = "DOI" if handle.is_doi else "handle"
    try:
        answer = ask(net, url)
    except ReferenceNotFound as error:
        raise ReferenceNotFound(f"the {kind} is not registered", where=str(where), why=str(error)) from error
    code = answer.get("responseCode") if isinstance(answer, dict) else None
    if code == NONE:
        raise ReferenceNotFound(f"the {kind} is not registered", where=str(where))
    values = answer.get("values") if isinstance(answer, dict) else None
    if code not in (FOUND, EMPTY) or not isinstance(values, list | None):
        raise FetchError("the answer of the handle system is not understood", where=url)
    rows = [row for value in values or () if (row := _row(value)) is not None]
    for wanted in ("HS_ALIAS", "URL"):
        for _, name, text in sorted(rows):
            if name == wanted and name == "URL" and re.fullmatch(r"(?i)(https?|ftp)://\S+", text):
                return Reference(text)
            if name == wanted and name == "HS_ALIAS" and HANDLE.fullmatch(text):
                return Handle(text).reference
    held = ", ".join(sorted({name for _, name, _ in rows})[:8])
    raise FetchError(f"the {kind} leads to no address", where=str(where), why=f"it has {held or 'no values'}")


def _row(value: Any) -> tuple[int, str, str] | None:
    if not isinstance(value, dict):
        return None
    data, name, index = value.get("data"), value.get("type"), value.get("index")
    text = data.get("value") if isinstance(data, dict) else data
    if not isinstance(name, str) or not isinstance(text, str):
        # What is no text (HS_ADMIN) is not for us.
        return (0, name, "") if isinstance(name, str) else None
    return index if isinstance(index, int) else 0, name, text.strip()
