"""Published files made real: no link into Nextflow's work folder stays, and each is known by the step that made it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .tasks import Recorder

# What Nextflow itself leaves in the folder in which it is started.
OWN = (".nextflow", "work")
Bring = Callable[[str, str], str]


def gather(outputs: Path, launch: Path, recorder: Recorder, *, keep_work: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the published files by step. What a pipeline has written beside its output folder is moved there.

    With `keep_work` files are copied, because the work folder is needed again; else they may be links of one file, whose
    other name goes away.
    """
    bring = _bringing("" if keep_work else f"{recorder.work}/")
    make_real(outputs, bring)
    moved = _adopt(launch, outputs, bring)
    found: dict[str, list[dict[str, Any]]] = {}
    for path in _files(outputs):
        step = recorder.step_of(path) or recorder.step_of(moved.get(path, "")) or recorder.rest
        about = recorder.digests.of(path)
        found.setdefault(step, []).append(
            {"class": "File", "location": path[len(recorder.root) + 1 :], "basename": os.path.basename(path), **about}
        )
    return found


def _files(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def make_real(folder: Path, bring: Bring) -> None:
    """Replace each link by what it leads to; a link that leads nowhere goes."""
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                continue
            target = os.path.realpath(path)
            os.unlink(path)
            if os.path.isdir(target):
                shutil.copytree(target, path, copy_function=bring)
            elif os.path.isfile(target):
                bring(target, path)


def _bringing(linked: str) -> Bring:
    """Return the function that brings a file to its place: a second name for what lies below `linked`, else a copy."""

    def bring(source: str, target: str) -> str:
        if linked and source.startswith(linked) and not os.path.islink(source):
            try:
                os.link(source, target)
            except OSError:
                return str(shutil.copy2(source, target))
            return target
        return str(shutil.copy2(source, target))

    return bring


def _adopt(launch: Path, outputs: Path, bring: Bring) -> dict[str, str]:
    """Move what lies in the launch folder to the outputs; return new path → old path of each file."""
    moved: dict[str, str] = {}
    for entry in sorted(launch.iterdir()):
        if entry.name in OWN or entry.name.startswith(".nextflow"):
            continue
        target = outputs / entry.name
        if entry.is_symlink() or entry.is_file():
            target.unlink(missing_ok=True)
            shutil.move(entry, target)
        else:
            shutil.copytree(entry, target, symlinks=True, dirs_exist_ok=True, copy_function=os.replace)
            shutil.rmtree(entry, ignore_errors=True)
    make_real(outputs, bring)
    for path in _files(outputs):
        moved[path] = str(launch) + path[len(str(outputs)) :]
    return moved
