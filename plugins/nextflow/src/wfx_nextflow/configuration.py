"""What `nextflow config -flat` prints, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfx.values import JsonValue

from wfx_nextflow.groovy import Source, Unbalanced, unescaped

ENTRY = re.compile(r"^((?:[\w$-]+|'(?:[^'\\]|\\.)*')(?:\.(?:[\w$-]+|'(?:[^'\\]|\\.)*'))*) = ", re.M)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
OPAQUE: Any = object()


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of a pipeline, by their full names."""

    values: Mapping[str, str] = field(default_factory=dict)
    """As Nextflow prints them."""
    chosen: frozenset[str] = frozenset()
    """Names below `params.` whose values come from a profile that the user has chosen."""

    def changes(self, plain: Configuration, prefix: str) -> frozenset[str]:
        """Return the names below a prefix that have another value than in the configuration without profiles."""
        ours, others = self.below(prefix), plain.below(prefix)
        return frozenset(name for name, text in ours.items() if others.get(name) != text)

    def get(self, name: str) -> JsonValue:
        """Return the value of a name; None where it has none, or one that is computed at run time."""
        value = literal(self.values[name]) if name in self.values else None
        return None if value is OPAQUE else value

    def text(self, name: str) -> str:
        """Return a value that is a text; empty where it is none."""
        value = self.get(name)
        return value.strip() if isinstance(value, str) else ""

    def below(self, prefix: str) -> dict[str, str]:
        """Return the names below a prefix, without it, with their values as printed."""
        return {name.removeprefix(prefix): text for name, text in self.values.items() if name.startswith(prefix)}


def read_configuration(text: str) -> Configuration:
    """Read the output of `nextflow config -flat`; a value may go on over several lines."""
    found = list(ENTRY.finditer(text))
    values: dict[str, str] = {}
    for match, following in zip(found, [*found[1:], None], strict=False):
        end = following.start() if following is not None else len(text)
        # Within a text that goes on, a line may look like an entry; an odd number of quotes gives it away too rarely
        # to be worth a parser: Nextflow prints one name once.
        values.setdefault(match[1], text[match.end() : end].strip("\n"))
    return Configuration(values)


def literal(text: str) -> Any:
    """Return the value of a Groovy literal; OPAQUE for anything that has to be computed."""
    text = text.strip()
    if text in ("null", ""):
        return None
    if text in ("true", "false"):
        return text == "true"
    if NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    if text[0] in "'\"" and text[-1] == text[0] and len(text) > 1:
        if text[0] == '"' and re.search(r"(?<!\\)\$", text):
            return OPAQUE
        quote = text[:3] if text[:3] in ("'''", '"""') and len(text) > 5 else text[0]
        return unescaped(text[len(quote) : -len(quote)])
    if text[0] == "[" and text[-1] == "]":
        return _collection(text)
    return OPAQUE


def _collection(text: str) -> Any:
    inner = text[1:-1]
    try:
        bare = Source.of(inner).bare
    except Unbalanced:
        return OPAQUE
    if inner.strip() == ":":
        return {}
    parts, depth, begin = [], 0, 0
    for position, char in enumerate(bare):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append((begin, position))
            begin = position + 1
    parts.append((begin, len(inner)))
    parts = [(a, b) for a, b in parts if inner[a:b].strip()]
    keyed = [re.match(r"\s*(?:(\w+)|'([^']*)'|\"([^\"]*)\")\s*:", inner[a:b]) for a, b in parts]
    if parts and all(keyed):
        result = {}
        for (a, b), match in zip(parts, keyed, strict=True):
            assert match is not None
            result[match[1] or match[2] or match[3] or ""] = literal(inner[a:b][match.end() :])
        return OPAQUE if OPAQUE in result.values() else result
    values = [literal(inner[a:b]) for a, b in parts]
    return OPAQUE if any(value is OPAQUE for value in values) else values
