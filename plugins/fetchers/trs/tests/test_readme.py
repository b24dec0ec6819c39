"""What the README shows works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun
from wfx.testing.distributions import write_distribution

README = Path(__file__).parents[1] / "README.md"
WEB = """
from wfx.hookspecs import hookimpl
from wfx.testing.benches import PlainHttp

@hookimpl
def wfx_fetchers():
    return [PlainHttp]
"""
EXAMPLES = re.findall(r"^\$ wfx (.+)$", README.read_text("utf-8"), re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another distribution is not needed for the tests of this one: whoever fetches from the web is make-believe.
    points = {"wfx.fetchers": {"http": "make_believe_web", "https": "make_believe_web"}}
    write_distribution(tmp_path / "site", "wfx-web", entry_points=points, modules={"make_believe_web": WEB})
    monkeypatch.syspath_prepend(tmp_path / "site")
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
    wfx.here(*shlex.split(line), env={"WFX_PLUGINS": "wfx-trs,wfx-web"})
    assert any("descriptor" in request.path or "ro_crate" in request.path for request in registry.requests)
