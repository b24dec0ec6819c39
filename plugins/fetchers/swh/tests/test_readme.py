"""What the README shows works, and its settings are those that there are."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun
from wfx_swh.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ wfx (fetch .+)$", README, re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, archive: Any, tmp_path: Path) -> None:
    # What the examples name is too large for a test; what stands in its place is of the same type.
    ours = {"dir": archive.tree({"COPYING": b"free"}), "cnt": archive.store("blob", b"free")}
    line = re.sub(r"swh:1:(\w+):[0-9a-f]{40}", lambda match: f"swh:1:{match[1]}:{ours[match[1]]}", line)
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True)
    (wfx.config / "config.toml").write_text(f'[fetcher.swh]\nserver = "{archive.url}"\n')
    wfx.here(*shlex.split(line), env={"WFX_PLUGINS": "wfx-swh"})
    assert any("/content/" in request.path for request in archive.requests)
    if " -o " in line:
        assert (tmp_path / "tree" / "COPYING").read_bytes() == b"free"


def test_every_setting_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\|$", README, re.M)) == {each.name for each in fields(Settings)}
