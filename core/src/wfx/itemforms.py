"""The short forms of files in inputs, brought to one long form that every engine knows.

`{file: …}`, `{directory: …}`, `{archive: …}` and `{table: …}` become `{"class": "File", "location": …}`. What only wfx
has a use for (mirrors, who is to be named, what is to be expanded) stands beside it under the key `NOTE`, which is taken
off again before an engine sees the value (`wfx.sidenotes`).
"""

from __future__ import annotations

import base64
import posixpath
from typing import Any

from wfx import checksums
from wfx.errors import InputError
from wfx.references import SCHEME
from wfx.treeparts import quoted_path

NOTE = "wfx:note"
STATED = ("sha256", "sha512", "sha1", "md5", "checksum", "size", "alternates")
TOLD = ("licence", "license", "attribution", "disclosable", "cacheable")
FORMS = {
    "file": {*STATED, *TOLD, "name", "secondary", "glob"},
    "directory": {*STATED, *TOLD, "name", "glob"},
    "archive": {*STATED, *TOLD, "member", "directory", "as", "name", "secondary"},
    "table": {*STATED, *TOLD, "name", "columns", "delimiter", "header", "contents"},
}
CWLS = ("sha256", "sha512", "sha1", "md5")
LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
SINGLE = (".gz", ".bz2", ".xz", ".zst", ".bgz")
PACKED_TARS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


