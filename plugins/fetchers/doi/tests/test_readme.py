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
def test_an_example_fetches(line: str, services: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFX_PLUGINS", "wfx-doi,wfx-http")
    url = services.add("/files/reads.fq", b"ACGT")
    services.handle("10.5072/reads", ("URL", url))
    services.handle("20.500.12345/678", ("URL", url))
    services.prefix("pdb:2gc4", [url])
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True, exist_ok=True)
    settings = "".join(f'{name} = "{value}"\n' for name, value in services.sections["fetcher.doi"].items())
    (wfx.config / "config.toml").write_text(f"[fetcher.doi]\n{settings}")
    wfx.here(*shlex.split(line))
    assert services.asked("/files/reads.fq")
