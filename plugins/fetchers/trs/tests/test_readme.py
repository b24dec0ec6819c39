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
def test_an_example_fetches(line: str, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFX_PLUGINS", "wfx-trs,wfx-http")
    files = {"main.cwl": b"class: Workflow\n", "tools/sort.cwl": b"class: CommandLineTool\n"}
    registry.crate(123, 2, files)
    registry.publish("sort", "v1.0", files)
    registry.base = "/api/ga4gh/trs/v2"
    registry.publish("#workflow/github.com/lab/flows/sort", "v1.0", files)
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True, exist_ok=True)
    (wfx.config / "config.toml").write_text(
        f'[fetcher.trs]\nworkflowhub = "{registry.url}"\ndockstore = "{registry.url}/api/ga4gh/trs/v2"\n'
        f'servers = ["registry.example.org={registry.url}/ga4gh/trs/v2"]\n'
    )
    wfx.here(*shlex.split(line))
    assert any("descriptor" in request.path or "ro_crate" in request.path for request in registry.requests)
