"""The workflow's config: its own values with the user's in them, and what of it Snakemake has to be told."""

from __future__ import annotations

from wfx.engines import Description
from wfx.values import JsonValue, Parameter, Values, ValueType

STORAGE = "storage"
"""Id of the input with the files that the workflow reads from storage; the driver describes it."""


def bind(description: Description, values: Values) -> Values:
    """Return the config as the workflow will see it: mappings are merged key by key (snakemake.utils.update_config)."""
    result: Values = {}
    for parameter in description.inputs:
        given = values.get(parameter.id)
        if given is None and not parameter.has_default:
            continue
        default = parameter.default if parameter.has_default else None
        result[parameter.id] = default if given is None else _merged(default, given)
    storage = storage_parameter(description)
    if storage is not None:
        result[STORAGE] = _storage(storage, values, description, result)
    return result


def storage_parameter(description: Description) -> Parameter | None:
    """Return the input that stands for files in storage; None for a workflow that reads none, or uses the name itself."""
    named = [parameter for parameter in description.inputs if parameter.id == STORAGE]
    return named[-1] if named and isinstance(named[-1].default, list) and named[-1].type.kind == "array" else None


def _storage(parameter: Parameter, values: Values, description: Description, bound: Values) -> list[JsonValue]:
    """Return the files that the workflow reads from storage with these values.

    Where an address of its own stands in its config, what the user has put there is an address too.
    """
    own: list[JsonValue] = parameter.default if isinstance(parameter.default, list) else []
    addresses = {str(item["location"]): None for item in own if isinstance(item, dict)}
    for other in description.inputs:
        if other.id == STORAGE or not other.has_default:
            continue
        before, after = set(_texts(other.default)), _texts(bound.get(other.id))
        if not before & set(addresses) or before == set(after):
            continue
        for text in before - set(after):
            addresses.pop(text, None)
        addresses |= {text: None for text in after if "://" in text and not text.startswith("file:")}
    given = values.get(STORAGE)
    files: list[JsonValue] = [{"class": "File", "location": address} for address in addresses]
    return files + [item for item in (given if isinstance(given, list) else []) if item not in files]


def _texts(value: JsonValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return [text for item in items for text in _texts(item)]


def _merged(default: JsonValue, given: JsonValue) -> JsonValue:
    if not isinstance(default, dict) or not isinstance(given, dict) or "class" in given or "class" in default:
        return given
    result = dict(default)
    for key, value in given.items():
        result[key] = _merged(result.get(key), value)
    return result


def overrides(description: Description, inputs: Values) -> Values:
    """Return what differs from the workflow's own config.

    What is the same Snakemake reads from the workflow itself, so that a run without inputs is a run without a config
    file of ours. Files are always told: where they lie is not where the workflow says.
    """
    defaults = {p.id: p.default for p in description.inputs if p.has_default}
    storage = storage_parameter(description) is not None
    return {
        name: value
        for name, value in inputs.items()
        if (name != STORAGE or not storage) and (name not in defaults or value != defaults[name] or _has_files(value))
    }


def _has_files(value: JsonValue) -> bool:
    if isinstance(value, list):
        return any(map(_has_files, value))
    if not isinstance(value, dict):
        return False
    return value.get("class") in ("File", "Directory") or any(map(_has_files, value.values()))


def name_files(description: Description, values: Values) -> Values:
    """Return the values of a config file with paths as files where the schema asks for nothing else."""
    types = {parameter.id: parameter.type for parameter in description.inputs}
    return {name: _named(value, types.get(name)) for name, value in values.items()}


def _named(value: JsonValue, kind: ValueType | None) -> JsonValue:
    if kind is None:
        return value
    if isinstance(value, list):
        items = next((t.items for t in (kind, *kind.alternatives) if t.kind == "array"), None)
        return [_named(item, items) for item in value]
    if isinstance(value, dict) and "class" not in value:
        fields = {part.name: part.type for t in (kind, *kind.alternatives) for part in t.fields}
        return {name: _named(item, fields.get(name)) for name, item in value.items()}
    kinds = [t.kind for t in (kind, *kind.alternatives) if t.kind not in ("union", "null", "array")]
    if isinstance(value, str) and kinds and set(kinds) <= {"File", "Directory"} and not _nested(kind):
        return {"class": kinds[0], "location": value}
    return value


def _nested(kind: ValueType) -> bool:
    """Say whether a text is among the alternatives of a type, within one of them."""
    return any(t.kind == "union" for t in kind.alternatives)
