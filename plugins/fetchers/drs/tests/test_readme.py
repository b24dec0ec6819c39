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
def test_an_example_fetches(line: str, repository: Any, identifiers: Any, bench: Any, tmp_path: Path) -> None:
    for identifier in ("314159", "a/b"):
        repository.put(identifier, b"ACGT", algorithms=["sha-256", "crc32c"])
    repository.bundle("set", {"one.fq": "314159"})
    identifiers("dg.4503:314159", repository.url + repository.path("314159"))
    resolver = bench.network["sections"]["fetcher.drs"]["resolver"]
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True, exist_ok=True)
    (wfx.config / "config.toml").write_text(
        f'[fetcher.drs]\nresolver = "{resolver}"\nservers = ["drs.example.org={repository.url}/ga4gh/drs/v1"]\n'
    )
    wfx.here(*shlex.split(line), env={"WFX_PLUGINS": "wfx-drs"})
    assert any(request.path.startswith("/data/") for request in repository.requests)
