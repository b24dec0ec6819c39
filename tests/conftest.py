from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder to put first on PATH, whose `python3` is the interpreter that the tests run on, without packages.

    What the examples need is any Python 3; so that they run on the same one everywhere, it is this one.
    """
    folder = tmp_path_factory.mktemp("programs")
    (folder / "python3").symlink_to(Path(sys._base_executable).resolve())
    return folder
