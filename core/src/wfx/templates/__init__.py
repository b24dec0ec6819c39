"""Templates of plugins: `write_plugin` makes a whole distribution that works, for an author to change into theirs.

The files lie beside this module, a folder a kind and `common` for all; in them, and in their names, `%%{name}` stands
for what is filled in. A template's name ends with `.tmpl` so that no tool takes it for what it will become.
"""

from __future__ import annotations

import re
import shutil
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from wfx import __version__
from wfx.errors import MachineError, UsageError
from wfx.installed import CORE, KINDS
from wfx.plugins import PUBLISHED
from wfx.versions import normal_name

SUFFIX = ".tmpl"
PREFIX = "wfx-"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.A)  # PEP 508, names
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.A)  # RFC 3986 §3.1
WORD = re.compile(r"[a-z][a-z0-9-]*", re.A)
# The templates' lines have room for as much.
LONGEST = 40
# Distributions that are ours, or are kept for us.
OURS = frozenset({
    "azure", "b2share", "bagit", "core", "crypt4gh", "cwl", "dataverse", "docker", "doi", "drs", "figshare", "file",
    "fsspec", "ftp", "galaxy", "git", "gs", "http", "nextflow", "oci", "osf", "podman", "ro-crate", "s3", "sftp",
    "singularity", "snakemake", "swh", "testing", "trs", "webdav", "workflowhub", "zenodo", "zip",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """What was written."""

    kind: str
    distribution: str
    module: str
    """Import package."""
    key: str
    folder: Path
    files: tuple[str, ...]
    """Paths below the folder."""


class _Template(string.Template):
    """Fills in `%%{name}` and nothing else: shell, Make, YAML and Python all have their own use for a lone `$`."""

    delimiter = "%%"
    pattern = r"%%(?:(?P<escaped>%%)|(?P<named>(?!))|\{(?P<braced>[a-z_]+)\}|(?P<invalid>))"  # type: ignore[assignment]


def write_plugin(kind: str, name: str, into: Path | None = None) -> NewPlugin:
    """Write a new plugin of a kind into the folder `into`, which must not exist; by default the distribution's name.

    Raises UsageError for a name that cannot be a distribution's or is ours, MachineError where there is something
    already; then nothing is written.
    """
    names = _names(kind, name)
    folder = into if into is not None else Path(names["distribution"])
    try:
        # Making it is the check: what somebody else makes at the same moment is not written into.
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise MachineError(
            "there is something already", where=str(folder), remedy="name another folder with --into"
        ) from error
    except OSError as error:
        raise MachineError.of(error) from error
    try:
        files = tuple(sorted(_write(kind, names, folder)))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MachineError.of(error) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return NewPlugin(kind, names["distribution"], names["module"], names["key"], folder, files)


def _write(kind: str, names: Mapping[str, str], folder: Path) -> Iterator[str]:
    root = resources.files(__name__)
    for part in ("common", kind.replace("-", "_")):
        for path, source in _files_of(root.joinpath(part), ""):
            target = _filled(path, names).removesuffix(SUFFIX)
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            (folder / target).write_text(_filled(source.read_text("utf-8"), names), "utf-8")
            yield target


def _files_of(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _files_of(item, f"{path}{item.name}/")
        elif item.name.endswith(SUFFIX):
            yield path + item.name, item


def _filled(text: str, names: Mapping[str, str]) -> str:
    return _Template(text).substitute(names)


def _names(kind: str, name: str) -> dict[str, str]:
    """Return what the templates fill in. Raises UsageError for a name that will not do."""
    if NAME.fullmatch(name) is None:
        raise UsageError(
            f"'{name}' cannot be the name of a distribution", why="it has letters, digits, and '.', '_' or '-' between them"
        )  # fmt: skip
    short = normal_name(name).removeprefix(PREFIX)
    if short in OURS or PREFIX + short in {package for keys in PUBLISHED.values() for package in keys.values()}:
        raise UsageError(f"{PREFIX}{short} is, or will be, a distribution of wfx itself", remedy="choose another name")
    if len(short) > LONGEST:
        raise UsageError(f"'{short}' has more than {LONGEST} characters", remedy="choose a shorter name")
    if not WORD.fullmatch(short):
        raise UsageError(f"'{short}' cannot be a key", why="a key begins with a letter", remedy="choose another name")
    key = f"{short}.bash" if kind == "engine" else short
    if key in PUBLISHED[kind] or (kind == "fetcher" and SCHEME.fullmatch(key) is None):
        raise UsageError(f"the {KINDS[kind][2]} '{key}' is one of wfx itself", remedy="choose another name")
    return {
        "distribution": PREFIX + short, "module": (PREFIX + short).replace("-", "_"), "key": key, "name": short,
        "core": CORE, "group": KINDS[kind][0],
        "kind": KINDS[kind][2], "requires": _requirement(__version__), "version": __version__,
    }  # fmt: skip


def _requirement(version: str) -> str:
    """Return which cores a plugin made for this one goes with: until the next version that may break it."""
    major, minor = [*re.findall(r"\d+", version), "0"][:2]
    return f">={major}.{minor},<{f'0.{int(minor) + 1}' if major == '0' else int(major) + 1}"
