"""What the README shows works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from wfx.testing.commands import WfxRun

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ wfx (.+)$", README, re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, server: Any, tmp_path: Path) -> None:
    words = shlex.split(line)
    parts = urlsplit(words[-1])
    query = "" if "region=" in parts.query else f"?{parts.query}"
    kind = "VCF" if "/variants/" in parts.path else "BAM"
    server.publish(parts.path + query, [server.Part(b"data")], kind=kind)
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True)
    (wfx.config / "config.toml").write_text(f'[fetcher.htsget]\nservers = ["htsget.example.org={server.url}"]\n')
    wfx.here(*words, env={"WFX_PLUGINS": "wfx-htsget"})
    assert server.asked(parts.path + query)
