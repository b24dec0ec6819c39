"""What the README shows works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun

EXAMPLES = re.findall(r"^\$ wfx (.+)$", (Path(__file__).parents[1] / "README.md").read_text("utf-8"), re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, serve: Callable[..., Any], tmp_path: Path) -> None:
    place = serve("/public.php/webdav" if "/s/" in line else "/")
    place.write("data/run7/reads.fq", b"reads\n")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.here(*shlex.split(re.sub(r"webdavs://\w+\.example\.org", place.url, line)), env={"WFX_PLUGINS": "wfx-webdav"})
    assert [path.rpartition("/")[2] for method, path in place.asked if method == "GET"] == ["reads.fq"]
