"""The workflow's inputs: the keys of its config, with types from its schema or from the values that it ships."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .problems import Places, folder_of
from .sheets import with_rows

FOLDERS = ("config", "workflow/schemas", "schemas", "")
SCHEMAS = [f"{folder}/config.schema.{kind}".lstrip("/") for folder in FOLDERS for kind in ("yaml", "yml", "json")]
VALIDATED = re.compile(r"""\bvalidate\(\s*config\s*,\s*(?:schema\s*=\s*)?["']([^"'{}]+)["']""")
# `config["key"]`, `config.get("key"…)`: the keys that the documents speak of.
USED = re.compile(r"""\bconfig(?:\[\s*["']([^"'\n]+)["']\s*\]|\.get\(\s*["']([^"'\n]+)["'])""")
FORMATS = {"file-path": "File", "directory-path": "Directory", "path": "path", "file-path-pattern": "string"}
SIMPLE = {"string": "string", "boolean": "boolean", "integer": "int", "null": "null"}
Type = dict[str, Any]

# `-i name=text` stays a text, and `-i name=@place` is a file: a union within a union is read before the files in it.
TEXT_OR_FILE: Type = {
    "kind": "union",
    "alternatives": [
        {"kind": "union", "alternatives": [{"kind": "string"}]},
        {"kind": "union", "alternatives": [{"kind": "File"}, {"kind": "Directory"}]},
    ],
}
NUMBER: Type = {"kind": "union", "alternatives": [{"kind": "int"}, {"kind": "float"}]}
ANY: Type = {"kind": "any"}


def documents_of(places: Places) -> dict[str, str]:
    """Return the texts of the Snakefiles in the tree."""
    found = {}
    for path in sorted(places.tree.rglob("*")):
        named = path.suffix == ".smk" or path.name.lower().startswith("snakefile")
        if named and path.is_file():
            found[path.relative_to(places.tree).as_posix()] = path.read_text("utf-8", "replace")
    return found


def used_keys(texts: dict[str, str]) -> list[str]:
    """Return the config keys that the documents speak of, in their order."""
    keys = (first or second for text in texts.values() for first, second in USED.findall(_without_comments(text)))
    return list(dict.fromkeys(keys))


def _without_comments(text: str) -> str:
    return re.sub(r"^[ \t]*#.*$", "", text, flags=re.M)


def find_schema(places: Places, texts: dict[str, str]) -> Any:
    """Return the schema of the config: the one that the workflow validates against, else one in a usual place."""
    candidates = [
        (places.tree / name).parent / match for name, text in texts.items() for match in VALIDATED.findall(text)
    ]
    project = places.tree / folder_of(places.entry)
    for path in (*candidates, *(project / name for name in SCHEMAS)):
        if path.is_file():
            schema = read(path)
            if isinstance(schema, dict):
                return schema
    return {}


def read(path: Path) -> Any:
    """Read a YAML or JSON file; None for one that cannot be read, which Snakemake will complain of itself."""
    import yaml

    try:
        text = path.read_text("utf-8")
        return plain(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def plain(value: Any) -> Any:
    """Return a value in JSON's types: YAML has dates, and keys that are numbers."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def parameters(
    config: dict[str, Any], schema: Any, used: list[str], missing: list[str], places: Places,
    sheets: dict[str, tuple[str, dict[str, str]]],
) -> list[Type]:  # fmt: skip
    """Describe the inputs. `missing` are keys that the workflow does not load without, `sheets` as of `sheets_of`."""
    properties = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
    required = schema.get("required") if isinstance(schema.get("required"), list) else []
    names = list(dict.fromkeys([*map(str, properties), *config, *used]))
    described = []
    for name in names:
        part = properties.get(name)
        part = part if isinstance(part, dict) else {}
        default = config.get(name, part.get("default"))
        has_default = name in config or "default" in part
        kind = of_schema(part) if part else of_value(default)
        form, columns = sheets.get(name, ("", {}))
        kind = with_rows(kind, columns) if columns else kind
        if has_default:
            default, has_default = default_of(plain(default), kind, places)
        needed = not has_default and (name in required or name in missing)
        if not needed and (default is None or not has_default) and not optional(kind):
            kind = {"kind": "union", "alternatives": [{"kind": "null"}, kind]}
        item: Type = {"id": name, "type": kind, "label": str(part.get("title") or ""), "doc": doc_of(part)}
        if form:
            item["formats"] = [form]
        if has_default and default is not None:
            item |= {"default": default, "has_default": True}
        described.append(item)
    return described


def doc_of(part: dict[str, Any]) -> str:
    """Return what a schema says of a property."""
    return " ".join(str(part.get("description") or "").split())


def optional(kind: Type) -> bool:
    """Say whether null fits a type."""
    return kind["kind"] in ("null", "any") or any(optional(t) for t in kind.get("alternatives", ()))


def of_value(value: Any) -> Type:
    """Infer the type of a key from the value that the workflow ships; a number may be another kind of number."""
    if isinstance(value, bool):
        return {"kind": "boolean"}
    if isinstance(value, (int, float)):
        return NUMBER
    if isinstance(value, str):
        return TEXT_OR_FILE
    if isinstance(value, list) and value:
        kinds = [of_value(item) for item in value]
        if all(kind == kinds[0] for kind in kinds) and kinds[0] != ANY:
            return {"kind": "array", "items": kinds[0]}
        return {"kind": "array", "items": ANY}
    # A mapping is merged with the workflow's own, so that any part of it may be given.
    return ANY


def of_schema(part: dict[str, Any]) -> Type:
    """Return the type that a JSON Schema states (draft 2020-12); what has no equal among ours is `any`."""
    for word in ("anyOf", "oneOf"):
        if isinstance(part.get(word), list):
            return union([of_schema(item) for item in part[word] if isinstance(item, dict)])
    symbols = part.get("enum")
    if isinstance(symbols, list) and symbols:
        if all(isinstance(symbol, str) for symbol in symbols):
            return {"kind": "enum", "symbols": symbols}
        return union([of_value(symbol) if symbol is not None else {"kind": "null"} for symbol in symbols])
    kind = part.get("type")
    if isinstance(kind, list):
        return union([of_schema({**part, "type": item}) for item in kind])
    if kind == "string":
        wanted = FORMATS.get(str(part.get("format")), "")
        if wanted == "path":
            return union([{"kind": "File"}, {"kind": "Directory"}])
        if wanted:
            return {"kind": wanted}
        # A text with a pattern is no path to somewhere else.
        return {"kind": "string"} if "pattern" in part else TEXT_OR_FILE
    if kind == "number":
        return NUMBER
    if kind == "array":
        items = part.get("items")
        return {"kind": "array", "items": of_schema(items) if isinstance(items, dict) else ANY}
    if kind == "object" and part.get("additionalProperties") is False and isinstance(part.get("properties"), dict):
        needed = part.get("required") or []
        fields = []
        for name, inner in part["properties"].items():
            field = of_schema(inner) if isinstance(inner, dict) else ANY
            # A part that is not given is taken from the workflow's own config.
            if not optional(field) and (name not in needed or "default" in inner):
                field = {"kind": "union", "alternatives": [{"kind": "null"}, field]}
            fields.append({"name": str(name), "type": field, "doc": doc_of(inner) if isinstance(inner, dict) else ""})
        return {"kind": "record", "fields": fields}
    return {"kind": SIMPLE[kind]} if kind in SIMPLE else ANY


def union(kinds: list[Type]) -> Type:
    """Return the union of types, which is the type itself where there is one."""
    kinds = [kind for n, kind in enumerate(kinds) if kind not in kinds[:n]]
    if not kinds or ANY in kinds:
        return ANY
    return kinds[0] if len(kinds) == 1 else {"kind": "union", "alternatives": kinds}


def default_of(value: Any, kind: Type, places: Places) -> tuple[Any, bool]:
    """Return a default, with files of the workflow as objects where the schema asks for files.

    A file that the workflow does not have is no default: the user has to give it.
    """
    kinds = {kind["kind"], *(t["kind"] for t in kind.get("alternatives", ()))}
    if kind["kind"] == "array" and isinstance(value, list):
        found = [default_of(item, kind["items"], places) for item in value]
        return [item for item, _ in found], all(there for _, there in found)
    if not isinstance(value, str) or not kinds & {"File", "Directory"} or "string" in kinds or kind == TEXT_OR_FILE:
        return value, True
    folder = folder_of(places.entry)
    path = places.tree / folder / value
    if not path.exists() or ".." in Path(value).parts:
        return None, False
    location = "/".join(filter(None, ("workflow", folder, value)))
    return {"class": "Directory" if path.is_dir() else "File", "location": location, "basename": path.name}, True
