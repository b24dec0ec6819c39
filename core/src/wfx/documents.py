"""YAML and JSON from anywhere, read safely and with the line of every value.

Every limit is held while reading: size, number of values (an alias counts for all that it stands for) and depth.
Duplicate keys, unknown tags, NaN and infinities are refused, timestamps stay text, as in CWL. JSON is read by `json`,
YAML by `wfx.yamlvalues`.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from wfx.errors import DocumentError
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.yamlvalues import Outline

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a text is read before it is taken for an attack."""

    bytes: int = 64 * 2**20
    yaml_bytes: int = 16 * 2**20
    """Of YAML, whose parser keeps several copies of a long scalar: 130,000 files with their checksums."""
    nodes: int = 1_000_000
    """Values after the expansion of aliases; in YAML, whose parser is slow, keys count too."""
    depth: int = 100
    memory: int = 96 * 2**20
    """Of the decoded text: one character beyond the basic plane makes Python keep four bytes for each."""


@dataclass(slots=True)
class LoadedDocument:
    """A document's value, and where each part of it stands."""

    name: str
    value: JsonValue
    _text: str = field(repr=False)
    _outline: Outline | None = field(default=None, repr=False)

    def line(self, path: Path) -> int:
        """Return the line, from 1, of the value at `path`, or of the nearest part around it that there is."""
        if self._outline is None:
            from wfx.yamlvalues import Outline, outline

            # Lines serve messages only, so they are looked for only then. JSON is YAML, but for surrogates' escapes.
            text = self._text
            if SURROGATE_ESCAPE.search(text):
                text = ESCAPE.sub(_as_yaml, text)
            try:
                self._outline = outline(text, self.name)
            except DocumentError:
                self._outline = Outline(1)
        place = self._outline
        for part in path:
            inner = place.part(part)
            if inner is None:
                break
            place = inner
        return place.line

    def where(self, path: Path) -> str:
        """Return `name:line` of the value at `path`."""
        return f"{self.name}:{self.line(path)}"


def load_document(data: bytes, name: str, *, limits: Limits = Limits()) -> LoadedDocument:
    """Read one YAML or JSON document. Raises DocumentError with `name:line` and the reason."""
    _refuse_size(len(data), limits.bytes, name)
    _refuse_wide(data, limits.memory, name)
    text = _decode(data, name)
    if text.lstrip()[:1] in ("{", "["):
        value = _load_json(text, name, limits)
        if value is not _NOT_JSON:
            return LoadedDocument(name, value, text)
    _refuse_size(len(data), limits.yaml_bytes, name, " of YAML", "write it as JSON")
    from wfx.yamlvalues import Builder

    return LoadedDocument(name, Builder(name, limits.nodes, limits.depth).read(text), text)


_NOT_JSON: Any = object()


def _refuse_size(size: int, limit: int, name: str, kind: str = "", remedy: str | None = None) -> None:
    if size > limit:
        raise DocumentError(
            f"the document has {size / 1e6:.0f} MB", where=name, why=f"more than {limit / 1e6:.0f} MB{kind} are not read",
            remedy=remedy,
        )  # fmt: skip


# The bytes of UTF-8 that begin no character, and those that begin none beyond U+00FF or U+FFFF.
CONTINUED = bytes(range(0x80, 0xC0))
BELOW_WIDE = bytes(range(0xC4))
BELOW_WIDEST = bytes(range(0xF0))


def _refuse_wide(data: bytes, limit: int, name: str) -> None:
    """Refuse a text of which Python would keep two or four bytes for each character, before it is decoded."""
    if len(data) * 4 <= limit:
        return
    width = 4 if data.translate(None, BELOW_WIDEST) else 2 if data.translate(None, BELOW_WIDE) else 1
    if width > 1 and width * len(data.translate(None, CONTINUED)) > limit:
        raise DocumentError(
            f"the document has {len(data) / 1e6:.0f} MB", where=name,
            why=f"with characters beyond {'U+FFFF' if width == 4 else 'U+00FF'} it needs too much memory",
            remedy="write them as \\u escapes",
        )  # fmt: skip


def _decode(data: bytes, name: str) -> str:
    encoding = "utf-8"
    for mark, found in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            encoding = found
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DocumentError(f"it is not {encoding.upper()} text", where=f"{name}:{line}", why=error.reason) from error


