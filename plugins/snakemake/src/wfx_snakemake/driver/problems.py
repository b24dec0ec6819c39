"""What is wrong with a workflow, in a line with the place in its Snakefile, from what Snakemake says of it."""

from __future__ import annotations

import os
import posixpath
import re
import traceback
from pathlib import Path
from typing import Any

LONGEST = 600
BESIDE = "give it as an input of the workflow, or put it beside the Snakefile"


class Broken(Exception):
    """Something that the user has to know of: `kind` is `document`, `input` or `engine`."""

    def __init__(self, kind: str, what: str, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.answer = {"kind": kind, "what": what, "where": where, "why": why, "remedy": remedy}


def broken(error: BaseException, linemaps: dict[str, dict[int, int]], places: Places) -> Broken:
    """Turn an exception of Snakemake, or of the Snakefile, into a message."""
    from snakemake.exceptions import MissingInputException, MissingRuleException, WorkflowError

    ours = ours_in(error)
    if ours is not None:
        return ours
    where = place_of(error, linemaps, places)
    text = places.clean(str(error))
    if isinstance(error, SyntaxError):
        shown = (error.text or "").strip()
        return Broken("document", "it is not valid Snakemake", where, f"{error.msg}{f': {shown}' if shown else ''}")
    if isinstance(error, MissingRuleException):
        # "No rule to produce x (if you use input functions make sure …)."
        return Broken("document", "unknown target", where, one_line(text.partition("(if you")[0]),
                      "name a rule, or a file that a rule makes")  # fmt: skip
    if isinstance(error, MissingInputException):
        return Broken("input", "a rule's input is missing", where, one_line(text), BESIDE)
    if isinstance(error, KeyError):
        key = error.args[0] if error.args else ""
        return Broken("input", f"the config key {key!r} is missing", where, remedy=f"give it with -i {key}=VALUE")
    if text.startswith("Error validating"):
        said = text.partition("\n")[2].partition("\n\nFailed validating")[0].removeprefix("ValidationError: ")
        return Broken("input", "the config does not fit its schema", where, one_line(said or text))
    if isinstance(error, FileNotFoundError) and error.filename:
        return Broken("input", f"there is no file {places.clean(str(error.filename))}", where, remedy=BESIDE)
    if isinstance(error, WorkflowError):
        return Broken("document", "Snakemake refuses it", where, one_line(text))
    return Broken("document", "it cannot be read", where, one_line(f"{type(error).__name__}: {text}"))


def ours_in(error: BaseException) -> Broken | None:
    """Return the message of ours that Snakemake has wrapped into one of its own."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, Broken):
            return cause
        seen.add(id(cause))
        inner = next((e for e in getattr(cause, "exceptions", ()) if isinstance(e, BaseException)), None)
        cause = inner or cause.__cause__ or cause.__context__
    return None


def one_line(text: str) -> str:
    """Return a text as one line of bearable length."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def place_of(error: BaseException, linemaps: dict[str, dict[int, int]], places: Places) -> str:
    """Return FILE:LINE of the innermost place in a Snakefile that has to do with an exception."""
    file = getattr(error, "snakefile", None) or getattr(error, "filename", None)
    line = getattr(error, "lineno", None)
    if isinstance(error, OSError) or not (file and line):
        frames = traceback.extract_tb(error.__traceback__)
        found = [(f.filename, f.lineno) for f in frames if f.filename in linemaps or places.owns(f.filename)]
        if not found:
            return places.entry
        file, line = found[-1]
    file = str(file)
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and frames and frames[-1].filename.endswith("snakemake/parser.py"):
        # Its parser counts the author's lines, Python's those of the translation.
        return f"{places.clean(file)}:{line}"
    if file in linemaps and line in linemaps[file]:
        line = linemaps[file][line]
    return f"{places.clean(file)}:{line}"


def address_of(source: Any) -> str:
    """Return the path or address of one of Snakemake's source files, or of a text that stands for one."""
    look = getattr(source, "get_path_or_uri", None)
    if look is None:
        return str(source)
    try:
        return str(look(secret_free=True))
    except TypeError:  # Snakemake 8
        return str(look())


def folder_of(entry: str) -> str:
    """Return the folder that rules' paths are relative to: the Snakefile's, or the one above `workflow/`."""
    folder = posixpath.dirname(entry)
    return posixpath.dirname(folder) if posixpath.basename(folder) == "workflow" else folder


class Places:
    """Writes paths for others to read."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.tree, self.entry, self.state = Path(message["tree"]), str(message["entry"]), Path(message["state"])
        self.root = Path(message.get("root") or self.tree.parent)

    def owns(self, path: str) -> bool:
        """Say whether a file is one of the workflow's."""
        return path.startswith(f"{self.tree}/")

    def relative(self, path: str | os.PathLike[str]) -> str:
        """Return a path relative to the run directory."""
        return str(path).removeprefix(f"{self.root}/")

    def clean(self, text: str) -> str:
        """Take the paths of this machine out of a text: documents are named as they lie in the tree."""
        for folder in (self.tree, self.state / "work", self.state / "describe", self.root):
            text = text.replace(f"{folder}/", "").replace(str(folder), ".")
        home = os.environ.get("HOME", "")
        text = text.replace(home, "~") if len(home) > 1 else text
        return re.sub(r"\x1b\[[0-9;]*m", "", text)
