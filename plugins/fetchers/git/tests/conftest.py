from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wfx.fetching import Reference
from wfx.net import Net
from wfx.net.credentials import Credentials
from wfx.testing.gitservers import has_git
from wfx.testing.machines import private_machine
from wfx.testing.requirements import require
from wfx_git.fetcher import GitFetcher


@pytest.fixture(autouse=True)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep the settings of whoever runs the tests out of them; what drives git's servers needs git."""
    if request.node.get_closest_marker("real") is not None:
        require(has_git(), "git is not installed (apt install git)")
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Where the repositories lie that the servers serve."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def net(tmp_path: Path) -> Net:
    return Net(credentials=Credentials(config_dir=tmp_path / "config"))


@pytest.fixture
def offline(tmp_path: Path) -> Net:
    return Net(offline=True, credentials=Credentials(config_dir=tmp_path / "config"))


@pytest.fixture
def fetch(tmp_path: Path, net: Net) -> Callable[..., tuple[Path, str]]:
    """Fetch a reference into a new folder; return the folder and the entry."""
    made: list[Path] = []

    def run(uri: str, gate: Net | None = None) -> tuple[Path, str]:
        into = tmp_path / f"store{len(made)}" / "tree"
        into.mkdir(parents=True)
        made.append(into)
        entry = GitFetcher().fetch_tree(Reference(uri), gate or net, into)
        assert [path.name for path in into.parent.iterdir()] == ["tree"]
        return into, entry

    return run
