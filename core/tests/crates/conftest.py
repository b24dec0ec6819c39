from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

CASES = next((p / "shared/cases/crates" for p in Path(__file__).parents if (p / "shared/cases/crates").is_dir()), None)


@pytest.fixture
def cases() -> Path:
    if CASES is None:
        pytest.skip("the public crates are not here (shared/cases/crates)")
    return CASES
