"""Frozen dataclasses as JSON and back: plan, lock, journal and run record are stored so.

Fields that hold their default are left out, so that a later version can add a field without changing older files. A
`Reference` is written without its secrets. Reading is strict: an unknown field or a wrong type is a DefinitionError
that names the place.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from wfx.errors import DefinitionError
from wfx.references import Reference
from wfx.values import JsonValue

T = TypeVar("T")


def encode(value: object) -> Any:
    """Turn a dataclass (or a part of one) into JSON's types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Reference):
            return value.safe()
        result = {}
        for name, default in _defaults(type(value)):
            item = getattr(value, name)
            # True equals 1, and is not the same.
            same = item is default or (item == default and isinstance(item, bool) == isinstance(default, bool))
            if not same or name == "schema":
                result[name] = encode(item)
        return result
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


@functools.cache
def _defaults(cls: type) -> list[tuple[str, object]]:
    missing = object()
    pairs: list[tuple[str, object]] = []
    for item in dataclasses.fields(cls):
        default: object = missing
        if item.default is not dataclasses.MISSING:
            default = item.default
        elif item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        pairs.append((item.name, default))
    return pairs


def decode(cls: type[T], data: object, where: str = "") -> T:
    """Build the dataclass from JSON's types. Raises DefinitionError for what does not fit."""
    return typing.cast("T", _decode(cls, data, where or cls.__name__))


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    # The alias is recursive, so it holds its own name, which the module of a dataclass need not know.
    return typing.get_type_hints(cls, localns={"JsonValue": JsonValue})


def _decode(kind: Any, data: Any, where: str) -> Any:
    if kind is Reference:
        return Reference(_expect(str, data, where))
    if kind is Path:
        return Path(_expect(str, data, where))
    if dataclasses.is_dataclass(kind):
        return _decode_record(typing.cast("type", kind), data, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        others = [a for a in arguments if a is not type(None)]
        return _decode(others[0], data, where) if len(others) == 1 else data
    if origin is tuple:
        _expect(list, data, where)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(data))
        if len(arguments) != len(data):
            raise DefinitionError(f"{where}: expected {len(arguments)} items")
        return tuple(_decode(a, item, f"{where}[{i}]") for i, (a, item) in enumerate(zip(arguments, data, strict=True)))
    if origin in (dict, Mapping) or getattr(origin, "__name__", "") == "Mapping":
        _expect(dict, data, where)
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in data.items()}
    if origin is typing.Literal:
        if data not in arguments:
            raise DefinitionError(f"{where}: {data!r} is not one of {', '.join(map(str, arguments))}")
        return data
    if kind is float:
        try:
            return float(_expect((int, float), data, where))
        except OverflowError as error:
            raise DefinitionError(f"{where}: the number is too large") from error
    if kind in (str, int, bool):
        return _expect(kind, data, where)
    return data


def _decode_record(cls: type, data: Any, where: str) -> Any:
    _expect(dict, data, where)
    hints = _hints(cls)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise DefinitionError(f"{where}: unknown field {unknown[0]!r}", why="it was written by another version of wfx")
    try:
        return cls(**{name: _decode(hints[name], item, f"{where}.{name}") for name, item in data.items()})
    except TypeError as error:
        raise DefinitionError(f"{where}: {error}") from error


def _expect(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, kind) or (kind is not bool and isinstance(data, bool)):
        raise DefinitionError(
            f"{where}: {type(data).__name__} where {getattr(kind, '__name__', 'a number')} is expected"
        )
    return data


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value: sorted keys, no white space, UTF-8 (after RFC 8785)."""
    text = json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogateescape")


def digest(value: object) -> str:
    """Return the sha256 of a value's canonical JSON, in lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
