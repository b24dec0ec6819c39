"""A real Galaxy for the tests: installed once, started once, and shared by all processes that test."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wfx import provided
from wfx.config import Directories
from wfx.errors import WfxError
from wfx.net import Net
from wfx.providing import environment_python
from wfx.references import Reference
from wfx.testing.commands import WfxRun
from wfx.testing.requirements import require
from wfx_galaxy import GalaxyEngine
from wfx_galaxy.private import PrivateGalaxy, start
from wfx_galaxy.server import Server

HERE = Path(__file__).parent
TOOLS = HERE / "tools"
WORKFLOWS = HERE / "workflows"


@dataclass(frozen=True)
class Site:
    """A server, and how to speak with it past wfx."""

    url: str
    key: str

    @property
    def server(self) -> Server:
        return Server(Net().on_behalf_of(Reference(self.url), "test"), self.url, patience=5, key=self.key)

    def configure(self, wfx: WfxRun, name: str = "lab", **settings: Any) -> None:
        """Make it a site of a test's home."""
        lines = [f"[site.{name}]", f"url = {json.dumps(self.url)}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        wfx.config.mkdir(parents=True, exist_ok=True)
        with (wfx.config / "config.toml").open("a") as file:
            file.write("\n".join(lines) + "\n")
        secrets = wfx.config / "credentials.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(f'["{self.url}"]\nheader = "x-api-key"\nvalue = "{self.key}"\n')


@pytest.fixture(scope="session")
def galaxy_python() -> Path:
    """The interpreter of an environment with Galaxy's packages, kept in the user's own cache from one test to the next."""
    root = Directories.find().cache / "engines"
    try:
        kept = provided.install(root, GalaxyEngine, GalaxyEngine.capabilities.provides, lambda text: None)
    except WfxError as error:
        require(False, f"Galaxy cannot be installed: {error}")
        raise
    return environment_python(kept.installation, "galaxy")


@pytest.fixture(scope="session")
def site(galaxy_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server. Whoever comes first starts it; he stops it when all others have let go of it."""
    base = tmp_path_factory.getbasetemp()
    common = base.parent if base.name.startswith("popen-") else base
    told, server = common / "galaxy.json", None
    with (common / "galaxy.lock").open("w") as starting, (common / "galaxy.users").open("w") as users:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not told.is_file():
            server = start(galaxy_python, common / "galaxy", tools=TOOLS)
            told.write_text(json.dumps({"url": server.url, "key": server.key}))
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield Site(**json.loads(told.read_bytes()))
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if server is not None:
                fcntl.flock(users, fcntl.LOCK_EX)
                server.stop()


@pytest.fixture
def wfx(tmp_path: Path, site: Site) -> WfxRun:
    """`wfx` with a home of its own, for which the server is a site."""
    wfx_run = WfxRun(tmp_path / "home", tmp_path)
    (tmp_path / "home" / "config").mkdir(parents=True)
    (wfx_run.config / "config.toml").write_text(
        '[person]\nname = "Ada Lovelace"\norcid = "0000-0002-1825-0097"\naffiliation = "Lab"\n'
        'affiliation_url = "https://ror.org/02mhbdp94"\n[crate]\nlicence = "CC-BY-4.0"\npublisher = "Lab"\n'
        'publisher_url = "https://ror.org/02mhbdp94"\n'
    )
    site.configure(wfx_run)
    return wfx_run


@pytest.fixture
def private(galaxy_python: Path, tmp_path: Path) -> Iterator[PrivateGalaxy]:
    """A server of a test's own, which it may stop."""
    server = start(galaxy_python, tmp_path / "galaxy", tools=TOOLS)
    yield server
    server.stop()


@pytest.fixture
def workflow(tmp_path: Path) -> Any:
    """A copy of one of the workflows."""

    def copy(name: str) -> Path:
        return Path(shutil.copy(WORKFLOWS / name, tmp_path / name))

    return copy


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_text("pear\napple\nquince\n")
    return path
