"""YAML text to plain JSON values, straight from the C parser's events, with every limit held while reading.

No node graph is made: it would need a gigabyte for a hostile text of 16 MB, and an alias in it is free, so that a bomb
would only go off later. Here an alias is counted with all that it stands for, before it is copied.

Plain scalars mean what YAML 1.2's core schema says (§10.3.2), because cwltool and other engines read it so: `no` and
`2026-11-24` are texts, `1e-5` is a number, `010` is ten. `<<` merges, as in YAML 1.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfx.errors import DocumentError
from wfx.values import JsonValue

if TYPE_CHECKING:
    import yaml

TAG = "tag:yaml.org,2002:"
CONSTANTS: dict[str, JsonValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Only a text that begins so can be a number.
NUMERIC = frozenset("+-.0123456789")
INT = re.compile(r"[-+]?[0-9][0-9_]*")
OTHER_BASE = re.compile(r"([-+]?)0([box])([0-9a-fA-F_]+)")
FLOAT = re.compile(r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
NOTHING: Any = object()


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read."""

    value: Any
    line: int
    anchor: str | None
    start: int
    """Values and keys read before it."""
    height: int = 1
    """Levels in what it holds so far, itself included."""
    key: Any = NOTHING
    """Of a mapping: the key whose value comes next; None is the merge key."""
    lines: dict[str, int] = field(default_factory=dict)
    """Of a mapping: where each key stands."""
    merged: dict[str, JsonValue] | None = None


_Anchored = tuple[JsonValue, int, int, str | None]
"""Value, number of values and keys, height, and a scalar's text for when it becomes a key: a tuple, as it is fast."""


class Builder:
    """Builds one document's value from its events."""

    def __init__(self, name: str, nodes: int, depth: int) -> None:
        self._name, self._nodes, self._depth = name, nodes, depth
        self._count = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._result: Any = NOTHING

    def read(self, text: str) -> JsonValue:
        """Return the value. Raises DocumentError with the line and the reason."""
        import yaml

        scalar, mapping, sequence, alias = (
            yaml.ScalarEvent,
            yaml.MappingStartEvent,
            yaml.SequenceStartEvent,
            yaml.AliasEvent,
        )
        ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        documents = 0
        for event in events(text, self._name):
            kind = type(event)
            if kind is scalar:
                self._scalar(event)
            elif kind is mapping or kind is sequence:
                self._begin(event, {} if kind is mapping else [])
            elif kind in ends:
                self._end()
            elif kind is alias:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self._error("a second document begins here", event, "one document is read from one file")
        if self._result is NOTHING:
            raise DocumentError("the document is empty", where=self._name)
        return self._result  # type: ignore[no-any-return]

    def _error(self, what: str, event: Any, why: str | None = None) -> DocumentError:
        line = event if isinstance(event, int) else event.start_mark.line + 1
        return DocumentError(what, where=f"{self._name}:{line}", why=why)

    def _counted(self, event: Any, more: int = 1) -> None:
        self._count += more
        if self._count > self._nodes:
            raise self._too_many(event)

    def _too_many(self, event: Any) -> DocumentError:
        return self._error(
            f"it has more than {self._nodes} values and keys", event, "aliases multiply, or it is too large"
        )

    def _is_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].key is NOTHING and isinstance(self._stack[-1].value, dict)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        top = self._stack[-1] if self._stack else None
        self._count += 1
        if self._count > self._nodes:
            raise self._too_many(event)
        if top is not None and top.key is NOTHING and type(top.value) is dict:
            # `null:`, `yes:` and `1:` are the texts that a person wrote as a name.
            self._key(None if text == "<<" and event.implicit[0] else text, event)
            if event.anchor:
                self._anchors[event.anchor] = (text, 1, 0, text)
            return
        if event.implicit[0]:
            value = self._plain(text, event) if text == "" or text[0] in NUMERIC or text in CONSTANTS else text
        elif event.implicit[1]:
            value = text
        else:
            value = self._tagged(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1, 0, text)
        if top is not None and type(top.value) is list:
            top.value.append(value)
        elif top is not None and top.key is not None:
            top.value[top.key] = value
            top.key = NOTHING
        else:
            self._put(value, event, 0)

    def _plain(self, text: str, event: Any) -> JsonValue:
        if text in CONSTANTS:
            return CONSTANTS[text]
        try:
            if INT.fullmatch(text):
                return int(text.replace("_", ""))
            other = OTHER_BASE.fullmatch(text)
            if other:
                number = int(other[3].replace("_", ""), {"b": 2, "o": 8, "x": 16}[other[2]])
                return -number if other[1] == "-" else number
        except ValueError as error:
            if len(text) < 100:  # `0b9`
                return text
            raise self._error(f"a number of {len(text)} digits", event, "quote it if it is a text") from error
        if FLOAT.fullmatch(text):
            value = float(text.replace("_", ""))
            if not math.isfinite(value):
                raise self._error(f"the number {text} is too large", event, "quote it if it is a text")
            return value
        if NOT_FINITE.fullmatch(text):
            raise self._error(f"{text} is no JSON number", event, "quote it if it is a text")
        return text

    def _tagged(self, event: yaml.ScalarEvent) -> JsonValue:
        tag, text = event.tag or "!", event.value
        if tag in ("!", TAG + "str", TAG + "timestamp"):
            return str(text)
        value = self._plain(text, event)
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),),
        }  # fmt: skip
        wanted = kinds.get(tag.removeprefix(TAG)) if tag.startswith(TAG) else None
        if wanted is None:
            raise self._error(f"the tag {tag!r} is not known", event)
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise self._error(f"{text[:60]!r} is no {tag.removeprefix(TAG)}", event)
        return float(value) if float in wanted else value  # type: ignore[arg-type]

    def _begin(self, event: Any, value: Any) -> None:
        tag = event.tag
        if tag not in (None, "!", TAG + ("map" if isinstance(value, dict) else "seq")):
            raise self._error(f"the tag {tag!r} is not known", event)
        if self._is_key():
            raise self._error("a key is a list or a mapping", event)
        self._counted(event)
        if len(self._stack) >= self._depth:
            raise self._error(f"it is nested deeper than {self._depth}", event)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(value, event.start_mark.line + 1, event.anchor, self._count))

    def _end(self) -> None:
        done = self._stack.pop()
        value = done.value
        if done.merged is not None:
            value = {**done.merged, **value}
        if done.anchor:
            self._anchors[done.anchor] = (value, self._count - done.start + 1, done.height, None)
        self._put(value, done.line, done.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        anchored = self._anchors.get(str(event.anchor))
        if anchored is None:
            if any(item.anchor == event.anchor for item in self._stack):
                raise self._error("an alias contains itself", event)
            raise self._error(f"the alias *{event.anchor} has no anchor before it", event)
        value, count, height, text = anchored
        self._counted(event, count)
        if self._is_key():
            if text is None:
                raise self._error("a key is a list or a mapping", event)
            self._key(text, event)
            return
        if len(self._stack) + height > self._depth:
            raise self._error(f"it is nested deeper than {self._depth}", event)
        self._put(_copied(value), event, height)

    def _key(self, key: str | None, event: Any) -> None:
        top = self._stack[-1]
        if key is not None:
            first = top.lines.get(key)
            if first is not None:
                raise self._error(f"the key {key[:60]!r} stands there twice", event, f"first on line {first}")
            top.lines[key] = event.start_mark.line + 1
        top.key = key

    def _put(self, value: JsonValue, event: Any, height: int) -> None:
        if not self._stack:
            self._result = value
            return
        top = self._stack[-1]
        if height >= top.height:
            top.height = height + 1
        if isinstance(top.value, list):
            top.value.append(value)
            return
        key, top.key = top.key, NOTHING
        if key is not None:
            top.value[key] = value
            return
        # Of several merged mappings the first one wins, and what is written in place wins over all.
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self._error("only a mapping can be merged with <<", event)
            top.merged = {**part, **(top.merged or {})}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def events(text: str, name: str) -> Iterator[Any]:
    """Yield the parser's events. Raises DocumentError with the line where it cannot go on."""
    import yaml

    # A PyYAML built without libyaml reads the same, more slowly.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(
            f"it is not valid YAML: {error.problem or error.context}",
            where=f"{name}:{mark.line + 1}" if mark is not None else name,
            why=f"at column {mark.column + 1}" if mark is not None else None,
        ) from error
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) and position >= 0 else 1
        raise DocumentError(f"it is not valid YAML: {str(error).splitlines()[0]}", where=f"{name}:{line}") from error
    finally:
        loader.dispose()


