"""What a definition expects of the outputs: how many files there are to be, and whether they may be handed on."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wfx import disclosing
from wfx.disclosing import Disclosable
from wfx.documents import LoadedDocument
from wfx.errors import DefinitionError, InputError
from wfx.patterns import matcher
from wfx.values import JsonValue, Parameter, Values

KEY = "outputs"
KEYS = ("glob", "cardinality", "disclosable")
SIGNS: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
FOLDER = "outputs"


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """An output of the workflow, or the files that fit a pattern, and what is expected of them."""

    name: str
    """The workflow's output; with `glob` any name."""
    glob: str = ""
    """Pattern of files, relative to the folder of outputs."""
    least: int | None = None
    """Fewest files; None where nobody counts them."""
    most: int | None = None
    """Most files; None: any number."""
    disclosable: Disclosable = "yes"


# -- reading


def read(document: LoadedDocument) -> tuple[ExpectedOutput, ...]:
    """Read the key `outputs` of a definition. Raises DefinitionError with file:line."""
    assert isinstance(document.value, dict)
    said = document.value.get(KEY, {})
    if not isinstance(said, dict):
        raise DefinitionError(f"'{KEY}' takes a mapping", where=document.where((KEY,)))
    return tuple(_read(name, value, document) for name, value in said.items())


def _read(name: str, value: JsonValue, document: LoadedDocument) -> ExpectedOutput:
    if not isinstance(value, dict):
        raise DefinitionError(
            f"the output '{name}' takes a mapping", where=document.where((KEY, name)),
            remedy=f"its keys are {', '.join(KEYS)}",
        )  # fmt: skip
    for key in value:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"its keys are {', '.join(KEYS)}"
            raise DefinitionError(
                f"unknown key '{key}' of the output '{name}'", where=document.where((KEY, name, key)), remedy=hint
            )
    glob = value.get("glob", "")
    if not isinstance(glob, str) or (not glob and "glob" in value):
        raise DefinitionError(
            f"'glob' of the output '{name}' takes a pattern", where=document.where((KEY, name, "glob")),
            why=f"it is {glob!r}",
        )  # fmt: skip
    least, most = (1, 1) if glob else (None, None)
    key = "glob"
    try:
        matcher(glob)
        key = "disclosable"
        word = disclosing.read(value["disclosable"], name) if "disclosable" in value else "yes"
    except InputError as error:
        raise DefinitionError(
            f"output '{name}': {error.what}", where=document.where((KEY, name, key)), why=error.why
        ) from error
    if "cardinality" in value:
        count = cardinality(value["cardinality"])
        if count is None:
            raise DefinitionError(
                f"{value['cardinality']!r} is no cardinality of the output '{name}'",
                where=document.where((KEY, name, "cardinality")),
                remedy="it is a number, ?, *, + or [LEAST, MOST]",
            )
        least, most = count
    return ExpectedOutput(name, glob, least, most, word)


def cardinality(said: object) -> tuple[int, int | None] | None:
    """Return least and most of what stands under `cardinality`; None for what is none."""
    if isinstance(said, str):
        return SIGNS.get(said)
    both = [said, said] if _is_count(said) else said
    if not isinstance(both, list) or len(both) != 2 or not all(map(_is_count, both)) or both[0] > both[1]:
        return None
    return both[0], both[1]


def _is_count(said: object) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and said >= 0


def settle(
    expected: Sequence[ExpectedOutput], outputs: Sequence[Parameter], where: Callable[[str], str], *, strict: bool
) -> tuple[tuple[ExpectedOutput, ...], list[str]]:
    """Hold what is expected against the outputs that the workflow has; return what stands, and warnings.

    A name that the workflow lacks is a DefinitionError; where it is not `strict`, a warning, and nothing is expected.
    Raises InputError for a pattern that cannot be read: a crate's was read by nobody yet.
    """
    known = [parameter.id for parameter in outputs]
    kept: list[ExpectedOutput] = []
    warnings: list[str] = []
    for each in expected:
        if each.glob or each.name in known:
            matcher(each.glob)
            kept.append(each)
            continue
        near = difflib.get_close_matches(each.name, known, n=3)
        listed = f"the workflow's outputs are {', '.join(known)}" if known else "the workflow names no outputs"
        if strict:
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise DefinitionError(
                f"the workflow has no output '{each.name}'", where=where(each.name), why=listed,
                remedy=f"{meant}files that fit a pattern are named with `glob`",
            )  # fmt: skip
        warnings.append(f"the workflow has no output '{each.name}', so nothing is expected of it: {listed}")
    return tuple(kept), warnings


# -- after the run


def unmet(expected: Sequence[ExpectedOutput], outputs: Values, directory: Path) -> Iterator[str]:
    """Yield what is to be said of outputs whose number of files is another than expected."""
    below = files_below(directory) if any(each.glob for each in expected) else []
    for each in expected:
        if each.least is None:
            continue
        found = _fitting(each.glob, below) if each.glob else list(_outermost(outputs.get(each.name)))
        if len(found) < each.least or (each.most is not None and len(found) > each.most):
            fitting = f" that fit {each.glob}" if each.glob else ""
            yield f"the output '{each.name}' has {_count(len(found))}{fitting}, expected: {_bounds(each)}"


def files_of(each: ExpectedOutput, outputs: Values, directory: Path) -> Iterator[str]:
    """Yield each file of an expected output, those in its folders too, relative to the run directory."""
    if each.glob:
        yield from (f"{FOLDER}/{path}" for path in _fitting(each.glob, files_below(directory)))
        return
    for place in _places(outputs.get(each.name)):
        yield from (f"{place}/{path}" for path in files_below(directory, place))
        if (directory / place).is_file():
            yield place


def folders_of(each: ExpectedOutput, outputs: Values, directory: Path) -> set[str]:
    """Return the names of the folders that an output is."""
    places = [] if each.glob else list(_places(outputs.get(each.name)))
    return {place.rpartition("/")[2] for place in places if (directory / place).is_dir() and place != FOLDER}


def files_below(directory: Path, folder: str = FOLDER) -> list[str]:
    """Return the files in a folder of a run, relative to it."""
    top = directory / folder
    found = [Path(parent) / name for parent, _, names in os.walk(top) for name in names]
    return sorted(path.relative_to(top).as_posix() for path in found)


def _fitting(glob: str, paths: Sequence[str]) -> list[str]:
    return list(filter(matcher(glob), paths))


def _outermost(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the files and folders of a value, without those that belong to another."""
    if isinstance(value, list):
        for item in value:
            yield from _outermost(item)
    elif isinstance(value, dict):
        if value.get("class") in ("File", "Directory"):
            yield value
        else:
            for item in value.values():
                yield from _outermost(item)


def _places(value: Any) -> Iterator[str]:
    for item in _outermost(value):
        if isinstance(item.get("location"), str) and "://" not in item["location"]:
            yield item["location"].rstrip("/")
        yield from _places(item.get("secondaryFiles"))


def _count(number: int) -> str:
    return "no file" if number == 0 else "1 file" if number == 1 else f"{number} files"


def _bounds(each: ExpectedOutput) -> str:
    if each.most is None:
        return f"{each.least} or more"
    return str(each.least) if each.least == each.most else f"{each.least} to {each.most}"
