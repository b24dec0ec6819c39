"""Inputs in the run directory are the user's files, to the time of their last change."""

import os
from pathlib import Path

from wfx.fetching import Fetched
from wfx.planning import PlannedInput
from wfx.references import Reference
from wfx.staging import _place_local
from wfx.store import Store

WHEN = 1_000_000_000


def test_copies_of_local_files_keep_the_time_of_change(tmp_path: Path) -> None:
    file, folder = tmp_path / "given/a", tmp_path / "given/d"
    (folder / "sub").mkdir(parents=True)
    for path in (file, folder / "sub/b"):
        path.write_text("x")
    for path in (file, folder / "sub/b", folder / "sub", folder):
        os.utime(path, (WHEN, WHEN))
    with Store(tmp_path / "store") as store:
        for kind, source in (("file", file), ("directory", folder)):
            sha256, size = store.hash_tree(source) if kind == "directory" else store.hash_file(source)
            reference, target = Reference.of_path(source), tmp_path / f"staged-{kind}"
            item = PlannedInput(reference, "inputs/x", kind, "x")  # type: ignore[arg-type]
            _place_local(item, Fetched(reference, kind, sha256, size, local=source), target, store)
            assert [path.stat().st_mtime for path in (target, *target.rglob("*"))] == [WHEN] * len(
                [target, *target.rglob("*")]
            )
