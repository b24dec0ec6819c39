"""Records of repositories for data (Zenodo, Dataverse and their like): from an answer to the files that a reference means.

For resolvers of places where something is deposited as a flat list of files, each with a path: `SCHEME:RECORD/PATH`, and
`SCHEME:RECORD#path=PATH`. A plugin asks with `ask_json`, makes a `Deposited` of each file, and `sources_of` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from wfx.documents import load_document
from wfx.errors import DefinitionError, DocumentError, FetchError, ReferenceNotFound
from wfx.fetching import Expected, Net, Reference, Source
from wfx.licences import spdx
from wfx.listings import Entry, decode, has_wildcard, safe_path, walk

__all__ = [
    "Deposited", "Wanted", "ask_json", "checksums_of", "encoded", "licence_of", "may_lead_to", "setting_url", "sources_of",
    "split_reference", "text_at", "whole_size",
]  # fmt: skip

LARGEST_ANSWER: Final = 64 * 2**20
DIGITS: Final = {
    "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "crc32c": 8, "crc32": 8, "adler32": 8
}  # fmt: skip
KNOWN: Final = {
    name.lower(): name
    for name in (
        "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause",
        "BSD-3-Clause", "BSL-1.0", "CC-PDDC", "CC0-1.0", "CECILL-2.1", "ECL-2.0", "EPL-2.0", "EUPL-1.2", "GPL-2.0-only",
        "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later",
        "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MPL-2.0", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0", "Unlicense", "Zlib",
    )
} | {"cc0": "CC0-1.0", "cc-zero": "CC0-1.0", "mit-license": "MIT", "apache2.0": "Apache-2.0"}  # fmt: skip
COMMONS: Final = re.compile(r"cc[ -](by(?:-(?:nc|nd|sa))*)[ -]([1-4]\.0|2\.5)", re.I)
COMMONS_ADDRESS: Final = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/licenses/(by(?:-(?:nc|nd|sa))*)/([1-4]\.0|2\.5)(?:/(?:deed(?:\.\w+)?|legalcode(?:\.\w+)?)?)?",
    re.I,
)
ZERO_ADDRESS: Final = re.compile(r"https?://(?:www\.)?creativecommons\.org/publicdomain/zero/1\.0(?:/.*)?", re.I)


@dataclass(frozen=True, slots=True)
class Deposited:
    """One file of a record."""

    path: str
    """Path in the record, as it is stated."""
    reference: Reference
    """Where its bytes are."""
    size: int | None = None
    checksums: tuple[tuple[str, str], ...] = ()
    """As in `Expected`, sha256 too."""
    media_type: str | None = None

    @property
    def expected(self) -> Expected:
        """What is held of it."""
        others = tuple(each for each in self.checksums if each[0] != "sha256")
        return Expected(dict(self.checksums).get("sha256"), self.size, others)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a record a reference means; both are percent-encoded."""

    path: str = ""
    """Behind the record's id: a file, a folder (with a slash at its end or not), or one with wildcards."""
    part: str | None = None
    """What `#path=` names: in the record, in an archive of it (`data.zip/table.csv`) or, where a file is named already or
    there is but one, in that."""


def split_reference(ref: Reference) -> tuple[str, Wanted]:
    """Return what stands behind the scheme, up to the first slash, and which part is meant: `zenodo:ID/PATH#path=PART`."""
    head, _, fragment = ref.without_credentials().uri.partition("#")
    identifier, _, path = head.partition("?")[0].partition(":")[2].lstrip("/").partition("/")
    part = None
    for each in fragment.split("&"):
        if each.startswith("path="):
            part = each.removeprefix("path=").lstrip("/")
    return unquote(identifier), Wanted(path, part)


def sources_of(
    files: Sequence[Deposited], wanted: Wanted, where: Reference, *, licence: str | None = None
) -> list[Source]:
    """Return the files of a record that are meant, each with its path in the folder that is meant as `name`.

    One file alone is that file and no folder. Raises ReferenceNotFound, and PolicyError for names that lead elsewhere.
    """
    path, part = wanted.path, wanted.part
    if part and path.strip("/") and not _one(files, path):
        path, part = f"{path.rstrip('/')}/{part}", None
    elif part and not path.strip("/") and (len(files) != 1 or _one(files, part)):
        path, part = part, None
    archive = _archive_above(files, path) if part is None and not _one(files, path) else ""
    if archive:
        path, part = encoded(archive), path[len(encoded(archive)) :].lstrip("/")
    chosen = _choose(files, path, where)
    inside = part is not None and len(chosen) == 1
    found = []
    for file, name in chosen:
        if inside:
            reference = Reference(f"{file.reference.without_fragment().uri}#path={part}")
            found.append(Source(reference, archive=file.expected, licence=licence))
        else:
            found.append(Source(file.reference, file.expected, name=name, media_type=file.media_type, licence=licence))
    return found


def _one(files: Sequence[Deposited], path: str) -> Deposited | None:
    plain = decode(path)
    return next((file for file in files if file.path == plain), None)


