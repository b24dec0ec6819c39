"""What the README shows works, and its settings are those that there are."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from wfx.testing.commands import WfxRun
from wfx.testing.servers import FaultServer
from wfx_s3.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ wfx (.+)$", README, re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("/bucket/run7/reads.fq.gz", b"reads\n")
    server.add(
        "/bucket?encoding-type=url&list-type=2&max-keys=1000&prefix=run7%2F",
        b"<ListBucketResult><Contents><Key>run7/reads.fq.gz</Key><Size>6</Size></Contents></ListBucketResult>",
    )
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.here(*shlex.split(line), env={"AWS_ENDPOINT_URL_S3": server.url, "WFX_PLUGINS": "wfx-s3"})
    assert server.asked("/bucket/run7/reads.fq.gz")


def test_every_setting_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\|$", README, re.M)) == {each.name for each in fields(Settings)}
