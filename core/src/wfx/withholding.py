"""Keep what may not be disclosed out of what is handed on: bytes, names, and where they came from."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import quote

from wfx.disclosing import Disclosable, strictest
from wfx.expectedoutputs import files_of, folders_of
from wfx.fetching import Expected
from wfx.packing import Member
from wfx.planning import Plan, PlannedInput
from wfx.records import encode
from wfx.references import Reference
from wfx.running import RunRecord, without_local_paths
from wfx.staging import Lock, Locked

SHORTEST_NAME, SHORTEST_STEM = 3, 4
"""Shorter ones say nothing of anybody, and stand in too many other words."""
MOST_TEXT = 64 * 2**20
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
LABEL = "withheld"
VOCABULARY = frozenset({"ComputerLanguage", "SoftwareApplication", "CreativeWork", "Profile"})
"""Types of what a crate's metadata speak of by addresses of their own."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """An input, or a file of an output, that may not be handed on."""

    item: PlannedInput
    locked: Locked | None
    label: str
    """What stands in place of its name; its name where that may be told."""
    part: Literal["input", "output"] = "input"
    names: dict[str, str] = field(default_factory=dict)
    """Names that may not be told, its own and those of the files in it, and what stands in place of each."""

    @property
    def word(self) -> Disclosable:
        """What its definition says."""
        return self.item.disclosable

    @property
    def shown(self) -> str:
        """Return its path as it may be told."""
        return f"{self.item.path.rpartition('/')[0]}/{self.label}"


def withheld(record: RunRecord, crate: Path) -> list[Withheld]:
    """Return the inputs of a run, and the files of its outputs, that its definition does not let out."""
    locked = {item.path: item for item in record.lock.items}
    found = []
    for item in record.plan.files:
        if item.disclosable == "yes":
            continue
        name = item.path.rpartition("/")[2]
        if item.disclosable == "name":
            found.append(Withheld(item, locked.get(item.path), name))
            continue
        label = f"{LABEL}-{1 + sum(1 for each in found if each.word == 'no')}"
        names = _stand_ins(label, dict.fromkeys((name, item.reference.name)))
        if item.kind == "directory":
            below = sorted({part.name for part in (crate / item.path).rglob("*")})
            for number, part in enumerate(below, 1):
                names = {**_stand_ins(f"{label}-{number}", [part]), **names}
        found.append(Withheld(item, locked.get(item.path), names[name], names=names))
    there = {each.item.path for each in found}
    hidden = sum(1 for each in found if each.word == "no")
    for item, folders in _outputs(record, crate):
        if item.path in there or any(item.path.startswith(f"{path}/") for path in there):
            continue
        name = item.path.rpartition("/")[2]
        names = {}
        if item.disclosable == "no":
            hidden += 1
            label = f"{LABEL}-{hidden}"
            names = {**_stand_ins(label, sorted(folders)), **_stand_ins(label, [name])}
        found.append(Withheld(item, _seen(item, crate), names.get(name, name), "output", names))
    return found


def _outputs(record: RunRecord, crate: Path) -> Iterator[tuple[PlannedInput, set[str]]]:
    """Yield the files of outputs that may not be handed on, as if they were inputs, and the names of their folders."""
    words: dict[str, Disclosable] = {}
    owners: dict[str, tuple[str, set[str]]] = {}
    for each in record.plan.outputs:
        if each.disclosable == "yes":
            continue
        folders = folders_of(each, record.outputs, crate) if each.disclosable == "no" else set()
        for path in files_of(each, record.outputs, crate):
            words[path] = strictest(words.get(path, "yes"), each.disclosable)
            owners.setdefault(path, (each.name, set()))[1].update(folders)
    for path, word in sorted(words.items()):
        name, folders = owners[path]
        place = Reference.of_path(crate / path)
        yield PlannedInput(place, path, "file", name, disclosable=word), folders


def _seen(item: PlannedInput, crate: Path) -> Locked:
    """Return digest and size of an output."""
    path = crate / item.path
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Locked(item.path, "file", sha256, path.stat().st_size, item.reference)


def _stand_ins(label: str, names: Iterable[str]) -> dict[str, str]:
    """Return what stands in place of names, and of their stems, after which outputs are called; the suffix stays."""
    found: dict[str, str] = {}
    for name in names:
        stem, suffix = _parted(name)
        found[name] = label + suffix
        for part in (stem, stem.partition(".")[0]):
            if len(part) >= SHORTEST_STEM:
                found.setdefault(part, label)
    found.pop("", None)
    return found


def _parted(name: str) -> tuple[str, str]:
    path = PurePosixPath(name)
    packed = path.suffix if path.suffix.lower() in PACKED else ""
    path = PurePosixPath(name.removesuffix(packed)) if packed else path
    return path.stem, path.suffix + packed


# -- bytes


def copies(members: Iterable[Member], kept_back: Sequence[Withheld], crate: Path) -> Iterator[tuple[Member, Withheld]]:
    """Yield the files elsewhere in the crate that have the bytes of what may not be handed on.

    A step may pass an input on as it is, and so make an output of it. The workflow's own files were there before.
    """
    by_size: dict[int, list[tuple[Path, Withheld]]] = {}
    for each in kept_back:
        place = crate / each.item.path
        files = [place] if each.item.kind == "file" else [p for p in place.rglob("*") if p.is_file()]
        for file in files:
            if file.is_file() and (size := file.stat().st_size):
                by_size.setdefault(size, []).append((file, each))
    for member in members:
        candidates = by_size.get(member.size, ())
        if not candidates or member.path.startswith("workflow/") or not isinstance(member.source, Path):
            continue
        match = next((each for file, each in candidates if _same(member.source, file)), None)
        if match is not None:
            yield member, match


