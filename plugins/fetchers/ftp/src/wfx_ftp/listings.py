"""What FTP servers tell of a folder: MLSD (RFC 3659 §7), and the two usual forms of LIST, which no document defines."""

from __future__ import annotations

import ftplib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from wfx_ftp.connections import Connection

# -rw-r--r--   1 ftp ftp      1024 Jan  1 12:00 name with blanks
UNIX = re.compile(rb"([-dlbcps])[-rwxsStTl+.@]{9,}\s+\d+\s+\S+\s+(?:\S+\s+)?(\d+)\s+\S+\s+\d+\s+[\d:]+ (.*)", re.S)
# 09-24-20  03:15PM       <DIR>          name
WINDOWS = re.compile(rb"\d\d-\d\d-\d\d(?:\d\d)?\s+\d\d:\d\d(?:[AP]M)?\s+(<DIR>|<JUNCTION>|\d+)\s+(.+)", re.S)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing in a folder."""

    name: str
    kind: str
    """`file`, `folder`, `link`, or `other` for what can be neither read nor entered."""
    size: int | None = None


def list_folder(connection: Connection) -> Iterator[Line]:
    """Yield what is in the folder that the log-in is in."""
    if connection.can("MLST") or connection.can("MLSD"):
        try:
            lines = connection.read_all("MLSD")
        except ftplib.error_perm as error:
            if not str(error).startswith("50"):
                raise
        else:
            yield from filter(None, map(_machine, lines))
            return
    yield from filter(None, map(_for_people, connection.read_all("LIST")))


def _machine(line: bytes) -> Line | None:
    facts, _, name = line.partition(b" ")
    known = {}
    for fact in facts.decode("latin-1").split(";"):
        key, _, value = fact.partition("=")
        known[key.lower()] = value
    kind = known.get("type", "").lower()
    if kind in ("cdir", "pdir"):
        return None
    size = known.get("size", "")
    text = os.fsdecode(name)
    if kind == "file":
        return Line(text, "file", int(size) if size.isdecimal() else None)
    if kind == "dir":
        return Line(text, "folder")
    return Line(text, "link" if "link" in kind else "other")


def _for_people(line: bytes) -> Line | None:
    match = UNIX.fullmatch(line)
    if match:
        kind, size, name = match[1], int(match[2]), match[3]
        if kind == b"l":
            name = name.partition(b" -> ")[0]
        if name in (b".", b".."):
            return None
        kinds = {b"-": "file", b"d": "folder", b"l": "link"}
        return Line(os.fsdecode(name), kinds.get(kind, "other"), size if kind == b"-" else None)
    match = WINDOWS.fullmatch(line)
    if match:
        if match[1].isdigit():
            return Line(os.fsdecode(match[2]), "file", int(match[1]))
        return Line(os.fsdecode(match[2]), "folder" if match[1] == b"<DIR>" else "link")
    return None
