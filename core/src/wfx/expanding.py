"""Put files in the place of what stands for many: patterns, folders elsewhere, members of archives, tables.

What they stand for must be known before a workflow's inputs can be checked, so this asks places, and fetches the
archives and tables themselves; the files that are named are planned, and fetched, like any other.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfx.errors import InputError, PolicyError
from wfx.fetching import Expected, ResolverFetcher, Source, StreamFetcher
from wfx.inputfiles import NAMED_AT, NAMED_BY, expected_of
from wfx.itemforms import NOTE, part_uri
from wfx.patterns import matcher
from wfx.references import SCHEME, Reference
from wfx.tables import Table, read_table
from wfx.treeparts import entry_of
from wfx.values import JsonValue, Parameter, Values, ValueType

if TYPE_CHECKING:
    from wfx.session import Session

MOST = 1_000_000
Item = dict[str, Any]


class _Many(list[Any]):
    """Several values in the place of one."""


@dataclass(slots=True)
class Expanding:
    """What is shared while one set of inputs is expanded."""

    session: Session

    def expand(self, values: Values, parameters: Sequence[Parameter]) -> Values:
        """Return the values with files in the place of what stands for many. Raises InputError and what a fetch raises."""
        kinds = {parameter.id: parameter.type for parameter in parameters}
        return {name: self._whole(value, kinds.get(name), name) for name, value in values.items()}

    def _whole(self, value: JsonValue, kind: ValueType | None, where: str) -> Any:
        result = self._value(value, kind, where)
        if not isinstance(result, _Many):
            return result
        takes_one = kind is not None and not any(t.kind in ("array", "any") for t in (kind, *kind.alternatives))
        return result[0] if takes_one and len(result) == 1 else list(result)

    def _value(self, value: JsonValue, kind: ValueType | None, where: str) -> Any:
        if isinstance(value, list):
            found: list[Any] = []
            for number, item in enumerate(value):
                new = self._value(item, None, f"{where}[{number}]")
                found += new if isinstance(new, _Many) else [new]
            return found
        if not isinstance(value, dict):
            return value
        note = value.get(NOTE)
        if isinstance(note, dict) and "expand" in note:
            return self._expanded(value, kind, where)
        return {key: self._inner(item, f"{where}.{key}") for key, item in value.items()}

    def _inner(self, value: JsonValue, where: str) -> Any:
        new = self._value(value, None, where)
        return list(new) if isinstance(new, _Many) else new

    def _expanded(self, value: Item, kind: ValueType | None, where: str) -> Any:
        note = {key: item for key, item in value[NOTE].items() if key != "expand"}
        how = value[NOTE]["expand"]
        plain = {**value, NOTE: note}
        if "columns" in how:
            return self._table(plain, how, kind, where)
        found = _Many(self._files(plain, how, where))
        if len(found) > MOST:
            raise InputError(f"more than {MOST} files match", where=where)
        return found

    # -- patterns

    def _files(self, value: Item, how: Item, where: str) -> Iterator[Item]:
        reference = Reference(value["location"])
        if "member" in how:
            yield from self._members(value, str(how["member"]), reference, where)
            return
        pattern = how.get("glob")
        if reference.is_local:
            yield from self._local(value, Path(how.get("path") or reference.path), pattern, where)
            return
        sources = self._listed(reference, listing=pattern is not None)
        if sources is None:
            if pattern is None:
                yield value  # its place has no patterns: it is a name
                return
            sources = self._in_tree(value, reference)
        fits = matcher(str(pattern)) if pattern is not None else lambda path: True
        chosen = [each for each in sources if fits(each.name or each.reference.name)]
        if not chosen:
            what = f"none of its {len(sources)} files fits {pattern}" if pattern else "nothing fits the pattern"
            raise InputError(what, where=str(reference), why=where)
        for each in sorted(chosen, key=lambda each: each.name or each.reference.name):
            if not reference.on_this_machine:
                _refuse_local(each.reference, str(reference))
            yield _item_of(each, value, reference)

    def _local(self, value: Item, path: Path, pattern: str | None, where: str) -> Iterator[Item]:
        text = str(path)
        if pattern is not None:
            text = os.path.join(glob.escape(text), pattern)
        elif os.path.lexists(path):
            yield value
            return
        found = sorted(each for each in glob.glob(text, recursive=True) if os.path.isfile(each))
        if not found:
            raise InputError("no file fits the pattern", where=text, why=where)
        for each in found:
            yield {**value, "class": "File", "location": Reference.of_path(Path(each)).uri}

    def _listed(self, reference: Reference, *, listing: bool) -> list[Source] | None:
        """Ask a place for the files that a reference means; None where it means no folder, or knows none."""
        net = self.session.net
        for cls in self.session.plugins.fetchers(reference):
            fetcher = cls()
            if isinstance(fetcher, StreamFetcher):
                files = fetcher.files(reference, net)
                if files is None and listing and not reference.uri.endswith("/"):
                    files = fetcher.files(Reference(f"{reference.uri}/"), net)
                return None if files is None else list(files)
            if not isinstance(fetcher, ResolverFetcher) or not listing:
                return None
            pinned = fetcher.pin(reference, net)
            found = list(fetcher.resolve(pinned.reference if pinned is not None else reference, net))
            if len(found) == 1 and found[0].reference != reference and not found[0].name:
                return self._listed(found[0].reference, listing=listing) or found
            if len(found) != 1 or found[0].reference != reference:
                return found
        return None

    def _in_tree(self, value: Item, reference: Reference) -> list[Source]:
        """Fetch a folder, and return its files as parts of it."""
        fetched, entries = self._tree(value, reference)
        whole, top = Reference(fetched.uri.partition("#")[0]), entry_of(fetched)
        return [
            Source(Reference(part_uri(whole.uri, f"{top}/{path}".lstrip("/"))), Expected(sha256, size), name=path)
            for path, sha256, size in entries
        ]

    def _tree(self, value: Item, reference: Reference) -> tuple[Reference, list[tuple[str, str, int]]]:
        note = value[NOTE]
        archive = note.get("archive", {})
        sums = dict(archive.get("checksums", {}))
        source = Source(
            reference, around=True, alternates=tuple(Reference(uri) for uri in note.get("alternates", ())),
            archive=Expected(sums.pop("sha256", None), archive.get("size"), tuple(sorted(sums.items()))),
        )  # fmt: skip
        [fetched] = self.session.fetch([source])
        if fetched.kind != "directory" or fetched.local is not None:
            raise InputError("it is one file, not a folder of many", where=str(reference))
        entries = self.session.store.manifest(fetched.sha256).entries
        files = [(item.path, item.sha256, item.size) for item in entries if item.sha256]
        return fetched.pinned or reference, files

    def _members(self, value: Item, pattern: str, reference: Reference, where: str) -> Iterator[Item]:
        _, entries = self._tree(value, reference)
        fits = matcher(pattern)
        found = sorted(path for path, _, _ in entries if fits(path))
        if not found:
            raise InputError(
                f"no member of the archive fits {pattern}", where=str(reference.without_fragment()),
                why=f"it has {', '.join(path for path, _, _ in entries[:8])}{', …' if len(entries) > 8 else ''}",
            )  # fmt: skip
        for path in found:
            name = path.rpartition("/")[2]
            yield {**value, "location": part_uri(reference.uri, path), "basename": name, NOTE: {**value[NOTE]}}

    # -- tables

    def _table(self, value: Item, how: Item, kind: ValueType | None, where: str) -> Any:
        reference = Reference(value["location"])
        note = value[NOTE]
        stated = expected_of(value, where)
        source = Source(
            reference, replace(stated, checksums=(*stated.checksums, *sorted(note.get("checksums", {}).items()))),
            alternates=tuple(Reference(uri) for uri in note.get("alternates", ())),
        )  # fmt: skip
        [fetched] = self.session.fetch([source])
        path = fetched.local or self.session.store.blob(fetched.sha256)
        if path is None or fetched.kind != "file":
            raise InputError("it is a folder, not a table", where=str(reference))
        name = value.get("basename") or fetched.name or reference.name
        shown = str(name) if reference.scheme == "data" else str(reference)
        table = read_table(path.read_bytes(), str(name), how, shown)
        base: Reference | Path = reference
        if reference.is_local:
            base = reference.path.parent
        elif reference.scheme == "data":
            base = Path(how["base"]) if not SCHEME.match(how["base"]) else Reference(how["base"])
        cells = {(row, column): self._cell(text, base, table, row, column) for row, column, text in table.cells()}
        if not reference.is_local and reference.scheme != "data":
            for (row, _), item in cells.items():
                _refuse_local(Reference(item["location"]), f"{shown}:{row + 1}")
                item |= {NAMED_BY: reference.uri, NAMED_AT: f"{shown}:{row + 1}"}
        if kind is not None and (fields := _rows_of(kind)) is not None:
            return _as_rows(table, cells, fields)
        return _beside(value, table, cells, how)

    def _cell(self, text: str, base: Reference | Path, table: Table, row: int, column: int) -> Item:
        try:
            location = Reference.parse(text, base)
        except Exception as error:
            raise InputError(f"{text!r} is no reference", where=f"{table.where}:{row + 1}", why=str(error)) from error
        return {"class": "File", "location": location.uri, "cell": text}


def _refuse_local(reference: Reference, where: str) -> None:
    if reference.on_this_machine:
        raise PolicyError(
            "what comes from elsewhere names a file of this machine", where=where, why=str(reference),
            remedy="look at it, and give that file as an input of your own",
        )  # fmt: skip


def _item_of(source: Source, value: Item, reference: Reference) -> Item:
    """Return a file that a place has listed."""
    note = dict(value[NOTE])
    item = {key: each for key, each in value.items() if key not in ("basename", "checksum", "size")}
    item |= {"class": "File", "location": source.reference.uri, NOTE: note}
    if source.name:
        item["basename"] = source.name.rpartition("/")[2]
    if source.reference.host != reference.host or source.reference.scheme != reference.scheme:
        item[NAMED_BY] = reference.uri
    stated = dict(source.expected.checksums)
    if source.expected.sha256:
        stated["sha256"] = source.expected.sha256
    note["checksums"] = stated
    if source.expected.size is not None:
        item["size"] = source.expected.size
    if source.licence and "licence" not in note:
        note["licence"] = [source.licence]
    if source.alternates:
        note["alternates"] = [mirror.uri for mirror in source.alternates]
    return item


def _rows_of(kind: ValueType) -> ValueType | None:
    """Return the type of a row where a table's rows are what is taken."""
    for offered in (kind, *kind.alternatives):
        if offered.kind == "array" and offered.items is not None and offered.items.kind == "record":
            return offered.items
    return None