def _archive_above(files: Sequence[Deposited], path: str) -> str:
    """Return the file that a path leads into, as if it were a folder; empty where none does."""
    return next((file.path for file in files if path.startswith(f"{encoded(file.path)}/")), "")


def _choose(files: Sequence[Deposited], path: str, where: Reference) -> list[tuple[Deposited, str]]:
    exact = _one(files, path) if path else files[0] if len(files) == 1 else None
    if exact is not None:
        safe_path(exact.path, str(where))
        return [(exact, exact.path.rpartition("/")[2])]
    folders: dict[tuple[str, ...], dict[str, Entry]] = {(): {}}
    by_path: dict[tuple[str, ...], Deposited] = {}
    for file in files:
        parts = tuple(safe_path(file.path, str(where)).split("/"))
        if parts in by_path:
            raise FetchError("two files there have the same name", where=str(where), why=file.path)
        by_path[parts] = file
        for depth, name in enumerate(parts):
            folder = depth < len(parts) - 1
            known = folders.setdefault(parts[:depth], {}).setdefault(name, Entry(name, folder))
            if known.folder != folder:
                raise FetchError("a file there has the name of a folder", where=str(where), why=file.path)
    pattern = path.split("/")
    if path and not path.endswith("/") and not any(has_wildcard(each) for each in pattern):
        pattern.append("")
    found = walk(lambda folder: folders.get(folder, {}).values(), pattern, where=str(where))
    if not found:
        shown = ", ".join(file.path for file in files[:8]) + (", …" if len(files) > 8 else "")
        what = f"the record has no {decode(path)!r}" if path.strip("/") else "the record has no files"
        raise ReferenceNotFound(what, where=str(where), why=f"it has {shown}" if files else None)
    return [(by_path[each.path], each.name) for each in found]


# -- asking


def ask_json(net: Net, url: str, headers: Mapping[str, str] | None = None, *, also: Collection[int] = ()) -> Any:
    """Return the JSON of an address. Raises what `Net.http` raises, and FetchError for a page or what is no JSON.

    `also` are statuses whose answers are read as well.
    """
    body = net.http(url, headers={"Accept": "application/json", **(headers or {})}, also=also)
    data = body.read(LARGEST_ANSWER)
    if (body.media_type or "").endswith("html"):
        raise FetchError("a page came where an answer in JSON was expected", where=body.url or url)
    try:
        return load_document(data, "answer.json").value
    except DocumentError as error:
        raise FetchError("the answer is no JSON", where=body.url or url, why=error.what) from error


def setting_url(net: Net, section: str, name: str, default: str) -> str:
    """Return a setting that is an address, without a slash at its end. Raises DefinitionError."""
    value = net.section(section).get(name) or default
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s@?#/]+(/[^\s@?#]*)?", value):
        raise DefinitionError(f"'{section}.{name}' is {value!r}", why="it is no address", remedy="write https://HOST")
    return value.rstrip("/")


def may_lead_to(net: Net, asked: str, address: object) -> Reference:
    """Return an address that a place has named, which may lead into no private network but the place's own host.

    Raises FetchError for what is no address of the web, PolicyError.
    """
    reference = Reference(address) if isinstance(address, str) and address.isprintable() else None
    if reference is None or reference.scheme not in ("https", "http") or not reference.host:
        raise FetchError("an address there is none of the web", where=asked, why=f"{address!r:.200}")
    if reference.origin != Reference(asked).origin:
        net.on_behalf_of(Reference(asked), "fetch").connect(reference.origin)
    return reference


# -- values


def text_at(value: Any, *path: str | int) -> str:
    """Return a text within an answer, in one line; empty where there is none. A number is a text too."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return " ".join(value.split())[:1000] if isinstance(value, str) else ""


def whole_size(value: Any) -> int | None:
    """Return a stated number of bytes; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def checksums_of(*stated: tuple[Any, Any]) -> tuple[tuple[str, str], ...]:
    """Return pairs of algorithm and hex as `Expected` has them; what is no checksum, or of another kind, is left out."""
    found = {}
    for name, value in stated:
        if not isinstance(name, str) or not isinstance(value, str):
            continue
        algorithm = name.strip().lower().replace("-", "")
        value = value.strip().lower()
        if len(value) == DIGITS.get(algorithm) and re.fullmatch(r"[0-9a-f]+", value):
            found[algorithm] = value
    return tuple(sorted(found.items()))


def licence_of(*stated: str) -> str | None:
    """Return a licence as SPDX has it, from the first of its names and addresses that tells; else the first of them."""
    for text in stated:
        text = " ".join(text.split())
        match = COMMONS.fullmatch(text) or COMMONS_ADDRESS.fullmatch(text)
        if match:
            return f"CC-{match[1].upper()}-{match[2]}"
        if ZERO_ADDRESS.fullmatch(text):
            return "CC0-1.0"
        name = spdx(text)
        if name.lower() in KNOWN or name != text:
            return KNOWN.get(name.lower(), name)
    return next((" ".join(text.split()) for text in stated if text.strip()), None)


def encoded(path: str) -> str:
    """Return a path of a record as it stands in an address."""
    return quote(path, safe="/")
