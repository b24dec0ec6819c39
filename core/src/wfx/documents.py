"""YAML and JSON from anywhere, read safely and with the line of every value.

Values are built from PyYAML's node graph (the C parser's), because that is where an alias is still one node: each
expansion is counted before it is made, so that a bomb of nested aliases is an error and not a full memory. Timestamps
stay text, as in CWL; duplicate keys, unknown tags, NaN and infinities are refused. JSON is read by `json`, with the
same limits.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfx.errors import DocumentError
from wfx.values import JsonValue

if TYPE_CHECKING:
    import yaml

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a text is read before it is taken for an attack."""

    bytes: int = 64 * 2**20
    nodes: int = 2_000_000
    """Values after the expansion of aliases."""
    depth: int = 100


@dataclass(slots=True)
class LoadedDocument:
    """A document's value, and where each part of it stands."""

    name: str
    value: JsonValue
    _text: str
    _root: yaml.Node | None = field(default=None, repr=False)

    def line(self, path: Path) -> int:
        """Return the line, from 1, of the value at `path`, or of the nearest part around it that there is."""
        node = self._node()
        for part in path:
            inner = _child(node, part)
            if inner is None:
                break
            node = inner
        return _line(node) if node is not None else 1

    def where(self, path: Path) -> str:
        """Return `name:line` of the value at `path`."""
        return f"{self.name}:{self.line(path)}"

    def _node(self) -> yaml.Node | None:
        if self._root is None:
            # Of a JSON text the lines are needed only for messages, so its nodes are made only then.
            try:
                self._root = _compose(self._text, self.name)
            except DocumentError:
                return None
        return self._root


def load_document(data: bytes, name: str, *, limits: Limits = Limits()) -> LoadedDocument:
    """Read one YAML or JSON document. Raises DocumentError with `name:line` and the reason."""
    if len(data) > limits.bytes:
        raise DocumentError(
            f"the document has {len(data) / 1e6:.0f} MB",
            where=name,
            why=f"more than {limits.bytes / 1e6:.0f} MB are not read",
        )
    text = _decode(data, name)
    if text.lstrip()[:1] in ("{", "["):
        value = _load_json(text, name, limits)
        if value is not _NOT_JSON:
            return LoadedDocument(name, value, text)
    root = _compose(text, name, limits)
    return LoadedDocument(name, _build(root, name, limits), text, root)


_NOT_JSON: Any = object()


def _decode(data: bytes, name: str) -> str:
    encoding = "utf-8"
    for mark, found in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            encoding = found
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DocumentError(f"it is not {encoding.upper()} text", where=f"{name}:{line}", why=error.reason) from error


# -- JSON


