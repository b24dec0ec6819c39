"""What a test needs of the machine: a missing program skips it with a reason, and fails it where CI=true."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str, *, package: str = "") -> str:
    """Return the path of a program, or skip the test and say what to install; with CI=true fail it instead."""
    path = shutil.which(name)
    if path is None:
        require(False, f"{name} is not installed (apt install {package or name})")
    assert path is not None
    return path


def require(condition: bool, reason: str) -> None:
    """Skip the test with the reason unless the condition holds; with CI=true fail it instead."""
    if condition:
        return
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
