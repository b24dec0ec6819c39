"""Bring a run's outputs to their place."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from pathlib import Path
from typing import Any

from .names import path_of, uri_of


def publish(outputs: Any, target: Path, root: str, access: Any) -> Any:
    """Bring the outputs to their folder, as links to the engine's own files where that is safe; return the object."""
    from cwltool.pathmapper import PathMapper
    from cwltool.process import stage_files
    from cwltool.utils import adjustDirObjs, get_listing, visit_class

    adjustDirObjs(outputs, functools.partial(get_listing, access, recursive=True))
    found: list[Any] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("class") in ("File", "Directory"):
                found.append(value)
            else:
                for item in value.values():
                    collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    def real(value: Any) -> None:
        if value["location"].startswith(("file:", "/")):
            value["location"] = uri_of(Path(os.path.realpath(path_of(value["location"]))))

    collect(outputs)
    visit_class(found, ("File", "Directory"), real)
    shared = (f"{root}/inputs/", f"{root}/workflow/")

    def bring(source: str, destination: str) -> None:
        source = os.path.realpath(source)
        if os.path.isdir(source):
            shutil.copytree(source, destination, copy_function=bring, dirs_exist_ok=True)
            return
        if not source.startswith(shared):
            with contextlib.suppress(OSError):
                os.link(source, destination)
                return
        shutil.copyfile(source, destination)

    mapper = PathMapper(found, "", str(target), separateDirs=False)
    stage_files(mapper, stage_func=bring, symlink=False, fix_conflicts=True)

    def place(value: Any) -> None:
        value["location"] = uri_of(Path(mapper.mapper(value["location"])[1]))
        value.pop("contents", None)

    visit_class(outputs, ("File", "Directory"), place)
    visit_class(outputs, ("File",), functools.partial(_checksum, access))
    return outputs


def _checksum(access: Any, value: Any) -> None:
    from cwltool.process import compute_checksums

    compute_checksums(access, value)
