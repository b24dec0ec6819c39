"""The parts of the kit do what they say, and cost nothing where they are not used."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from wfx.testing.archives import HOSTILE, MARK, HostileArchive
from wfx.testing.commands import WfxRun

SUITE = """
def test_server(wfx_server, wfx_net):
    assert wfx_net.http(wfx_server.add("/a", b"bytes")).read() == b"bytes"

def test_bench(wfx_bench, wfx_server):
    assert wfx_bench.bytes_of(wfx_bench.one(wfx_server.add("/a", b"bytes"))) == b"bytes"

def test_proxy(wfx_proxy, wfx_server, wfx_net, wfx_machine, monkeypatch):
    monkeypatch.setenv("http_proxy", wfx_proxy.url)
    wfx_net.http(wfx_server.add("/a", b"x")).read()
    assert len(wfx_proxy.requests) == 1

def test_tls(wfx_tls_server, wfx_authority, wfx_machine, monkeypatch):
    from wfx.net import Net, NetSettings
    net = Net(settings=NetSettings(ca_bundle=str(wfx_authority.bundle)))
    assert net.http(wfx_tls_server.add("/a", b"x")).read() == b"x"

def test_store(wfx_store, wfx_run_directory, wfx_made_run, wfx_hostile_archives):
    assert wfx_store.has(wfx_store.add_bytes(b"x"))
    assert wfx_run_directory.workflow.is_dir()
    assert wfx_made_run(failed=True).record.status == "failed"
    assert len(wfx_hostile_archives) > 20

def test_commands(wfx_run):
    apart, here = wfx_run("config", "show", "--json"), wfx_run.here("config", "show", "--json")
    assert apart.json == here.json
    assert str(wfx_run.home) in wfx_run.here("cache", "path").stdout
    assert wfx_run("nonsense", check=2).stderr
    assert wfx_run.here("nonsense", check=2).stderr
    assert wfx_run.here("--version").stdout.startswith("wfx ")
"""


def test_the_fixtures_work_without_any_other_set_up(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "wfx.testing.plugin", "-p", "no:cacheprovider", "--strict-markers",
         f"--basetemp={tmp_path / 'base'}", f"--rootdir={tmp_path}", "-c", "/dev/null", "test_suite.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_the_plugin_and_the_kit_import_nothing_until_it_is_used() -> None:
    code = (
        "import sys, wfx.testing, wfx.testing.plugin;"
        "print(*[m for m in sys.modules if m.startswith('wfx.') and not m.startswith('wfx.testing')]);"
        "from wfx.testing import FetcherContract; print('wfx.processes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert set(first.split()) <= {"wfx.hookspecs", "wfx.errors"}
    assert second == "False"


def test_a_command_that_ends_otherwise_fails_the_test(tmp_path: Path) -> None:
    run = WfxRun(tmp_path / "home", tmp_path)
    with pytest.raises(AssertionError, match="nonsense"):
        run.here("nonsense")


@pytest.mark.parametrize("archive", HOSTILE, ids=str)
def test_a_hostile_archive_is_an_archive_and_small(archive: HostileArchive, tmp_path: Path) -> None:
    path = archive.write(tmp_path)
    assert 0 < path.stat().st_size < 2**20
    assert archive.escaped(tmp_path) == []
    assert len({str(each) for each in HOSTILE}) == len(HOSTILE)
    if archive.suffix == ".zip":
        assert zipfile.is_zipfile(path)
    elif archive.rule != "truncated":
        with tarfile.open(path) as opened:
            assert opened.next() is not None


def test_what_escapes_is_found(tmp_path: Path) -> None:
    target = tmp_path / "into"
    target.mkdir()
    (target / "inside").write_bytes(MARK)
    (tmp_path / "outside.txt").write_bytes(MARK)
    assert HostileArchive.escaped(tmp_path, target) == [tmp_path / "outside.txt"]


def test_one_that_climbs_out_of_its_target_is_seen(tmp_path: Path) -> None:
    """It is what it claims to be: without any filter it writes beside its target."""
    [archive] = [each for each in HOSTILE if each.rule == "parent" and each.suffix == ".tar.gz"]
    into = tmp_path / "a" / "b" / "into"
    into.mkdir(parents=True)
    with tarfile.open(archive.write(tmp_path)) as opened:
        opened.extractall(into, filter="fully_trusted")
    assert archive.escaped(tmp_path, into) == [tmp_path / "a" / "outside.txt"]


def test_the_chain_beyond_path_max_escapes_the_standard_librarys_filter(tmp_path: Path) -> None:
    """CVE-2025-4517: why `filter="data"` is no extractor of ours."""
    [archive] = [each for each in HOSTILE if each.rule == "link-path-max"]
    into, outside = tmp_path / "a" / "b" / "into", tmp_path / "a" / "outside"
    into.mkdir(parents=True)
    outside.mkdir()
    (outside / "written").write_bytes(b"original")
    try:
        with tarfile.open(archive.write(tmp_path)) as opened:
            opened.extractall(into, filter="data")
    except tarfile.TarError as error:
        pytest.skip(f"the tarfile of this Python refuses it: {error}")
    assert archive.escaped(tmp_path, into) == [outside / "written"]
