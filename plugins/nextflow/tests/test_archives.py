"""A pipeline that lies in an archive in the web, as releases are handed out."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real
OTHER = "workflow OTHER {\n    file(\"${params.outdir}/other.txt\").text = 'other'\n}\n"


def archived(folder: Path, suffix: str) -> bytes:
    """Return a folder as the one folder at the top of an archive."""
    data = io.BytesIO()
    if suffix == "zip":
        with zipfile.ZipFile(data, "w") as zipped:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                zipped.write(path, f"words-1.0/{path.relative_to(folder)}")
    else:
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            tar.add(folder, "words-1.0")
    return data.getvalue()


@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_a_pipeline_in_an_archive_is_run(suffix: str, wfx: Any, pipeline: Any, tmp_path: Path) -> None:
    where = pipeline("words")
    (where / "bin/words.sh").chmod(0o755)
    with (where / "main.nf").open("a") as file:
        file.write(OTHER)
    (tmp_path / "a.txt").write_text("the cat and the dog\n")
    with FaultServer() as server:
        address = server.add(f"/words-1.0.{suffix}", archived(where, suffix))
        wfx("run", address, "-i", "texts=a.txt", "-o", "out")
    assert (tmp_path / "out/outputs/counts/a.counts").read_text() == "and 1\ncat 1\ndog 1\nthe 2\n"
    plan = json.loads((tmp_path / "out/plan.json").read_bytes())
    assert plan["workflow"]["reference"] == address
    assert plan["workflow"]["entry"].endswith("main.nf")
    assert [f for f in validate(tmp_path / "out", level="RECOMMENDED") if f.code not in PERSONAL] == []
    # Named within the archive, a workflow of it, from the store.
    inner = f"{address}#path=words-1.0/main.nf&process=OTHER"
    wfx("run", inner, "-o", "other", "--offline")
    assert (tmp_path / "other/outputs/other.txt").read_text() == "other"
    done = wfx("plan", f"{address}#path=words-1.0/none.nf", "--offline", check=None)
    assert done.exit_code in (3, 4), done
    assert "none.nf" in done.stderr