def _load_json(text: str, name: str, limits: Limits) -> JsonValue:
    """Return the value, or `_NOT_JSON` where the text may still be YAML's flow style."""
    if _json_depth(text) > limits.depth:
        raise DocumentError(f"it is nested deeper than {limits.depth}", where=name)

    def pairs(items: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        result = dict(items)
        if len(result) < len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise DocumentError(f"the key {twice!r} stands there twice", where=f"{name}:{_line_of_key(text, twice)}")
        return result

    def constant(word: str) -> JsonValue:
        raise DocumentError(f"{word} is no JSON number", where=f"{name}:{text[: text.find(word)].count(chr(10)) + 1}")

    try:
        value: JsonValue = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        if name.lower().endswith((".json", ".jsonld", ".ga")):
            raise DocumentError(
                f"it is not valid JSON: {error.msg}", where=f"{name}:{error.lineno}", why=f"at column {error.colno}"
            ) from error
        return _NOT_JSON  # type: ignore[no-any-return]
    except ValueError as error:  # an integer of more digits than Python reads
        raise DocumentError(str(error), where=name) from error
    return value


def _json_depth(text: str) -> int:
    """Return how deep brackets nest outside of strings, without recursion."""
    depth = deepest = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.S):
        mark = match[0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _line_of_key(text: str, key: str) -> int:
    places = [m.start() for m in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
    return text[: places[1] if len(places) > 1 else 0].count("\n") + 1


# -- YAML


def _compose(text: str, name: str, limits: Limits = Limits()) -> yaml.Node:
    import yaml

    try:
        from yaml import CSafeLoader as Loader
    except ImportError:  # a PyYAML built without libyaml reads the same, more slowly
        from yaml import SafeLoader as Loader  # type: ignore[assignment]

    _refuse_depth(text, name, limits)
    loader = Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise DocumentError(
            f"it is not valid YAML: {error.problem or error.context}", where=f"{name}:{line}",
            why=f"at column {mark.column + 1}" if mark is not None else None,
        ) from error  # fmt: skip
    except yaml.YAMLError as error:
        raise DocumentError(f"it is not valid YAML: {error}", where=name) from error
    except RecursionError as error:
        raise DocumentError(f"it is nested deeper than {limits.depth}", where=name) from error
    finally:
        loader.dispose()
    if node is None:
        raise DocumentError("the document is empty", where=name)
    return node


def _refuse_depth(text: str, name: str, limits: Limits) -> None:
    """Refuse deep nesting before the composer, which recurses in C, meets it: count it from the events."""
    import yaml

    # Depth needs as many openings: texts that cannot nest deeply are not scanned twice.
    most = text.count("[") + text.count("{")
    indents = {len(m[0]) for m in re.finditer(r"^[ \-?]*", text, re.M)}
    if most + len(indents) + max((m.count("-") + m.count("?") for m in _markers(text)), default=0) <= limits.depth:
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    depth = 0
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > limits.depth:
                    raise DocumentError(f"it is nested deeper than {limits.depth}", where=f"{name}:{_line(event)}")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
    except yaml.YAMLError:
        return  # the composer says it with its place
    finally:
        loader.dispose()


def _line(item: yaml.Node | yaml.Event) -> int:
    mark = item.start_mark
    return int(mark.line) + 1 if mark is not None else 1


def _markers(text: str) -> list[str]:
    return re.findall(r"^[ \-?]+", text, re.M)


def _build(root: yaml.Node, name: str, limits: Limits) -> JsonValue:
    """Build the value of a node graph without recursion limits in the way: depth is bounded before."""
    import yaml

    count = 0

    def where(node: yaml.Node) -> str:
        return f"{name}:{_line(node)}"

    def build(node: yaml.Node, open_nodes: frozenset[int]) -> JsonValue:
        nonlocal count
        count += 1
        if count > limits.nodes:
            raise DocumentError(
                f"it has more than {limits.nodes} values", where=where(node), why="aliases multiply, or it is too large"
            )
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node, where(node))
        if id(node) in open_nodes:
            raise DocumentError("an alias contains itself", where=where(node))
        if len(open_nodes) > limits.depth:
            raise DocumentError(f"it is nested deeper than {limits.depth}", where=where(node))
        inside = open_nodes | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            if node.tag != "tag:yaml.org,2002:seq":
                raise DocumentError(f"the tag {node.tag!r} is not known", where=where(node))
            return [build(item, inside) for item in node.value]
        if node.tag != "tag:yaml.org,2002:map":
            raise DocumentError(f"the tag {node.tag!r} is not known", where=where(node))
        result: dict[str, JsonValue] = {}
        merged: dict[str, JsonValue] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                parts = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for part in parts:
                    value = build(part, inside)
                    if not isinstance(value, dict):
                        raise DocumentError("only a mapping can be merged with <<", where=where(part))
                    merged = {**value, **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise DocumentError("a key is a list or a mapping", where=where(key_node))
            # `null:`, `yes:` and `1:` are the texts that a person wrote as a name.
            key = key_node.value
            if key in result:
                raise DocumentError(
                    f"the key {key!r} stands there twice", where=where(key_node), why=f"first on line {lines[key]}"
                )
            lines[key] = _line(key_node)
            result[key] = build(value_node, inside)
        return {**merged, **result} if merged else result

    return build(root, frozenset())


_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")


def _scalar(node: yaml.ScalarNode, where: str) -> JsonValue:
    tag, text = node.tag.removeprefix("tag:yaml.org,2002:"), node.value
    if tag in ("str", "timestamp", "value", "binary"):
        return str(text)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in ("yes", "true", "on")
    try:
        if tag == "int":
            return _integer(text)
        if tag == "float":
            return _float(text, where)
    except ValueError:
        return str(text)
    raise DocumentError(f"the tag {node.tag!r} is not known", where=where)


def _integer(text: str) -> int | str:
    plain = text.replace("_", "")
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain.lstrip("+"))
    if ":" in digits:
        # YAML 1.1 reads 12:30:45 as a number to the base 60; nobody who writes workflows means that.
        return text
    if digits.startswith("0b"):
        return sign * int(digits[2:], 2)
    if digits.startswith("0x"):
        return sign * int(digits[2:], 16)
    if digits.startswith("0") and len(digits) > 1:
        return sign * int(digits, 8)
    return sign * int(digits)


def _float(text: str, where: str) -> float | str:
    if ":" in text:
        return text
    if text.lower().lstrip("+-") in (".inf", ".nan"):
        raise DocumentError(f"{text} is no JSON number", where=where)
    return float(text.replace("_", ""))


def _child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    value = getattr(node, "value", None)
    if not isinstance(value, list):
        return None
    if isinstance(part, int):
        if 0 <= part < len(value) and not isinstance(value[part], tuple):
            item: yaml.Node = value[part]
            return item
        return None
    for item in value:
        if isinstance(item, tuple) and getattr(item[0], "value", None) == part:
            found: yaml.Node = item[1]
            return found
    return None
