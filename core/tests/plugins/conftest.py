"""Make-believe distributions for the tests of how plugins are found."""

import sys
from pathlib import Path

import pytest
from wfx.testing.distributions import write_distribution

FETCHER = """
from wfx import hookimpl
from wfx.fetching import StreamFetcher
class Fetcher(StreamFetcher):
    "Fetches nothing."
    keys = {keys!r}
    def open(self, ref, net, span=None):
        raise {raises}
@hookimpl
def wfx_fetchers():
    return [Fetcher]
"""


class Site:
    """A folder of installed distributions, on the path of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(
        self, name, *keys, source=None, version="1.0", group="wfx.fetchers", requires=("wfx-core>=0.1,<0.2",),
        raises="NotImplementedError",
    ):  # fmt: skip
        module = name.replace("-", "_")
        source = FETCHER.format(keys=keys, raises=raises) if source is None else source
        points = {group: dict.fromkeys(keys, module)}
        write_distribution(self.path, name, version, points, {module: source}, requires)
        return module


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]
