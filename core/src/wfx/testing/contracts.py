"""What the contracts of the four kinds of plugin have in common."""

from __future__ import annotations

import base64
import importlib
import os
import traceback
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from wfx.plugins import KINDS

F = TypeVar("F", bound=Callable[..., Any])

USER = "ann"
SECRET = "canary-4f1e9b-s3cret"
WRONG = "canary-77aa02-wr0ng"


def applies(*shapes: str, needs: Iterable[str] = ()) -> Callable[[F], F]:
    """Say of a rule for which shapes of a plugin it holds, and what the author's side must be able to do for it."""

    def mark(function: F) -> F:
        function.__dict__["applies"] = (frozenset(shapes), frozenset(needs))
        return function

    return mark


def hide_what_does_not_apply(contract: type, shape: str, able: Iterable[str]) -> None:
    """Take the rules that are for others out of a contract's subclass, so that pytest neither runs nor skips them."""
    for name in dir(contract):
        shapes, needs = getattr(getattr(contract, name), "applies", (frozenset(), frozenset()))
        if (shapes and shape not in shapes) or not needs <= set(able):
            setattr(contract, name, None)


def check_keys(cls: type[Any], kind: str) -> None:
    """Hold the keys of a plugin's classes against the entry points of its distribution."""
    group, hook, _ = KINDS[kind]
    points = [
        point
        for point in metadata.entry_points(group=group)
        if cls.__module__ == point.module or cls.__module__.startswith(point.module + ".")
    ]
    assert points, (
        f"no entry point of the group {group!r} leads to {cls.__module__}; is the package installed, and was it again"
        " after its pyproject.toml changed?"
    )
    offered = [each for name in {point.module for point in points} for each in _offered(name, hook)]
    assert cls in offered, f"{hook} does not offer {cls.__name__}"
    assert cls.keys, f"{cls.__name__} has no keys"
    names, keys = {point.name for point in points}, {key for each in offered for key in each.keys}
    assert names == keys, "the names of the entry points are not the keys of the classes"


def _offered(module: str, hook: str) -> list[type[Any]]:
    return list(getattr(importlib.import_module(module), hook)())


def forms_of(secret: str, user: str = USER) -> tuple[str, ...]:
    """Return the texts by which a secret would be given away."""
    return secret, quote(secret, safe=""), base64.b64encode(f"{user}:{secret}".encode()).decode()


def texts_of(error: BaseException) -> list[str]:
    """Return all that an error could show to somebody: messages, representations and notes, of its causes too."""
    found: list[str] = []
    links: list[BaseException | None] = [error]
    seen: set[int] = set()
    while links:
        one = links.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found += [str(one), repr(one), *getattr(one, "__notes__", ())]
        found += traceback.format_exception_only(one)
        links += [one.__cause__, one.__context__]
    return found


def files_below(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return mode, size and time of change of everything below a folder, by path."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            info = os.lstat(path)
            # A folder's size and time change when something is put beside; what was put is in the list itself.
            times = (info.st_size, info.st_mtime_ns) if name in files else (0, 0)
            found[os.path.relpath(path, folder)] = (info.st_mode, *times)
    return found
