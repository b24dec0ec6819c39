from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from wfx.fetching import Reference
from wfx.net import Net
from wfx.net.credentials import Credentials
from wfx.testing.gitservers import has_git
from wfx_git.fetcher import GitFetcher


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    if not has_git():
        pytest.skip("git is not installed")
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "WFX_")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.delenv("NETRC", raising=False)


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
