"""What the README shows works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"^\$ wfx (.+)$", README.read_text("utf-8"), re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFX_PLUGINS", "wfx-ftp")
    place.write("pub/run7/reads.fq", b"reads\n")
    place.write("pub/run8/more/reads.fq", b"more\n")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.here(*shlex.split(line.replace("ftp://ftp.example.org", place.url)))
    assert (wfx.store / "index.sqlite").exists() or any(wfx.store.rglob("*"))
