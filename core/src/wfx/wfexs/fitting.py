"""Bring values to the shape that a workflow takes: WfExS makes no difference between one file and a list of one."""

from __future__ import annotations

from collections.abc import Sequence

from wfx.values import JsonValue, Parameter, Values


def fit(values: Values, parameters: Sequence[Parameter]) -> Values:
    """Return the values with a list of one as that one where a parameter takes no list, and the other way round."""
    kinds = {parameter.id: parameter.type for parameter in parameters}

    def fitted(name: str, value: JsonValue) -> JsonValue:
        kind = kinds.get(name)
        if kind is None or kind.kind == "any":
            return value
        alternatives = [kind, *kind.alternatives]
        takes_list = any(each.kind in ("array", "any") for each in alternatives)
        takes_one = any(each.kind in ("File", "Directory", "string", "any") for each in alternatives)
        if isinstance(value, list) and len(value) == 1 and not takes_list:
            return value[0]
        if isinstance(value, dict) and takes_list and not takes_one:
            return [value]
        return value

    return {name: fitted(name, value) for name, value in values.items()}
