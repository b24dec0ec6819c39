from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Expected, Source
from wfx.references import Reference
from wfx.testing.benches import FetchBench
from wfx.testing.commands import WfxRun
from wfx.testing.servers import FaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchBench]:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    made = FetchBench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wfx_run(tmp_path: Path) -> WfxRun:
    return WfxRun(tmp_path / "home", tmp_path)


@pytest.fixture
def stated() -> Callable[..., Source]:
    def make(url: str, data: bytes | None = None, **expected: Any) -> Source:
        if data is not None:
            expected.setdefault("sha256", hashlib.sha256(data).hexdigest())
        return Source(Reference(url), Expected(**expected))

    return make
