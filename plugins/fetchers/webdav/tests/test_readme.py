"""What the README shows works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun

EXAMPLES = re.findall(r"^\$ wfx (.+)$", (Path(__file__).parents[1] / "README.md").read_text("utf-8"), re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, serve: Callable[..., Any], tmp_path: Path) -> None:
    place = serve("/public.php/webdav" if "/s/" in line else "/")
    place.write("data/run7/reads.fq", b"reads\n")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.here(*shlex.split(re.sub(r"webdavs://\w+\.example\.org", place.url, line)), env={"WFX_PLUGINS": "wfx-webdav"})
    assert [path.rpartition("/")[2] for method, path in place.asked if method == "GET"] == ["reads.fq"]


def test_a_log_in_is_tried_out_on_a_folder(serve: Callable[..., Any], tmp_path: Path) -> None:
    place = serve(users={"ada": "pass-w0rd"})
    place.write("data/a", b"a\n")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True)
    path = wfx.config / "credentials.toml"
    for password, code in (("pass-w0rd", 0), ("wrong-w0rd", 4)):
        path.write_text(f'["{place.url}"]\nusername = "ada"\npassword = "{password}"\n')
        path.chmod(0o600)
        ran = wfx.here(
            "config", "credentials", "test", f"{place.url}/data/", env={"WFX_PLUGINS": "wfx-webdav"}, check=code
        )
        assert "w0rd" not in ran.stdout + ran.stderr
