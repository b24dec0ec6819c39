"""What of a run may be handed on: the word of its definition on each file, `disclosable`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from wfx.errors import InputError
from wfx.values import JsonValue, Values

Disclosable: TypeAlias = Literal["yes", "name", "no"]
"""`name`: its name may be told, its bytes and where it came from may not; `no`: only that there is something."""
ORDER: tuple[Disclosable, ...] = ("yes", "name", "no")
KEY = "disclosable"


@dataclass(slots=True)
class Policy:
    """What a definition says of its files; what it says nothing of may be handed on."""

    files: dict[str, Disclosable] = field(default_factory=dict)
    """By URI."""
    parameters: dict[str, Disclosable] = field(default_factory=dict)
    """Of inputs that are one file: what the engine finds in it (a samplesheet's files) is held to the same."""

    def of(self, uris: Iterable[str], parameter: str) -> Disclosable:
        """Return the word on files that belong together: the strictest of all."""
        return strictest(self.parameters.get(parameter, "yes"), *(self.files.get(uri, "yes") for uri in uris))


def strictest(*said: Disclosable) -> Disclosable:
    """Return the word that lets out least."""
    return max(said, key=ORDER.index, default="yes")


def read(said: object, where: str) -> Disclosable:
    """Read what stands under `disclosable`: true, false or `name`. Raises InputError."""
    if isinstance(said, bool):
        return "yes" if said else "no"
    if said == "name":
        return "name"
    raise InputError(f"'{KEY}' takes true, false or name", where=where, why=f"it is {said!r}")


def as_written(said: Disclosable) -> JsonValue:
    """Return what `read` reads."""
    return "name" if said == "name" else said == "yes"


def split(values: Values) -> tuple[Values, Policy]:
    """Part the inputs from what is said of their disclosure, which no engine knows. Raises InputError."""
    policy = Policy()
    plain = {name: _plain(value, "yes", policy, name) for name, value in values.items()}
    for name, value in values.items():
        if isinstance(value, dict) and value.get("class") in ("File", "Directory") and KEY in value:
            policy.parameters[name] = read(value[KEY], name)
    return plain, policy


def _plain(value: JsonValue, above: Disclosable, policy: Policy, where: str) -> JsonValue:
    if isinstance(value, list):
        return [_plain(item, above, policy, f"{where}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {key: _plain(item, above, policy, f"{where}.{key}") for key, item in value.items()}
    # What belongs to a file, or lies in a folder, is let out no further than that is.
    word = strictest(above, read(value[KEY], where)) if KEY in value else above
    if word != "yes" and isinstance(value.get("location"), str):
        uri = str(value["location"])
        policy.files[uri] = strictest(word, policy.files.get(uri, "yes"))
    return {key: _plain(item, word, policy, f"{where}.{key}") for key, item in value.items() if key != KEY}
