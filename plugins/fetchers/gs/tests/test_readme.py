"""What the README shows works, and its settings are those that there are."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from wfx.testing.commands import WfxRun
from wfx.testing.servers import FaultServer
from wfx_gs.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ wfx (.+)$", README, re.M)
LIST = "/storage/v1/b/bucket/o?prefix=run7%2F&maxResults=1000&fields=items%28name%2Csize%2Cmd5Hash%2Ccrc32c%2CcontentEncoding%29"


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, server: FaultServer, tmp_path: Path, path_of: Callable[..., str]) -> None:
    server.add(path_of("run7/reads.fq.gz"), b"reads\n")
    server.add(f"{LIST}%2CnextPageToken", json.dumps({"items": [{"name": "run7/reads.fq.gz", "size": "6"}]}).encode())
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.here(*shlex.split(line), env={"STORAGE_EMULATOR_HOST": server.url, "WFX_PLUGINS": "wfx-gs"})
    assert server.asked(path_of("run7/reads.fq.gz"))


def test_every_setting_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\|$", README, re.M)) == {each.name for each in fields(Settings)}