def long_form(value: Any, where: str) -> Any:
    """Return the value with every short form in it made long. Raises InputError for one that is wrong."""
    if isinstance(value, list):
        return [long_form(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "class" not in value:
        for name in ("archive", "table", "file", "directory"):
            # A record of the workflow's may have a field of that name: then it has others too.
            if name in value and not set(value) - {name} - FORMS[name]:
                return _MAKERS[name](value, where)
    return {key: long_form(item, f"{where}.{key}") for key, item in value.items()}


def _file(value: dict[str, Any], where: str) -> dict[str, Any]:
    result = _located("File", value["file"], value, where)
    if "glob" in value:
        result[NOTE]["expand"] = {"glob": _text(value["glob"], "glob", where)}
    elif _is_pattern(result["location"]):
        result[NOTE]["expand"] = {}
    return _with_secondary(result, value, where)


def _directory(value: dict[str, Any], where: str) -> dict[str, Any]:
    result = _located("Directory", value["directory"], value, where)
    if "glob" in value:
        result["class"] = "File"
        result[NOTE]["expand"] = {"glob": _text(value["glob"], "glob", where)}
    return result


def _archive(value: dict[str, Any], where: str) -> Any:
    member, folder = value.get("member"), value.get("directory")
    if member is not None and folder is not None:
        raise InputError("'member' and 'directory' exclude each other", where=where)
    if isinstance(member, list):
        if not member or not all(isinstance(each, str) for each in member):
            raise InputError("'member' takes a path in the archive, or a list of them", where=where)
        return [_archive({**value, "member": each}, f"{where}.member[{i}]") for i, each in enumerate(member)]
    if isinstance(folder, bool) and folder:
        folder = ""
    path = folder if folder is not None else member if member is not None else ""
    if not isinstance(path, str):
        raise InputError("'member' takes a path in the archive, or a list of them", where=where)
    path = posixpath.normpath(path.lstrip("/")) if path else ""
    if path.startswith(".."):
        raise InputError(f"the member {path!r} leads out of the archive", where=where)
    given = dict(value)
    if "as" in given:
        given["name"] = given.pop("as")
    result = _located("File", value["archive"], given, where)
    note = result[NOTE]
    # What is stated is said of what is fetched: the archive.
    stated = note.pop("checksums", {})
    if "checksum" in result:
        algorithm, _, digits = result.pop("checksum").partition("$")
        stated[algorithm] = digits
    size = {"size": result.pop("size")} if "size" in result else {}
    if stated or size:
        note["archive"] = {**size, "checksums": stated}
    whole = result["location"]
    if member is not None and _is_pattern(path):
        note["expand"], note["part"] = {"member": path}, ""
        return _with_secondary(result, value, where)
    note["part"] = path
    is_folder = folder is not None or (isinstance(member, str) and member.endswith("/"))
    if member is None and folder is None:
        is_folder = not _is_single(whole)
    result["class"] = "Directory" if is_folder else "File"
    result["location"] = whole
    if "basename" not in result:
        name = path or whole.partition("#")[0].partition("?")[0].rstrip("/")
        result["basename"] = name.rpartition("/")[2] if path else bare_name(name.rpartition("/")[2])
    return _with_secondary(result, value, where)


def _table(value: dict[str, Any], where: str) -> dict[str, Any]:
    columns = value.get("columns")
    if not isinstance(columns, list) or not columns or not all(
        isinstance(each, (str, int)) and not isinstance(each, bool) for each in columns
    ):  # fmt: skip
        raise InputError(
            "a table needs 'columns': the names (or numbers, from 0) of those that hold references", where=where
        )
    header = value.get("header", True)
    header = int(header) if isinstance(header, bool) else header
    delimiter = value.get("delimiter")
    if not isinstance(header, int) or header < 0:
        raise InputError("'header' takes true, false or a number of lines", where=where)
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise InputError("'delimiter' takes one character", where=where)
    if not header and any(isinstance(each, str) for each in columns):
        raise InputError("columns without a header are numbers, from 0", where=where)
    given, contents = value["table"], value.get("contents")
    if contents is not None:
        # It stands in the definition itself, under a name of its own.
        data = base64.b64encode(_text(contents, "contents", where).encode()).decode()
        value = {"name": given, **value}
        given = f"data:text/plain;charset=UTF-8;base64,{data}"
    result = _located("File", given, value, where)
    result[NOTE]["expand"] = {"columns": columns, "delimiter": delimiter, "header": header}
    return result


_MAKERS = {"file": _file, "directory": _directory, "archive": _archive, "table": _table}


def _located(kind: str, given: Any, value: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the long form of what is at a reference, or at the first of several that are the same."""
    places = given if isinstance(given, list) else [given]
    more = value.get("alternates", [])
    places = [*places, *(more if isinstance(more, list) else [more])]
    if not places or not all(isinstance(place, str) and place for place in places):
        raise InputError("a reference is a text, mirrors of it a list of texts", where=where)
    note: dict[str, Any] = {}
    if len(places) > 1:
        note["alternates"] = places[1:]
    result: dict[str, Any] = {"class": kind, "location": places[0], NOTE: note}
    stated = _checksums(value, where)
    if stated:
        # One in CWL's own form, which engines know, and the others beside it.
        first = next((name for name in CWLS if name in stated), None)
        if first is not None:
            result["checksum"] = f"{first}${stated.pop(first)}"
        if stated:
            note["checksums"] = stated
    if "size" in value:
        result["size"] = value["size"]
    if "name" in value:
        result["basename"] = _name(value["name"], where)
    if "disclosable" in value:
        result["disclosable"] = value["disclosable"]
    for key, name in (("licence", "licence"), ("license", "licence"), ("attribution", "attribution")):
        if key in value:
            told = value[key] if isinstance(value[key], list) else [value[key]]
            if not all(isinstance(each, str) and each for each in told):
                raise InputError(f"'{key}' takes a text, or a list of texts", where=where)
            note[name] = told
    if "cacheable" in value:
        if not isinstance(value["cacheable"], bool):
            raise InputError("'cacheable' takes true or false", where=where)
        note["cacheable"] = value["cacheable"]
    return result


def _with_secondary(result: dict[str, Any], value: dict[str, Any], where: str) -> dict[str, Any]:
    if "secondary" in value:
        given = value["secondary"]
        items = given if isinstance(given, list) else [given]
        found: list[Any] = []
        for number, item in enumerate(items):
            one = long_form({"file": item} if isinstance(item, str) else item, f"{where}.secondary[{number}]")
            found += one if isinstance(one, list) else [one]
        if not all(isinstance(item, dict) and item.get("class") in ("File", "Directory") for item in found):
            raise InputError("'secondary' takes references, or forms of files", where=where)
        result["secondaryFiles"] = found
    return result


def _checksums(value: dict[str, Any], where: str) -> dict[str, str]:
    """Return what is stated, by algorithm: `sha256: HEX`, or `checksum: md5:HEX` for any that is known."""
    given: list[tuple[str, Any]] = [(key, value[key]) for key in ("sha256", "sha512", "sha1", "md5") if key in value]
    more = value.get("checksum", [])
    for text in more if isinstance(more, list) else [more]:
        algorithm, _, digits = str(text).replace("$", ":", 1).partition(":")
        given.append((algorithm.strip().lower().replace("sha-", "sha"), digits))
    found: dict[str, str] = {}
    for algorithm, digits in given:
        digits = str(digits).strip().lower()
        length = LENGTHS.get(algorithm, len(digits))
        if (
            not checksums.known(algorithm)
            or not digits
            or len(digits) != length
            or set(digits) - set("0123456789abcdef")
        ):
            raise InputError(
                f"the checksum {algorithm}:{digits} cannot be held", where=where,
                remedy="write it as checksum: ALGORITHM:HEX, as in md5:9e107d9d372bb6826bd81d3542a419d6",
            )  # fmt: skip
        if found.setdefault(algorithm, digits) != digits:
            raise InputError(f"two checksums by {algorithm} differ", where=where)
    return found


def _name(name: Any, where: str) -> str:
    """Return a name to give, which may have folders before it."""
    text = _text(name, "name", where)
    parts = text.split("/")
    if "\0" in text or not {"", ".", ".."}.isdisjoint(parts):
        raise InputError(f"the name {text!r} is no path below a folder", where=where, remedy="write it as sub/x.txt")
    return text


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"'{key}' takes a text", where=where)
    return value


def _is_pattern(text: str) -> bool:
    # A query's `?` is no wildcard.
    if SCHEME.match(text):
        text = text.partition("?")[0]
        return "*" in text or ("[" in text and "://[" not in text)
    return any(c in text for c in "*?[")


def bare_name(name: str) -> str:
    """Return an archive's name without what says how it is packed."""
    for suffix in (*PACKED_TARS, ".tgz", ".tbz2", ".txz", ".tar", ".zip", *SINGLE):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def _is_single(text: str) -> bool:
    name = text.partition("?")[0].rpartition("/")[2].lower()
    return name.endswith(SINGLE) and not name.endswith(PACKED_TARS)


def part_uri(whole: str, path: str) -> str:
    """Return the reference of a path in an archive."""
    return f"{whole.partition('#')[0]}#path={quoted_path(path)}"
