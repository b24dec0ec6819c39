"""Patterns of paths, as a shell has them: in a folder of this machine, an archive, or a place elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

from wfx.errors import InputError


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what says whether a path fits a pattern.

    `*` and `?` stand for characters of one name, `[…]` for one of several, `**/` for any folders. A pattern without a
    slash is of the name alone, in whatever folder. Like a shell's, they pass over names that begin with a dot. Raises
    InputError for a set that is none: `[b-a]`.
    """
    whole = pattern if "/" in pattern else f"**/{pattern}"
    try:
        regex = re.compile(_translated(whole), re.S)
    except re.error as error:
        raise InputError(f"the pattern {pattern!r} cannot be read", why=str(error)) from error
    return lambda path: regex.fullmatch(path) is not None


def _translated(pattern: str) -> str:
    result, at, start = "", 0, True
    while at < len(pattern):
        rest = pattern[at:]
        hidden = r"(?!\.)" if start else ""
        if start and rest.startswith("**/"):
            result += r"(?:(?!\.)[^/]+/)*"
            at += 3
            continue
        if start and rest == "**":
            return result + r"(?:(?!\.)[^/]+/)*(?!\.)[^/]+"
        sign = pattern[at]
        # A bracket that comes first belongs to the set: `[]]`, `[!]]`.
        first = at + 2 + (pattern[at + 1 : at + 2] in ("!", "^"))
        closing = pattern.find("]", first) if sign == "[" else -1
        if sign in "*?":
            result += hidden + ("[^/]*" if sign == "*" else "[^/]")
        elif closing > 0:
            inner = re.sub(r"([\\\[\]&~|])", r"\\\1", pattern[at + 1 : closing])
            result += hidden + "(?!/)[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]"
            at = closing
        else:
            result += re.escape(sign)
        at += 1
        start = sign == "/"
    return result
