"""What fsspec is asked for, what it is not, and how its errors are told."""

from __future__ import annotations

import time
import zipfile

import fsspec
import pytest
from wfx import hookimpl
from wfx.errors import (
    AccessDenied,
    DefinitionError,
    FetchError,
    OfflineError,
    PluginError,
    PolicyError,
    ReferenceNotFound,
    UnknownKey,
)
from wfx.fetching import Reference, Span
from wfx.net import Net, NetSettings
from wfx.plugins import PluginManager
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.fetchers import read
from wfx_fsspec import FsspecFetcher
from wfx_fsspec.fetcher import _explain, _validator
from wfx_fsspec.waiting import Worker


@pytest.fixture
def bench(tmp_path):
    bench = FetchBench(tmp_path / "bench", [FsspecFetcher])
    bench.settings = {"retries": 0}
    yield bench
    bench.close()


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()


def test_a_file_in_memory(bench, memory):
    memory.pipe_file("/deep/a.bin", b"\0\r\n" * 1000)
    answer = bench.one("memory://deep/a.bin")
    assert bench.bytes_of(answer) == b"\0\r\n" * 1000
    assert answer.name == "a.bin"


def test_a_file_in_an_archive_on_another_filesystem(bench, memory, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/a.txt", "text\n" * 10_000)
    memory.pipe_file("/b.zip", (tmp_path / "b.zip").read_bytes())
    assert bench.bytes_of(bench.one("zip://in/a.txt::memory://b.zip")) == b"text\n" * 10_000
    assert bench.bytes_of(bench.one(f"zip://in/a.txt::file://{tmp_path}/b.zip")) == b"text\n" * 10_000


def test_it_goes_on_at_an_offset(memory):
    memory.pipe_file("/a", bytes(range(200)))
    ref, fetcher = Reference("memory://a"), FsspecFetcher()
    whole = fetcher.open(ref, Net())
    assert whole.total == 200
    assert read(whole) == bytes(range(200))
    part = fetcher.open(ref, Net(), Span(50, None, whole.validator))
    assert (part.start, read(part)) == (50, bytes(range(50, 200)))
    memory.pipe_file("/a", bytes(200))
    anew = fetcher.open(ref, Net(), Span(50, None, whole.validator))
    assert (anew.start, read(anew)) == (0, bytes(200))


@pytest.mark.parametrize("uri", ["memory://none", "zip://none.txt::memory://b.zip"])
def test_what_is_missing_is_named(bench, memory, tmp_path, uri):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a.txt", "")
    memory.pipe_file("/b.zip", (tmp_path / "b.zip").read_bytes())
    with pytest.raises(ReferenceNotFound, match="none") as caught:
        bench.one(uri)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(("scheme", "package"), [("https", "wfx-http"), ("local", "wfx-file"), ("git", "wfx-git")])
def test_what_other_plugins_do_better_is_theirs(scheme, package):
    with pytest.raises(UnknownKey, match=f"pip install {package}"):
        FsspecFetcher().open(Reference(f"{scheme}://host/x"), Net())


def test_a_scheme_that_fsspec_does_not_know_gets_no_invented_package():
    with pytest.raises(UnknownKey, match="no fetcher for 'zzqq:' references; see") as caught:
        FsspecFetcher().open(Reference("zzqq:x"), Net())
    assert "pip install" not in str(caught.value)
    with pytest.raises(UnknownKey, match="did you mean 'https'"):
        FsspecFetcher().open(Reference("htps://example.org/x"), Net())


def test_a_name_that_fsspec_would_take_for_a_local_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memory:a").write_text("mine")
    with pytest.raises(DefinitionError, match="write memory://"):
        FsspecFetcher().open(Reference("memory:a"), Net())


def test_a_filesystem_whose_package_is_missing_says_which(monkeypatch):
    from fsspec.registry import known_implementations

    monkeypatch.setitem(known_implementations, "plugmissing", {"class": "plug_absent.Fs", "err": "Install plug-absent"})
    with pytest.raises(PluginError, match="another package for 'plugmissing:' references: Install plug-absent"):
        FsspecFetcher().open(Reference("plugmissing://x"), Net())


def test_offline_it_is_refused_before_fsspec_is_asked(memory):
    with pytest.raises(OfflineError, match="not wfx's to control"):
        FsspecFetcher().open(Reference("memory://a"), Net(offline=True))


@pytest.mark.parametrize(
    "uri",
    ["memory://", "zip://a::file:///etc/hosts", "simplecache::ftp://127.0.0.1/x", "dir::/etc", "ftp://127.0.0.1/x"],
)
def test_a_document_from_elsewhere_leads_to_no_file_and_no_private_host_of_ours(uri):
    gate = Net().on_behalf_of(Reference("https://elsewhere.example/main.cwl"))
    with pytest.raises(PolicyError):
        FsspecFetcher().open(Reference(uri), gate)


class Options(fsspec.AbstractFileSystem):
    """Fails with what it was given."""

    protocol = "plugoptions"

    def __init__(self, host="", username="", password="", depth=0, **options):
        super().__init__(**options)
        raise FileNotFoundError(f"{username} {password} {depth}")


def test_settings_and_credentials_reach_the_filesystem(tmp_path, monkeypatch):
    fsspec.register_implementation("plugoptions", Options, clobber=True)
    bench = FetchBench(tmp_path)
    bench.environment |= {"WFX_USER_HOST_EXAMPLE_77": "ann", "WFX_PASSWORD_HOST_EXAMPLE_77": "opensesame"}
    net = Net(
        settings=NetSettings(sections={"fetcher.fsspec.plugoptions": {"depth": 7}}), credentials=bench.net().credentials
    )
    with pytest.raises(ReferenceNotFound) as caught:
        FsspecFetcher().open(Reference("plugoptions://host.example:77/x"), net)
    assert str(caught.value.__cause__) == "ann opensesame 7"
    assert "opensesame" not in str(caught.value)
    assert [contact.origin for contact in net.contacts()] == ["plugoptions://host.example:77"]
    bench.close()


class Status(Exception):
    status = 403


@pytest.mark.parametrize(
    ("error", "kind"), [(Status("no"), AccessDenied), (PermissionError(), AccessDenied), (KeyError("x"), FetchError)]
)
def test_errors_of_any_library_are_told_as_ours(error, kind):
    with pytest.raises(kind) as caught:
        _explain(error, Reference("x://y"))
    assert caught.value.__cause__ is error


def test_a_coarse_time_of_change_is_trusted_once_it_lies_back():
    now = int(time.time())
    assert _validator({"size": 1, "mtime": now}) is None
    assert _validator({"size": 1, "mtime": now - 100})
    assert _validator({"size": 1, "mtime": now + 0.25})
    assert _validator({"size": 1, "modify": "20200101120000"})
    assert _validator({"size": 1, "ETag": "x", "mtime": now})
    assert _validator({"size": 1, "modify": "rubbish"}) is None


def test_whoever_waits_is_freed_and_the_rest_is_tidied_up_later():
    import threading

    worker, gate, tidied = Worker(30), threading.Event(), threading.Event()
    caught = []

    def wait():
        try:
            worker.do(lambda: gate.wait(20))
        except OSError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    worker.end(tidied.set)
    thread.join(5)
    assert not thread.is_alive()
    assert caught
    gate.set()
    assert tidied.wait(5)
    with pytest.raises(OSError, match="ended"):
        worker.do(lambda: 1)


def test_what_takes_too_long_is_given_up():
    import threading

    gate = threading.Event()
    with pytest.raises(TimeoutError, match="nothing came for 0.05 s"):
        Worker(0.05).do(lambda: gate.wait(20))
    gate.set()


def manager_with_http():
    """Return a manager of what is installed, and of one for web addresses in any case."""

    class Plugin:
        @hookimpl
        def wfx_fetchers(self):
            return [PlainHttp]

    manager = PluginManager()
    manager.register(Plugin())
    return manager


def test_the_plan_says_what_goes_round_the_gate(tmp_path, memory):
    from wfx.config import Config
    from wfx.inputfiles import Layout
    from wfx.planning import _known
    from wfx.session import Session

    memory.pipe_file("/a", b"a")
    layout = Layout()
    layout.rewrite({"x": {"class": "File", "location": "memory://a"}, "y": {"class": "File", "location": "http://x/y"}})
    plugins = manager_with_http()
    with Session(Config.load(environment={"WFX_HOME": str(tmp_path)}), plugins=plugins) as session:
        one, two = (_known(item, session) for item in layout.files)
    assert one.own_network.startswith("wfx-fsspec ")
    assert two.own_network == ""


def test_it_is_the_fallback():
    manager = manager_with_http()
    assert manager.fetcher(Reference("memory://a")) is FsspecFetcher
    assert manager.fetcher(Reference("http://example.org/")) is PlainHttp
