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
def test_an_example_fetches(line: str, b2share: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another distribution is not needed for the tests of this one: whoever fetches from the web is make-believe.
    points = {"wfx.fetchers": {"http": "make_believe_web", "https": "make_believe_web"}}
    write_distribution(tmp_path / "site", "wfx-web", entry_points=points, modules={"make_believe_web": WEB})
    monkeypatch.syspath_prepend(tmp_path / "site")
    b2share.record("abcde-12345", {"reads_1.fq.gz": b"@r1", "reads_2.fq.gz": b"@r2", "tables/a.csv": b"a,b"})
    b2share.redirect("/api/records/abcde-12345/versions/latest", "/api/records/abcde-12345")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True, exist_ok=True)
    (wfx.config / "config.toml").write_text(f'[fetcher.b2share]\nserver = "{b2share.url}"\n')
    wfx.here(*shlex.split(line), env={"WFX_PLUGINS": "wfx-b2share,wfx-web"})
    assert any(request.path.endswith("/content") for request in b2share.requests)
