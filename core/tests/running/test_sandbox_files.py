"""What is hidden of /etc in the sandbox: not what is there for a moment only."""

from __future__ import annotations

import threading
from pathlib import Path

from wfx import sandbox


def test_a_file_that_stands_for_a_moment_only_is_left_out(tmp_path: Path) -> None:
    passing, staying, other = (tmp_path / name for name in ("shadow.4711", "keys.lock", "shadow"))
    for path in (passing, staying, other):
        path.touch()
    threading.Timer(sandbox.PASSING_SECONDS / 5, passing.unlink).start()
    assert sandbox._passes(str(passing))
    assert not sandbox._passes(str(staying))
    assert not sandbox._passes(str(other))
