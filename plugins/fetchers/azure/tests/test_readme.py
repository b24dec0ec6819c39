"""What the README shows works, and its settings are those that there are."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from wfx.testing.commands import WfxRun
from wfx.testing.servers import FaultServer
from wfx_azure.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ wfx (.+)$", README, re.M)
LIST = "/account/container?restype=container&comp=list&prefix=run7%2F&maxresults=5000&include=metadata"


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, server: FaultServer, tmp_path: Path) -> None:
    server.add("/account/container/run7/reads.fq.gz", b"reads\n")
    blob = b"<Blob><Name>run7/reads.fq.gz</Name><Properties><Content-Length>6</Content-Length></Properties></Blob>"
    server.add(LIST, b"<EnumerationResults><Blobs>" + blob + b"</Blobs></EnumerationResults>")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True)
    (wfx.config / "config.toml").write_text(f'[fetcher.azure]\naccount = "lab1"\nendpoint = "{server.url}/account"\n')
    wfx.here(*shlex.split(line), env={"WFX_PLUGINS": "wfx-azure"})
    assert server.asked("/account/container/run7/reads.fq.gz")


def test_every_setting_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\|$", README, re.M)) == {each.name for each in fields(Settings)}