def _as_rows(table: Table, cells: dict[tuple[int, int], Item], fields: ValueType) -> list[JsonValue]:
    names = table.heading()
    if not names:
        raise InputError("a table of which the rows are taken needs a heading", where=table.where)
    known = {field.name: field.type for field in fields.fields}
    rows: list[JsonValue] = []
    for number, row in enumerate(table.rows):
        if number < table.header or not any(cell.strip() for cell in row):
            continue
        record: dict[str, JsonValue] = {}
        for column, name in enumerate(names):
            text = row[column].strip() if column < len(row) else ""
            if (number, column) in cells:
                record[name] = {key: item for key, item in cells[number, column].items() if key != "cell"}
            elif text or name not in known:
                record[name] = _typed(text, known.get(name))
        rows.append(record)
    return rows


def _typed(text: str, kind: ValueType | None) -> JsonValue:
    from wfx.valuetypes import parse_text

    if kind is None:
        return text
    try:
        return parse_text(text, kind)
    except InputError:
        return text  # the check says what is wrong with it


def _beside(value: Item, table: Table, cells: dict[tuple[int, int], Item], how: Item) -> Item:
    """Return the table with its files as companions, each under a name of its own."""
    files: dict[str, Item] = {}
    taken = {str(value.get("basename") or Reference(value["location"]).name)}
    texts: dict[str, str] = {}
    for (row, _), item in cells.items():
        uri = item["location"]
        texts[item["cell"]] = uri
        if uri in files:
            continue
        name = Reference(uri).name or "file"
        if name in taken:
            name = f"{row + 1 - table.header}_{name}"
        number = 2
        while name in taken:
            name, number = f"{number}_{name}", number + 1
        taken.add(name)
        files[uri] = {**{key: each for key, each in item.items() if key != "cell"}, "basename": name}
        if "disclosable" in value:
            files[uri]["disclosable"] = value["disclosable"]
    note = {
        **value[NOTE],
        "table": {"columns": table.columns, "delimiter": table.delimiter, "header": table.header, "cells": texts},
    }
    given = value.get("secondaryFiles", [])
    return {**value, "secondaryFiles": [*given, *files.values()], NOTE: note}