# -- JSON

# The quantifiers are possessive: a long string would else need a hundred times its size to match.
STRING = r'"(?:[^"\\]++|\\.)*+"?'
MARKS = re.compile(rf"{STRING}|([\[{{,])", re.S)
ALL_BUT_BRACKETS = re.compile(rf"{STRING}|[^\"\[\]{{}}]++", re.S)
SQUARE = str.maketrans("{}", "[]")
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.S)
# Those that stand for a byte of a path that is not UTF-8 (PEP 383) are kept.
LONE_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
# A text in YAML's flow style departs from JSON at its first key or value.
FLOW_STYLE_SHOWS = 4096


def _load_json(text: str, name: str, limits: Limits) -> JsonValue:
    """Return the value, or `_NOT_JSON` where the text may still be YAML's flow style."""
    _refuse_many(text, name, limits)

    def pairs(items: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        result = dict(items)
        if len(result) < len(items):
            raise _twice(text, name, limits, items)
        return result

    def constant(word: str) -> JsonValue:
        raise DocumentError(f"{word} is no JSON number", where=f"{name}:{_line_outside_strings(text, word)}")

    def number(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            where = f"{name}:{_line_outside_strings(text, digits)}"
            raise DocumentError(f"the number {digits[:60]} is too large", where=where)
        return value

    try:
        value: JsonValue = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except json.JSONDecodeError as error:
        if name.lower().endswith((".json", ".jsonld", ".ga")) or error.pos > FLOW_STYLE_SHOWS:
            raise DocumentError(
                f"it is not valid JSON: {error.msg}", where=f"{name}:{error.lineno}", why=f"at column {error.colno}"
            ) from error
        return _NOT_JSON  # type: ignore[no-any-return]
    except RecursionError as error:
        raise DocumentError(f"it is nested deeper than {limits.depth}", where=name) from error
    except ValueError as error:
        raise DocumentError("a number has too many digits", where=name, why="Python reads 4300") from error
    if SURROGATE_ESCAPE.search(text) and _has_lone_surrogate(value):
        match = SURROGATE_ESCAPE.search(text)
        assert match is not None
        raise DocumentError("half of a surrogate pair is no character", where=f"{name}:{_line_at(text, match.start())}")
    return value


def _refuse_many(text: str, name: str, limits: Limits) -> None:
    """Refuse too many values and too deep nesting before anything is built."""
    if text.count(",") + text.count("[") + text.count("{") > limits.nodes:
        marks = (match for match in MARKS.finditer(text) if match[1])
        if next(islice(marks, limits.nodes, None), None) is not None:
            raise DocumentError(f"it has more than {limits.nodes} values", where=name)
    brackets = ALL_BUT_BRACKETS.sub("", text).translate(SQUARE)
    for _ in range(limits.depth):
        # Each round takes the innermost level away; of a broken text something stays, and `json` says what is wrong.
        fewer = brackets.replace("[]", "")
        if len(fewer) == len(brackets):
            return
        brackets = fewer
    if "[]" in brackets:
        raise DocumentError(f"it is nested deeper than {limits.depth}", where=name)


def _twice(text: str, name: str, limits: Limits, items: list[tuple[str, JsonValue]]) -> DocumentError:
    from wfx.yamlvalues import Builder

    try:
        # Only the events know the lines; JSON is YAML.
        Builder(name, limits.nodes, limits.depth).read(text)
    except DocumentError as error:
        if "twice" in error.what:
            return error
    seen: set[str] = set()
    key = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return DocumentError(f"the key {key[:60]!r} stands there twice", where=name)


def _line_outside_strings(text: str, word: str) -> int:
    pattern = re.compile(rf"{STRING}|({re.escape(word)})", re.S)
    return next((_line_at(text, match.start()) for match in pattern.finditer(text) if match[1]), 1)


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _as_yaml(escape: re.Match[str]) -> str:
    if len(escape[0]) == 12:
        return str(json.loads(f'"{escape[0]}"'))
    return "\\ufffd" if len(escape[0]) == 6 else escape[0]


def _has_lone_surrogate(value: JsonValue) -> bool:
    if isinstance(value, str):
        return LONE_SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_lone_surrogate(key) or _has_lone_surrogate(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_lone_surrogate(item) for item in value)