def _same(first: Path, second: Path) -> bool:
    with first.open("rb") as a, second.open("rb") as b:
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


# -- names


@dataclass(slots=True)
class Eraser:
    """Puts labels in place of names that may not be told, in any text and in every way of writing them."""

    _words: dict[str, str] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, kept_back: Sequence[Withheld], record: RunRecord, terms: Iterable[str] = ()) -> Eraser:
        """Make one for what is kept back of a run.

        What the workflow itself calls something is left, whatever it is, and `terms`, without which nobody can read the
        crate's metadata.
        """
        own = _own_words(record) | set(terms)
        words: dict[str, str] = {}
        for each in kept_back:
            references = [each.item.reference, each.item.pinned, each.item.named_by, *each.item.alternates]
            if each.locked is not None:
                references += [each.locked.origin, each.locked.pinned, *each.locked.hops]
            for reference in filter(None, references):
                if not reference.on_this_machine:
                    words[str(reference)] = f"local:{each.label}"
            if each.word == "no":
                words[each.item.path] = each.shown
            for name, instead in each.names.items():
                if len(name) >= SHORTEST_NAME and name not in own:
                    words.setdefault(name, instead)
        return cls({form: label for word, label in words.items() for form in _forms(word)})

    def __bool__(self) -> bool:
        return bool(self._words)

    def __call__(self, text: str) -> str:
        """Return a text without the names."""
        if not self._words:
            return text
        if self._pattern is None:
            longest_first = sorted(self._words, key=len, reverse=True)
            self._pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W_])")
        return self._pattern.sub(lambda match: self._words[match[0]], text)

    def bytes(self, data: bytes) -> bytes:
        """Return the bytes of a text without the names."""
        return self(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def member(self, member: Member) -> Member:
        """Return a text of the crate without the names; its own bytes where they have none."""
        if member.is_folder or member.size > MOST_TEXT:
            return member
        with member.open() as file:
            data = file.read()
        clean = self.bytes(data)
        return member if clean == data else dataclasses.replace(member, source=clean, size=len(clean))


def _forms(word: str) -> set[str]:
    """Return a word as it stands in plain text, JSON, addresses, ids and markup."""
    raw = word.encode("utf-8", "surrogateescape")
    forms = {word, quote(raw), quote(raw, safe="/:,@+="), quote(raw, safe=""), json.dumps(word)[1:-1]}
    forms |= {json.dumps(word, ensure_ascii=False)[1:-1]}
    return forms | {html.escape(form) for form in forms}


def _own_words(record: RunRecord) -> set[str]:
    """Return the words of the workflow itself, and those that a crate's metadata are written in."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(key)
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, str):
            found.add(value)
            found.update(re.findall(r"\w+", value))

    walk(encode(record.plan.description))
    for document in record.plan.workflow.documents:
        found.update(PurePosixPath(document.path).parts)
        found.add(PurePosixPath(document.path).name.partition(".")[0])
    for fixed in ("inputs", "outputs", "workflow", "logs", "metadata", "preview", "plan", "lock", "record", "File"):
        found.add(fixed)
    return found


def terms_of(metadata: bytes) -> set[str]:
    """Return the words of the vocabulary in which a crate's metadata are written, which may be names of files too."""
    document = json.loads(metadata.decode("utf-8-sig"))
    said: list[Any] = [document.get("@context"), list(document)]
    for entity in document.get("@graph", ()):
        said += [list(entity), entity.get("@type"), entity.get("conformsTo")]
        types = entity.get("@type")
        if VOCABULARY & set(types if isinstance(types, list) else [types]):
            said.append(entity.get("@id"))
    return set(re.findall(r"\w+", json.dumps(said, ensure_ascii=False)))


# -- plan and lock


def without_origins(record: RunRecord, kept_back: Sequence[Withheld]) -> dict[str, bytes]:
    """Return `plan.json` and `lock.json` in which nothing says where what is kept back came from."""
    labels = {each.item.path: each.label for each in kept_back}
    files = tuple(_nowhere(item, labels.get(item.path)) for item in record.plan.files)
    items = tuple(_from_nowhere(item, labels.get(item.path)) for item in record.lock.items)
    plan: Plan = dataclasses.replace(record.plan, files=files)
    lock: Lock = dataclasses.replace(record.lock, items=items)
    return {"plan.json": _text(plan), "lock.json": _text(lock)}


def _nowhere(item: PlannedInput, label: str | None) -> PlannedInput:
    if label is None:
        return item
    # Made anew with what may be told: a field that comes later is not let out for being forgotten here.
    expected = Expected(item.expected.sha256, item.expected.size)
    return PlannedInput(
        Reference(f"local:{quote(label)}"), item.path, item.kind, item.parameter, expected,
        known_sha256=item.known_sha256, known_size=item.known_size, optional=item.optional, disclosable=item.disclosable,
    )  # fmt: skip


def _from_nowhere(item: Locked, label: str | None) -> Locked:
    if label is None:
        return item
    origin = Reference(f"local:{quote(label)}")
    return Locked(item.path, item.kind, item.sha256, item.size, origin, media_type=item.media_type)


def _text(value: object) -> bytes:
    made = json.dumps(without_local_paths(encode(value)), ensure_ascii=False, indent=1)
    return made.encode("utf-8", "surrogateescape")


def is_text_of_wfx(path: str) -> bool:
    """Say whether a file of a crate is a text in which names of inputs may stand: wfx's own, or a log."""
    return path in ("inputs.json", "comparison.json") or path.startswith("logs/")
