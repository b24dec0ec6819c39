"""What the README shows works."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun

EXAMPLES = re.findall(r"^\$ wfx (.+)$", (Path(__file__).parents[1] / "README.md").read_text("utf-8"), re.M)


@pytest.mark.parametrize("line", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_fetches(line: str, place: Any, tmp_path: Path) -> None:
    place.write("data/run7/reads.fq", b"reads\n")
    place.write("run7/notes.txt", b"notes\n")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    ssh = tmp_path / "home" / "user" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    (ssh / "known_hosts").write_text(place.known())
    wfx.here(*shlex.split(line.replace("host.example.org", f"127.0.0.1:{place.port}")), env={"WFX_PLUGINS": "wfx-sftp"})
    assert place.logins == ["ada"]
    assert os.listdir(wfx.store)