@dataclass(slots=True)
class Outline:
    """Where the parts of a document stand: a tree of lines."""

    line: int
    """From 1."""
    parts: dict[str | int, Outline] = field(default_factory=dict)
    merged: list[Outline] = field(default_factory=list)

    def part(self, key: str | int) -> Outline | None:
        """Return the part of that key or index, a merged one too; None where there is none."""
        found = self.parts.get(key)
        if found is None:
            found = next((p for m in self.merged for p in [m.part(key)] if p is not None), None)
        return found


def outline(text: str, name: str) -> Outline:
    """Return the lines of a document that `Builder` has accepted, or of JSON. Raises DocumentError."""
    import yaml

    root = Outline(1)
    stack: list[tuple[Outline, bool]] = []
    keys: list[Any] = []
    anchors: dict[str, Outline] = {}
    texts: dict[str, str] = {}
    for event in events(text, name):
        kind = type(event)
        if kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            node, _ = stack.pop()
            keys.pop()
            continue
        if kind not in (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent, yaml.AliasEvent):
            continue
        if kind is yaml.ScalarEvent and event.anchor:
            texts[event.anchor] = event.value
        if stack and stack[-1][1] and keys[-1] is NOTHING:
            merge = kind is yaml.ScalarEvent and event.value == "<<" and event.implicit[0]
            keys[-1] = None if merge else event.value if kind is yaml.ScalarEvent else texts.get(event.anchor, "")
            continue
        node = anchors.get(event.anchor, root) if kind is yaml.AliasEvent else Outline(event.start_mark.line + 1)
        if event.anchor:
            anchors[event.anchor] = node
        if not stack:
            root = node
        else:
            parent, is_mapping = stack[-1]
            key: Any = keys[-1] if is_mapping else len(parent.parts)
            if is_mapping:
                keys[-1] = NOTHING
            if key is None:
                parent.merged.append(node)
            else:
                parent.parts[key] = node
        if kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            stack.append((node, kind is yaml.MappingStartEvent))
            keys.append(NOTHING)
    return root
