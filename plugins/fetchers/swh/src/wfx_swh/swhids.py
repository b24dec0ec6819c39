"""Identifiers of Software Heritage (ISO/IEC 18670): `swh:1:TYPE:HASH` and its qualifiers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from wfx.errors import DefinitionError
from wfx.fetching import Reference

CORE: Final = re.compile(r"swh:1:(cnt|dir|rev|rel|snp):([0-9a-f]{40})")
ANCHORS: Final = ("dir", "rev", "rel", "snp")
FRAGMENTS: Final = ("lines", "bytes")
KINDS: Final = {"cnt": "file", "dir": "directory", "rev": "revision", "rel": "release", "snp": "snapshot"}
REMEDY: Final = "write swh:1: and one of cnt, dir, rev, rel and snp, a colon, and 40 digits"


@dataclass(frozen=True, slots=True)
class Swhid:
    """What an identifier says."""

    type: str
    hash: str
    path: str = ""
    """Of what is meant within the tree; of a file, its path where it was found."""

    def __str__(self) -> str:
        return f"swh:1:{self.type}:{self.hash}"

    @property
    def kind(self) -> str:
        """The type in words."""
        return KINDS[self.type]

    def reference(self, scheme: str = "swh") -> Reference:
        """Return the reference of the object, with the path that is meant within it."""
        part = f"#path={quote(os.fsencode(self.path))}" if self.path and self.type != "cnt" else ""
        return Reference(f"{scheme}:1:{self.type}:{self.hash}{part}")


def parse_swhid(ref: Reference) -> Swhid:
    """Read a reference of any of the keys. Raises DefinitionError for what is no SWHID, and for parts of files."""
    text, _, fragment = ref.uri.partition("#")
    core, *given = f"swh:{text.partition(':')[2]}".split(";")
    match = CORE.fullmatch(core)
    if match is None:
        raise DefinitionError("it is no SWHID", where=str(ref), why=_why(core), remedy=REMEDY)
    qualifiers = _qualifiers(given, ref)
    for name in FRAGMENTS:
        if name in qualifiers:
            raise DefinitionError(
                f"a part of a file cannot be fetched by ;{name}=", where=str(ref),
                why="an identifier is of a whole file, and only of that the bytes can be held against it",
                remedy=f"leave ;{name}= out",
            )  # fmt: skip
    path = os.fsdecode(unquote_to_bytes(qualifiers.get("path", ""))).strip("/")
    if match[1] != "cnt" and "anchor" in qualifiers:
        # Then the path says where in the anchor the object was found (ISO/IEC 18670, context qualifiers).
        path = ""
    for part in fragment.split("&"):
        if part.startswith("path=") and match[1] != "cnt":
            if path:
                raise DefinitionError("the reference has two paths", where=str(ref), remedy="leave one of them out")
            path = os.fsdecode(unquote_to_bytes(part.removeprefix("path="))).strip("/")
    if any(part in ("", ".", "..") for part in path.split("/")) and path:
        raise DefinitionError(f"the path {path!r} is none of a tree", where=str(ref))
    return Swhid(match[1], match[2], path)


def _qualifiers(given: list[str], ref: Reference) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if name not in ("origin", "visit", "anchor", "path", *FRAGMENTS) or not equals or not value:
            raise DefinitionError(
                f"the SWHID's qualifier {item!r} is not understood", where=str(ref),
                remedy="use origin, visit, anchor and path, and write %3B for a ; within one",
            )  # fmt: skip
        if name in found:
            raise DefinitionError(f"the SWHID has two qualifiers ;{name}=", where=str(ref))
        allowed = {"visit": ("snp",), "anchor": ANCHORS}.get(name)
        if allowed and not ((match := CORE.fullmatch(value)) and match[1] in allowed):
            raise DefinitionError(
                f";{name}= has no identifier of a {' or '.join(KINDS[each] for each in allowed)}", where=str(ref)
            )
        found[name] = value
    return found


def _why(core: str) -> str | None:
    if re.fullmatch(CORE.pattern, core, re.I):
        return "its letters are small"
    if re.match(r"swh:[02-9]\d*:", core):
        return "only version 1 is known"
    if re.match(r"swh:1:(ori|emd):", core):
        return "origins and metadata are not what files can be made of"
    return None
