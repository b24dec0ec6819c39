"""Ten kills at random moments; `scripts/soak` does two hundred."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
SOAK = Path(__file__).resolve().parents[2] / "scripts" / "soak"


def test_ten_kills_lose_nothing() -> None:
    done = subprocess.run(
        [sys.executable, SOAK, "--kills", "10", "--seed", "3"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills, 0 with faults" in done.stdout
