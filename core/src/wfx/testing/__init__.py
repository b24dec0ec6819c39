"""The kit for testing wfx and its plugins: contracts, loopback servers with faults, hosts, crates, hostile archives.

A plugin's author inherits a contract, one for each kind, and gets its rules as tests::

    from wfx.testing import FetcherContract

    class TestMine(FetcherContract):
        fetcher = MyFetcher
        …

The fixtures of `wfx.testing.plugin` come with `pytest_plugins = ["wfx.testing.plugin"]` in the top `conftest.py`, or with
`pytest -p wfx.testing.plugin`. Install it as `wfx-core[testing]`.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wfx.testing.engines import EngineContract
    from wfx.testing.exporters import ExporterContract
    from wfx.testing.factories import ContainerFactoryContract
    from wfx.testing.fetchers import FetcherContract
    from wfx.testing.providing import ProvidedEngineContract
    from wfx.testing.speaking import SpeakingFactoryContract

__all__ = [
    "ContainerFactoryContract", "EngineContract", "ExporterContract", "FetcherContract", "ProvidedEngineContract",
    "SpeakingFactoryContract",
]  # fmt: skip

WHERE = {
    "ContainerFactoryContract": "factories", "EngineContract": "engines", "ExporterContract": "exporters",
    "FetcherContract": "fetchers", "ProvidedEngineContract": "providing", "SpeakingFactoryContract": "speaking",
}  # fmt: skip

with contextlib.suppress(ImportError):
    # The servers are of use without pytest too, in benchmarks.
    import pytest

    # A rule that fails shows both sides, as in a test's own file.
    pytest.register_assert_rewrite(*(f"wfx.testing.{name}" for name in (*WHERE.values(), "benches", "contracts")))


def __getattr__(name: str) -> Any:
    if name not in WHERE:
        raise AttributeError(f"module 'wfx.testing' has no attribute {name!r}")
    # One contract is imported without what the others need.
    return getattr(importlib.import_module(f"wfx.testing.{WHERE[name]}"), name)
