"""Parameters and their values: FormalParameters, and the entities that realise them (Workflow Run Crate 0.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from wfx.values import JsonValue, Parameter, ValueType

from wfx_ro_crate.files import Files, Object, file_format
from wfx_ro_crate.graph import Graph, Property, local_id, ref

SCALARS = {
    "boolean": "Boolean", "int": "Integer", "float": "Float", "string": "Text", "enum": "Text", "record": "PropertyValue",
    "any": "PropertyValue",
}  # fmt: skip
FILES = ("File", "Dataset", "Collection")


class Scope:
    """The parameters of one workflow or tool.

    A parameter is entered with its first value: a FormalParameter that no value of this run realises would be a promise
    that the crate does not keep (the profile wants `exampleOfWork` for each), and plan.json has the interface in full.
    """

    def __init__(
        self, owner: str, inputs: Sequence[Parameter], outputs: Sequence[Parameter], graph: Graph, files: Files
    ) -> None:
        self.owner = owner
        self.graph, self.files = graph, files
        self._parameters = {"input": {p.id: p for p in inputs}, "output": {p.id: p for p in outputs}}
        self._ids: dict[tuple[str, str], str] = {}
        self._values: dict[tuple[str, str, str], list[str]] = {}
        self._kinds: dict[str, dict[str, None]] = {}

    def realise(self, side: str, values: Mapping[str, JsonValue]) -> list[str]:
        """Enter the values of the inputs or outputs of one execution; return the ids of what realises them."""
        found: list[str] = []
        for name, value in values.items():
            parameter = self._parameters[side].get(name)
            if value is None:
                continue
            # The same value in a thousand instances of a scatter is one entity.
            key = (side, name, json.dumps(value, sort_keys=True, default=str))
            entities = self._values.get(key)
            if entities is None:
                entities = self._values[key] = self._entities(side, name, parameter, value)
            found += entities
        return list(dict.fromkeys(found))

    def declare(self) -> None:
        """Enter all parameters, with their types, whether a value realises them or not."""
        for side, parameters in self._parameters.items():
            for parameter in parameters.values():
                formal = self._formal(side, parameter)
                kinds = self._kinds.setdefault(formal, {})
                kinds[_additional_type(parameter.type)] = None
                self.graph.set(formal, "additionalType", [*kinds])

    def parameter(self, side: str, name: str) -> str | None:
        """Return the id of a FormalParameter; None where no value has realised it."""
        return self._ids.get((side, name))

    def _entities(self, side: str, name: str, parameter: Parameter | None, value: JsonValue) -> list[str]:
        flat = _files_only(value)
        if flat is not None:
            entities = list(dict.fromkeys(self.files.value(item) for item in flat))
            if not entities:
                return []
        else:
            entities = [self._property_value(name, value, self._value_id(side, name))]
        if parameter is None:
            # An input of a step that its tool does not know serves an expression only.
            return entities
        formal = self._formal(side, parameter)
        kinds = self._kinds.setdefault(formal, {})
        for entity in entities:
            for kind in self.graph.kinds(entity):
                if kind in FILES:
                    kinds[str(kind)] = None
                elif kind == "PropertyValue":
                    kinds[_scalar(parameter.type, value)] = None
            self.graph.link(entity, "exampleOfWork", formal)
            self.graph.link(formal, "workExample", entity)
        self.graph.set(formal, "additionalType", [*kinds])
        if len(entities) > 1 or isinstance(value, list):
            self.graph.set(formal, "multipleValues", "True")
        return entities

    def _formal(self, side: str, parameter: Parameter) -> str:
        known = self._ids.get((side, parameter.id))
        if known is not None:
            return known
        base, mark, fragment = self.owner.partition("#")
        place = local_id(f"{side}s", parameter.id)[1:]
        identifier = self.graph.fresh(f"{base}#{fragment}/{place}" if mark else f"{base}#{place}")
        self._ids[side, parameter.id] = identifier
        default: str | None = None
        if parameter.has_default and parameter.default is not None:
            default = text_of(parameter.default)
        self.graph.add(
            identifier,
            "FormalParameter",
            name=parameter.id,
            description="\n".join(dict.fromkeys(filter(None, (parameter.label, parameter.doc)))),
            conformsTo=ref("https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"),
            defaultValue=default,
        )
        if side == "input":
            self.graph.set(identifier, "valueRequired", "True" if parameter.required else "False")
        if parameter.type.kind == "enum":
            self.graph.set(identifier, "valuePattern", "|".join(parameter.type.symbols))
        formats = [ref(file_format(self.graph, f)) for f in parameter.formats if "://" in f]
        if formats:
            self.graph.set(identifier, "encodingFormat", [*formats])
        self.graph.link(self.owner, side, identifier)
        return identifier

    def _value_id(self, side: str, name: str) -> str:
        owner = self.owner.replace("#", "/").strip("/")
        return self.graph.fresh(local_id("value", owner, f"{side}s", name))

    def _property_value(self, name: str, value: JsonValue, identifier: str) -> str:
        self.graph.add(identifier, "PropertyValue", name=name)
        # An empty text is a value all the same.
        self.graph.put(identifier, "value", self._property(value, identifier))
        return identifier

    def _property(self, value: JsonValue, identifier: str) -> Property:
        if isinstance(value, list):
            if not value:
                return "[]"
            return [self._item(item, f"{identifier}/{n}") for n, item in enumerate(value, 1)]
        if isinstance(value, dict):
            if value.get("class") in ("File", "Directory"):
                return ref(self.files.value(value))
            if not value:
                return "{}"
            parts: list[Property] = []
            for name, item in value.items():
                if item is not None:
                    part = self.graph.fresh(identifier + "/" + local_id(name)[1:])
                    parts.append(ref(self._property_value(name, item, part)))
            return parts
        return text_of(value)

    def _item(self, value: JsonValue, identifier: str) -> Property:
        """Return an item of a list. Lists in lists and records are values of their own: JSON-LD would flatten them."""
        if isinstance(value, list) or (isinstance(value, dict) and value.get("class") not in ("File", "Directory")):
            return ref(self._property_value(identifier.rpartition("/")[2], value, self.graph.fresh(identifier)))
        return self._property(value, identifier)


def text_of(value: JsonValue) -> str:
    """Return a value as consumers of crates want it: a text, truth as `True` and `False`, the complex as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _files_only(value: JsonValue) -> list[Object] | None:
    """Return the files and folders of a value that consists of nothing else; None for any other."""
    if isinstance(value, dict):
        return [value] if value.get("class") in ("File", "Directory") else None
    if not isinstance(value, list) or not value:
        return None
    found: list[Object] = []
    for item in value:
        if item is None:
            continue
        inner = _files_only(item)
        if inner is None:
            return None
        found += inner
    return found or None


def _additional_type(kind: ValueType) -> str:
    inner = kind
    while inner.kind in ("array", "union"):
        others = [t for t in inner.alternatives if t.kind != "null"]
        following = inner.items if inner.kind == "array" else others[0] if others else None
        if following is None:
            break
        inner = following
    return {"File": "File", "Directory": "Dataset"}.get(inner.kind) or _scalar(kind, None)


def _scalar(kind: ValueType, value: JsonValue) -> str:
    """Return the additionalType of a parameter that a PropertyValue realises: by its type, else by the value."""
    if kind.kind == "array" and kind.items is not None:
        return _scalar(kind.items, value[0] if isinstance(value, list) and value else None)
    if kind.kind == "union":
        others = {_scalar(t, value) for t in kind.alternatives if t.kind != "null"}
        if len(others) == 1:
            return others.pop()
    elif kind.kind not in ("any", "File", "Directory"):
        return SCALARS.get(kind.kind, "PropertyValue")
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, float):
        return "Float"
    return "Text" if isinstance(value, str) else "PropertyValue"
