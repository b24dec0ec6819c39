"""Where each input file will lie in the run directory, and the values rewritten to say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wfx.disclosing import Disclosable, Policy
from wfx.errors import InputError, MachineError
from wfx.fetching import Expected
from wfx.planning import PlannedInput
from wfx.references import Reference
from wfx.treeparts import names_part
from wfx.treepaths import safe_name
from wfx.values import JsonValue, Values

# CWL v1.2 File.checksum is "sha1$…"; wfx writes sha256 in the same form and accepts what hashlib knows.
ALGORITHMS = {"sha1": 40, "sha256": 64, "sha512": 128, "md5": 32}


# Keys of a File or Directory that an engine's `bind` may set, and that nobody sees after it.
NAMED_BY = "wfx:named_by"
"""URI of the document from elsewhere that names it: then it is fetched with a stranger's rights."""
NAMED_AT = "wfx:named_at"
"""The place that names it, for messages: `sheet.csv:3, column 'reads'`."""
OPTIONAL = "wfx:optional"
"""True for a companion elsewhere that a tool can do without: it is left out where it is not there."""


@dataclass(slots=True)
class Layout:
    """Gives files their places below `inputs/`: a folder a parameter, and a numbered one below it where names clash.

    A file's companions (secondary files) lie beside it, because tools look for them there.
    """

    policy: Policy = field(default_factory=Policy)
    files: list[PlannedInput] = field(default_factory=list)
    _taken: dict[str, Reference] = field(default_factory=dict)
    _next: dict[str, int] = field(default_factory=dict)

    def rewrite(self, values: Values) -> Values:
        """Return the values with each `location` relative to the run directory; `files` then has what to bring."""
        return {name: self._value(value, name, name) for name, value in values.items()}

    def _value(self, value: JsonValue, parameter: str, where: str) -> JsonValue:
        if isinstance(value, list):
            return [self._value(item, parameter, f"{where}[{i}]") for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if value.get("class") in ("File", "Directory"):
            return self._file(value, parameter, where)
        return {key: self._value(item, parameter, f"{where}.{key}") for key, item in value.items()}

    def _file(self, value: dict[str, JsonValue], parameter: str, where: str) -> JsonValue:
        group = [value, *_objects(value.get("secondaryFiles"))]
        located = [(item, Reference(str(item["location"]))) for item in group if _is_remote(item)]
        below = _below(value) if _is_remote(value) else ""
        folder = self._folder(parameter, below, [(_name(item, reference), reference) for item, reference in located])
        word = self.policy.of((reference.uri for _, reference in located), parameter)
        return self._place(value, folder, parameter, where, word)

    def _place(
        self, value: dict[str, JsonValue], folder: str, parameter: str, where: str, word: Disclosable
    ) -> dict[str, JsonValue]:
        result = dict(value)
        if _is_remote(value):
            reference = Reference(str(value["location"]))
            name = _name(value, reference)
            path = f"{folder}/{name}"
            if path not in self._taken:
                self._taken[path] = reference
                self.files.append(_planned(value, reference, path, parameter, where, word))
            result["location"] = path
            result["basename"] = name
            for key in ("path", NAMED_BY, NAMED_AT, OPTIONAL):
                result.pop(key, None)
        listing = value.get("listing")
        if isinstance(listing, list) and not _is_remote(value):
            # A literal directory: its members need a place, the engine gathers them.
            result["listing"] = [
                self._value(item, parameter, f"{where}.listing[{i}]") for i, item in enumerate(listing)
            ]
        elif "listing" in result:
            del result["listing"]
        if "secondaryFiles" in value:
            companions = _objects(value["secondaryFiles"])
            result["secondaryFiles"] = [
                self._place(item, folder, parameter, f"{where}.secondaryFiles[{i}]", word)
                for i, item in enumerate(companions)
            ]
        return result

    def _folder(self, parameter: str, below: str, names: list[tuple[str, Reference]]) -> str:
        base = f"inputs/{safe_name(parameter)}{below}"
        clash = len({name for name, _ in names}) < len({(name, reference.uri) for name, reference in names})
        if clash:
            raise InputError(
                "a file and its secondary files have the same name", where=parameter, why=", ".join(n for n, _ in names)
            )
        if all(self._taken.get(f"{base}/{name}", reference) == reference for name, reference in names):
            return base
        # Names repeat by the thousand (`sample1/reads.fq`, `sample2/reads.fq`): count on, do not search.
        number = self._next.get(base, 2)
        while any(f"{base}/{number}/{name}" in self._taken for name, _ in names):
            number += 1
        self._next[base] = number + 1
        return f"{base}/{number}"


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def _is_remote(value: dict[str, JsonValue]) -> bool:
    location = value.get("location")
    # Below `workflow/` lie the workflow's own default files, which are staged with its documents.
    return isinstance(location, str) and bool(location) and not location.startswith("workflow/")


def _name(value: dict[str, JsonValue], reference: Reference) -> str:
    given = value.get("basename")
    if isinstance(given, str):
        given = given.rpartition("/")[2]
    return safe_name(given if isinstance(given, str) and given else reference.name, keep_control=reference.is_local)


def _below(value: dict[str, JsonValue]) -> str:
    """Return the folders that stand before the name to give: `/sub/dir`, empty for none."""
    parts = str(value.get("basename") or "").split("/")[:-1]
    return "".join(f"/{safe_name(part)}" for part in parts if part not in ("", ".", ".."))


def _planned(
    value: dict[str, JsonValue], reference: Reference, path: str, parameter: str, where: str, word: Disclosable
) -> PlannedInput:
    return PlannedInput(
        reference=reference,
        path=path,
        kind="directory" if value.get("class") == "Directory" else "file",
        parameter=parameter,
        expected=expected_of(value, where),
        host=reference.host,
        disclosable=word,
        named_by=Reference(str(value[NAMED_BY])) if NAMED_BY in value else None,
        named_at=str(value.get(NAMED_AT, "")),
        optional=value.get(OPTIONAL) is True,
    )


def expected_of(value: dict[str, JsonValue], where: str) -> Expected:
    """Read `checksum` (`ALGORITHM$HEX`) and `size` of a File object. Raises InputError for what cannot be held."""
    size = value.get("size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise InputError(f"size is {size!r}, not a number of bytes", where=where)
    checksum = value.get("checksum")
    if checksum is None:
        return Expected(size=size)
    algorithm, mark, text = str(checksum).partition("$")
    algorithm, text = algorithm.lower(), text.lower()
    if not mark or ALGORITHMS.get(algorithm) != len(text) or set(text) - set("0123456789abcdef"):
        raise InputError(
            f"checksum {checksum!r} cannot be held", where=where, remedy="write it as sha256$ and 64 hexadecimal digits"
        )
    if algorithm == "sha256":
        return Expected(sha256=text, size=size)
    return Expected(size=size, checksums=((algorithm, text),))


def with_digests(values: Values, digests: dict[str, str]) -> Values:
    """Return the values with each file reduced to what a result can depend on: class, name, digest, companions."""
    return {name: _digested(value, digests) for name, value in values.items()}


def _digested(value: JsonValue, digests: dict[str, str]) -> JsonValue:
    if isinstance(value, list):
        return [_digested(item, digests) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {key: _digested(item, digests) for key, item in value.items()}
    location = value.get("location")
    kept = {key: item for key, item in value.items() if key not in ("location", "path", "checksum", "size", "listing")}
    result = {key: _digested(item, digests) for key, item in kept.items()}
    if isinstance(location, str):
        result["sha256"] = digests.get(location, location)
    if "listing" in value:
        result["listing"] = _digested(value["listing"], digests)
    return result


def missing_locally(files: Iterable[PlannedInput]) -> list[str]:
    """Return a line for each local input that is not there, for all to be told at once.

    Raises MachineError for one that this user may not look at: that is not the same as missing.
    """
    lines = []
    for item in files:
        if not item.reference.is_local:
            continue
        path = item.reference.path
        if names_part(item.reference):
            if not _exists(path):
                lines.append(f"{item.place}: no such archive: {path}")
            continue
        kind = "folder" if item.kind == "directory" else "file"
        if not _exists(path):
            lines.append(f"{item.place}: no such {kind}: {path}")
        elif item.kind == "directory" and not path.is_dir():
            lines.append(f"{item.place}: a file where a directory is expected: {path}")
        elif item.kind == "file" and path.is_dir():
            lines.append(f"{item.place}: a directory where a file is expected: {path}")
    return lines


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise MachineError.of(error) from error
    return True
