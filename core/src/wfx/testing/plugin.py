"""Fixtures for pytest: `pytest_plugins = ["wfx.testing.plugin"]` in the top `conftest.py`, or `-p wfx.testing.plugin`.

All names begin with `wfx_`; nothing is done for tests that ask for none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# What is imported here is imported whenever pytest starts: all else comes with the fixture that needs it.
if TYPE_CHECKING:
    from wfx.net import Net
    from wfx.rundirs import RunDirectory
    from wfx.store import Store
    from wfx.testing.archives import HostileArchive
    from wfx.testing.benches import FetchBench
    from wfx.testing.certificates import Authority
    from wfx.testing.commands import WfxRun
    from wfx.testing.proxies import Proxy
    from wfx.testing.runs import MadeRun
    from wfx.testing.servers import FaultServer


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known that the kit's classes may bear."""
    config.addinivalue_line("markers", "real: drives real engines, runtimes or servers; deselect with -m 'not real'")


@pytest.fixture
def wfx_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty HOME, TMPDIR and working directory, and none of the user's settings; the folder of the three."""
    from wfx.testing.machines import private_machine

    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def wfx_server() -> Iterator[FaultServer]:
    """A loopback web server that misbehaves as it is told."""
    from wfx.testing.servers import FaultServer

    with FaultServer() as server:
        yield server


@pytest.fixture(scope="session")
def wfx_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of the tests' own; skips where `openssl` is not installed."""
    from wfx.testing.certificates import make_authority

    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def wfx_tls_server(wfx_authority: Authority) -> Iterator[FaultServer]:
    """The same server over https, with a certificate of `wfx_authority`."""
    from wfx.testing.servers import FaultServer

    with FaultServer(tls=wfx_authority.server()) as server:
        yield server


@pytest.fixture
def wfx_proxy() -> Iterator[Proxy]:
    """A small real proxy."""
    from wfx.testing.proxies import Proxy

    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def wfx_bench(tmp_path: Path) -> Iterator[FetchBench]:
    """A bench that fetches in one line, with the fetchers that are installed."""
    from wfx.testing.benches import FetchBench

    bench = FetchBench(tmp_path / "bench")
    yield bench
    bench.close()


@pytest.fixture
def wfx_store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    from wfx.store import Store

    with Store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def wfx_net(tmp_path: Path) -> Iterator[Net]:
    """A gate to the network without any credentials of the user's."""
    from wfx.net import Net, NetSettings
    from wfx.net.credentials import Credentials

    net = Net(settings=NetSettings(idle_timeout=5.0), credentials=Credentials(tmp_path / "config", {}))
    yield net
    net.close()


@pytest.fixture
def wfx_run_directory(tmp_path: Path) -> Iterator[RunDirectory]:
    """A fresh run directory, held by its lock."""
    from wfx.rundirs import RunDirectory

    directory = RunDirectory.claim(tmp_path / "run-directory", request="0" * 64, name="test")
    yield directory
    directory.release()


@pytest.fixture
def wfx_made_run(tmp_path: Path) -> Callable[..., MadeRun]:
    """Make finished runs without an engine: `wfx_made_run(failed=True)`."""
    from wfx.testing.runs import make_run

    made: list[MadeRun] = []

    def make(*, failed: bool = False) -> MadeRun:
        made.append(make_run(tmp_path / f"made-run{len(made)}", failed=failed))
        return made[-1]

    return make


@pytest.fixture
def wfx_hostile_archives() -> tuple[HostileArchive, ...]:
    """Archives that break the rules of an extractor, one each."""
    from wfx.testing.archives import HOSTILE

    return HOSTILE


@pytest.fixture
def wfx_run(tmp_path: Path) -> WfxRun:
    """Drive the command line: `wfx_run("run", …)` in a process of its own, `wfx_run.here("run", …)` in this one."""
    from wfx.testing.commands import WfxRun

    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return WfxRun(tmp_path / "wfx-home", work)
