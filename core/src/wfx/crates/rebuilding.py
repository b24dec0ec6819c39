"""The inputs of a run, rebuilt from what a crate says of it: `object` and `exampleOfWork` (Workflow Run Crate §4).

Every value is read by the type that the workflow itself declares, because crates hold all values as texts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from wfx.crates.contents import parameter_name, parameters
from wfx.crates.locating import Locator, is_folder, stated
from wfx.crates.reading import Crate, Entity, ids, kinds, normal, text, values
from wfx.errors import InputError
from wfx.values import JsonValue, Parameter, Values, ValueType
from wfx.valuetypes import array_of, parse_text, problems

DEEPEST = 20
MOST = 300_000
"""Values and files of one run; a few entities that name one another many times stand for more than any memory holds."""


class Rebuilder:
    """Makes the inputs of one workflow from one action of a crate, or from examples where no run is recorded."""

    def __init__(self, crate: Crate, main: Entity, action: Entity | None, locator: Locator) -> None:
        self.crate, self.main, self.action, self.locator = crate, main, action, locator
        self.unused: list[str] = []
        """Ids of what the action used and no parameter of the workflow takes."""
        self._left = MOST

    def values(self, declared: Sequence[Parameter], given: Collection[str] = ()) -> Values:
        """Return the inputs that the crate holds, but for those that are `given` already."""
        found: Values = {}
        sources = self._sources(declared)
        for parameter in declared:
            entities = sources.get(parameter.id, [])
            if parameter.id in given or not entities:
                continue
            try:
                value = self._value(entities, parameter.type, f"input '{parameter.id}'")
            except InputError as error:
                self.locator.missing.append(f"input '{parameter.id}': {error.what}")
                continue
            if value is not None:
                found[parameter.id] = value
        return found

    def _sources(self, declared: Sequence[Parameter]) -> dict[str, list[Entity]]:
        """Return for each parameter the entities that realise it."""
        names = {p.id for p in declared}
        formals = parameters(self.crate, self.main, "input") or [
            e for e in self.crate.graph if "FormalParameter" in kinds(e)
        ]
        slots: dict[str, str] = {}
        for formal in formals:
            candidates = (text(formal.get("name")), parameter_name(formal), formal["@id"].rpartition("/")[2])
            slot = next((c for c in candidates if c in names), None)
            if slot is not None:
                slots[normal(formal["@id"])] = slot
        found: dict[str, list[Entity]] = {}
        objects = self.crate.all(self.action.get("object")) if self.action is not None else []
        if self.action is None:
            objects = [e for formal in formals for e in self.crate.all(formal.get("workExample"))]
        examples = {
            example: slots[normal(formal["@id"])]
            for formal in formals
            if normal(formal["@id"]) in slots
            for example in ids(formal.get("workExample"))
        }
        for entity in objects:
            identifier = normal(entity["@id"])
            slot = next((slots[f] for f in ids(entity.get("exampleOfWork")) if f in slots), None)
            slot = slot or examples.get(identifier)
            if slot is None and "PropertyValue" in kinds(entity):
                name = text(entity.get("name"))
                slot = next((n for n in (name, name.rpartition("/")[2], name.lstrip("-")) if n in names), None)
            if slot is None:
                self.unused.append(entity["@id"])
            elif entity not in found.setdefault(slot, []):
                found[slot].append(entity)
        return found

    def _value(self, entities: list[Entity], kind: ValueType, purpose: str) -> JsonValue:
        array = array_of(kind)
        if (
            array is not None
            and array.items is not None
            and (len(entities) > 1 or not _is_whole(entities[0], self.crate))
        ):
            return [self._one(e, array.items, purpose) for e in entities]
        if len(entities) > 1 and _takes_files(kind):
            # A file with companions that its writer has not gathered in a Collection.
            return self._with_companions(entities[0], entities[1:], purpose)
        if len(entities) > 1:
            raise InputError("the crate has several values for it, and it takes one")
        return self._one(entities[0], kind, purpose)

    def _one(self, entity: Entity, kind: ValueType, purpose: str, depth: int = 0) -> JsonValue:
        if normal(entity["@id"]) in self.crate.ambiguous:
            raise InputError(f"two entities have the @id {entity['@id']} and differ")
        self._count(entity, depth)
        types = set(kinds(entity))
        if "PropertyValue" in types:
            return self._typed(entity.get("value"), kind, purpose, depth + 1)
        if "Collection" in types and "Dataset" not in types:
            return self._collection(entity, kind, purpose, depth + 1)
        if "Dataset" in types:
            return self._folder(entity, purpose)
        return self._file(entity, purpose)

    def _count(self, entity: Entity, depth: int) -> None:
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise InputError(f"{entity['@id']} is nested too deeply, or in itself")

    def _collection(self, entity: Entity, kind: ValueType, purpose: str, depth: int) -> JsonValue:
        parts = self.crate.all(entity.get("hasPart"))
        array = array_of(kind)
        if array is not None and array.items is not None:
            return [self._one(part, array.items, purpose, depth) for part in parts]
        main = self.crate.get(next(iter(ids(entity.get("mainEntity"))), None))
        main = main or (parts[0] if parts else None)
        if main is None:
            raise InputError(f"the collection {entity['@id']} is empty")
        return self._with_companions(main, [part for part in parts if part is not main], purpose)

    def _with_companions(self, main: Entity, others: list[Entity], purpose: str) -> JsonValue:
        result = self._folder(main, purpose) if is_folder(main) else self._file(main, purpose)
        companions = [self._folder(e, purpose) if is_folder(e) else self._file(e, purpose) for e in others]
        if isinstance(result, dict) and companions:
            result["secondaryFiles"] = [c for c in companions if c is not None]
        return result

    def _file(self, entity: Entity, purpose: str) -> dict[str, JsonValue] | None:
        self._count(entity, 0)
        place = self.locator.find(entity, purpose)
        if place is None:
            return None
        name = text(entity.get("alternateName")).rpartition("/")[2]
        result: dict[str, JsonValue] = {"class": "File", "location": place.uri, **stated(entity)}
        if name:
            result["basename"] = name
        return result

    def _folder(self, entity: Entity, purpose: str, depth: int = 0) -> dict[str, JsonValue] | None:
        parts = self.crate.all(entity.get("hasPart"))
        name = text(entity.get("alternateName")).rstrip("/").rpartition("/")[2]
        renamed = any(text(part.get("alternateName")) for part in parts)
        place = self.locator.path(entity)
        self._count(entity, depth)
        if place is not None and not renamed:
            found = self.locator.find(entity, purpose)
            if found is None:
                return None
            result: dict[str, JsonValue] = {"class": "Directory", "location": found.uri}
        elif parts:
            # Writers that name files by their digest say what they were called: the folder is put together again.
            listing = [
                self._folder(part, purpose, depth + 1) if is_folder(part) else self._file(part, purpose)
                for part in parts
            ]
            result = {"class": "Directory", "listing": [item for item in listing if item is not None]}
            name = name or entity["@id"].rstrip("/").rpartition("/")[2]
        else:
            found = self.locator.find(entity, purpose)
            if found is None:
                return None
            result = {"class": "Directory", "location": found.uri}
        if name:
            result["basename"] = name
        return result

    # -- values of other kinds

    def _typed(self, value: object, kind: ValueType, purpose: str, depth: int) -> JsonValue:
        """Read what a PropertyValue holds by the declared type."""
        if depth > DEEPEST:
            raise InputError("its value is nested too deeply, or in itself")
        inner = _without_null(kind)
        if isinstance(value, dict) and "@id" in value:
            entity = self.crate.get(value)
            if entity is not None and inner.kind == "record" and "PropertyValue" in kinds(entity):
                return self._record([value], inner, purpose, depth)
            if entity is None:
                raise InputError(f"its value refers to {value['@id']}, which is not there")
            return self._one(entity, inner, purpose, depth)
        if isinstance(value, dict):
            value = value.get("@value")
        if isinstance(value, list):
            record = _alternative(inner, "record")
            if record is not None and self._are_fields(value, record):
                return self._record(value, record, purpose, depth)
            array = array_of(inner)
            items = array.items if array is not None and array.items is not None else ValueType("any")
            return [self._typed(item, items, purpose, depth + 1) for item in value]
        array = array_of(inner)
        if array is not None and array.items is not None and not _is_json(value, "["):
            return [self._typed(value, array.items, purpose, depth + 1)]
        if isinstance(value, str):
            return _read(value, inner)
        if value is None or isinstance(value, (bool, int, float)):
            # A number where a text is declared was a text before its writer made it one.
            return value if not any(problems(value, kind)) else _read(_as_text(value), inner)
        return None

    def _are_fields(self, value: list[object], record: ValueType) -> bool:
        names = {f.name for f in record.fields}
        entities = [self.crate.get(item) for item in value]
        return all(e is not None and _field_name(e, names) for e in entities)

    def _record(self, value: list[object], kind: ValueType, purpose: str, depth: int) -> JsonValue:
        types = {f.name: f.type for f in kind.fields}
        result: dict[str, JsonValue] = {}
        for item in value:
            entity = self.crate.get(item)
            name = _field_name(entity, types) if entity is not None else ""
            if entity is not None and name:
                result[name] = self._one(entity, types[name], purpose, depth + 1)
        return result


def _field_name(entity: Entity, names: Collection[str]) -> str:
    name = text(entity.get("name"))
    return next((n for n in (name, name.rpartition("/")[2]) if n in names), "")


def _is_whole(entity: Entity, crate: Crate) -> bool:
    """Say whether one entity stands for a whole array: a Collection, or a value that is a list."""
    if "PropertyValue" in kinds(entity):
        return True
    return "Collection" in kinds(entity) and not values(entity.get("mainEntity"))


def _takes_files(kind: ValueType) -> bool:
    return kind.kind in ("File", "any") or any(_takes_files(t) for t in kind.alternatives)


def _alternative(kind: ValueType, wanted: str) -> ValueType | None:
    if kind.kind == wanted:
        return kind
    return next((t for t in kind.alternatives if t.kind == wanted), None)


def _without_null(kind: ValueType) -> ValueType:
    others = tuple(t for t in kind.alternatives if t.kind != "null")
    if kind.kind == "union" and len(others) == 1:
        return others[0]
    return kind


def _is_json(value: object, mark: str) -> bool:
    return isinstance(value, str) and value.lstrip().startswith(mark)


def _as_text(value: object) -> str:
    return ("True" if value else "False") if isinstance(value, bool) else str(value)


def _read(value: str, kind: ValueType) -> JsonValue:
    """Read a text by its type; the complex are JSON, as most writers have it."""
    if kind.kind == "any":
        return value
    if value.lstrip()[:1] in ("[", "{") and kind.kind not in ("string", "enum"):
        try:
            parsed: JsonValue = json.loads(value)
        except ValueError:
            parsed = None
        if parsed is not None and not any(problems(parsed, kind)):
            return parsed
    return parse_text(value, kind)
