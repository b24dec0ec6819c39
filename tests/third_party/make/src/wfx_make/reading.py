"""What a Makefile's text tells without make: nothing of it is run here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

RULE = re.compile(r"([^\s:=#][^:=#]*?)\s*::?(?![:=])\s*([^;#=]*)(?:[;#].*)?")
INCLUDE = re.compile(r"-?s?include\s+([^#]+)")
DEFAULT = re.compile(r"([A-Za-z_]\w*)\s*\?=\s*(.*?)\s*(?:#.*)?", re.A)


@dataclass(frozen=True)
class Named:
    """A file that a Makefile names."""

    name: str
    line: int
    include: bool


def files_of(text: str) -> Iterator[Named]:
    """Yield includes and the prerequisites that no rule of this text makes."""
    targets: set[str] = set()
    wanted: list[Named] = []
    for number, line in logical_lines(text):
        include = INCLUDE.fullmatch(line)
        rule = RULE.fullmatch(line)
        if include is not None:
            wanted += [Named(name, number, True) for name in include[1].split()]
        elif rule is not None:
            targets |= set(rule[1].split())
            if rule[1].startswith("."):
                continue
            wanted += [Named(name, number, False) for name in rule[2].replace("|", " ").split()]
    for item in wanted:
        if item.name not in targets and not set(item.name) & set("$%*?~") and not item.name.startswith("/"):
            yield item


def defaults_of(text: str) -> dict[str, str]:
    """Return the variables that a user may set (`?=`), with their defaults."""
    found = (DEFAULT.fullmatch(line) for _, line in logical_lines(text))
    return {match[1]: match[2] for match in found if match is not None}


def looks_like_make(text: str) -> bool:
    """Say whether there is a rule with a recipe."""
    return re.search(r"^[^\s#:=][^:=\n]*:(?![=:])[^\n]*\n(?:#[^\n]*\n)*\t", text, re.M) is not None


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are no recipe, those that a backslash continues as one."""
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not pending and (line.startswith(("\t", "#")) or not line.strip()):
            continue
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        yield first, (pending + line).strip()
        pending, first = "", 0
