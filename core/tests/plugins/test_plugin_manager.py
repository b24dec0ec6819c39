"""How plugins are found: by key, from metadata, importing the one that is asked for."""

import sys
from pathlib import Path

import pytest
from wfx import hookimpl
from wfx.errors import DuplicateKey, PluginLoadError, UnknownKey
from wfx.fetching import Body, StreamFetcher
from wfx.plugins import PUBLISHED, PluginManager
from wfx.references import Reference
from wfx.testing.distributions import write_distribution

FETCHER = """
from wfx import hookimpl
from wfx.fetching import StreamFetcher
class Fetcher(StreamFetcher):
    keys = {keys!r}
    def open(self, ref, net, span=None):
        raise NotImplementedError
@hookimpl
def wfx_fetchers():
    return [Fetcher]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]


def add(
    site: Path, name: str, module: str, keys: tuple[str, ...], source: str | None = None, version: str = "1.0"
) -> None:
    source = FETCHER.format(keys=keys) if source is None else source
    write_distribution(site, name, version, {"wfx.fetchers": dict.fromkeys(keys, module)}, {module: source})


def test_only_the_plugin_that_is_asked_for_is_imported(site):
    add(site, "plug-a", "plug_a", ("aaa",))
    add(site, "plug-b", "plug_b", ("bbb",), source="raise SystemError('must not be imported')")
    manager = PluginManager()
    assert manager.fetcher(Reference("aaa://x/y")).keys == ("aaa",)
    assert "plug_b" not in sys.modules
    assert {"aaa", "bbb"} <= set(manager.keys("fetcher"))


def test_the_most_specific_key_wins(site):
    add(site, "plug-a", "plug_a", ("aaa",))
    add(site, "plug-host", "plug_host", ("aaa://one.example",))
    manager = PluginManager()
    assert manager.fetcher(Reference("aaa://one.example/y")).keys == ("aaa://one.example",)
    assert manager.fetcher(Reference("aaa://two.example/y")).keys == ("aaa",)
    assert [c.keys[0] for c in manager.fetchers(Reference("aaa://one.example/y"))] == ["aaa://one.example", "aaa"]


def test_two_distributions_with_one_key_are_both_named(site):
    add(site, "plug-a", "plug_a", ("aaa",), version="1.5")
    add(site, "plug-b", "plug_b", ("aaa", "bbb"), version="2.0")
    manager = PluginManager()
    with pytest.raises(DuplicateKey, match=r"plug-a 1\.5.*plug-b 2\.0|plug-b 2\.0.*plug-a 1\.5"):
        manager.fetcher(Reference("aaa://x"))
    assert manager.fetcher(Reference("bbb://x")).keys == ("aaa", "bbb")


def test_a_distribution_seen_twice_on_the_path_is_no_conflict(site, tmp_path_factory, monkeypatch):
    add(site, "plug-a", "plug_a", ("aaa",))
    other = tmp_path_factory.mktemp("other")
    add(other, "plug-a", "plug_a", ("aaa",), version="0.9")
    monkeypatch.setattr(sys, "path", [*sys.path, str(other)])
    manager = PluginManager()
    manager.fetcher(Reference("aaa://x"))
    assert [p.version for p in manager.providers() if p.key == "aaa"] == ["1.0"]


def test_a_plugin_that_cannot_be_imported_is_named_with_its_version_and_hurts_no_other(site):
    add(site, "plug-a", "plug_a", ("aaa",))
    add(site, "plug-bad", "plug_bad", ("bad",), source="import plug_missing_thing", version="3.1")
    manager = PluginManager()
    with pytest.raises(PluginLoadError, match=r"plug-bad 3\.1 cannot be imported.*plug_missing_thing") as caught:
        manager.fetcher(Reference("bad://x"))
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert manager.fetcher(Reference("aaa://x"))


def test_a_misspelt_hook_is_an_error(site):
    source = "from wfx import hookimpl\n@hookimpl\ndef wfx_fetcherz():\n    return []\n"
    add(site, "plug-typo", "plug_typo", ("typo",), source=source)
    with pytest.raises(PluginLoadError, match=r"plug-typo 1\.0 .*hook that does not exist.*wfx_fetcherz"):
        PluginManager().fetcher(Reference("typo://x"))


def test_an_entry_point_without_its_class_is_an_error(site):
    add(site, "plug-lie", "plug_lie", ("lie",), source=FETCHER.format(keys=("other",)))
    with pytest.raises(PluginLoadError, match=r"plug-lie 1\.0 has the entry point 'lie'"):
        PluginManager().fetcher(Reference("lie://x"))


def test_a_hook_that_raises_is_the_plugins_fault(site):
    source = "from wfx import hookimpl\n@hookimpl\ndef wfx_fetchers():\n    raise OSError('no luck')\n"
    add(site, "plug-raise", "plug_raise", ("raise",), source=source)
    with pytest.raises(PluginLoadError, match=r"plug-raise 1\.0.*no luck"):
        PluginManager().fetcher(Reference("raise://x"))


def test_a_missing_plugin_of_ours_names_its_package():
    with pytest.raises(UnknownKey, match=r"no fetcher for 'git\+https:'.*pip install wfx-git"):
        PluginManager(restrict=[]).fetcher(Reference("git+https://example.org/x"))
    with pytest.raises(UnknownKey, match="pip install wfx-cwl"):
        PluginManager(restrict=[]).engine("cwltool")


def test_an_unknown_key_gets_near_misses_and_no_invented_package():
    ours = PluginManager(restrict=["wfx-http", "wfx-git"])
    with pytest.raises(UnknownKey, match="did you mean 'https'") as caught:
        ours.fetcher(Reference("htps://example.org/x"))
    assert "pip install" not in str(caught.value)
    with pytest.raises(UnknownKey, match="wfx plugins list"):
        ours.fetcher(Reference("zzqq://example.org/x"))


def test_the_environment_restricts_the_plugins(site, monkeypatch):
    add(site, "plug-a", "plug_a", ("aaa",))
    add(site, "plug-b", "plug_b", ("bbb",))
    monkeypatch.setenv("WFX_PLUGINS", "plug_a")
    assert PluginManager().keys("fetcher") == ["aaa"]
    monkeypatch.setenv("WFX_PLUGINS", "")
    assert PluginManager().keys("fetcher") == []


def test_a_plugin_from_memory_is_registered_by_the_public_rule():
    class Fake(StreamFetcher):
        keys = ("fake",)

        def open(self, ref, net, span=None) -> Body:
            raise AssertionError

    class Plugin:
        @hookimpl
        def wfx_fetchers(self):
            return [Fake]

    manager = PluginManager(restrict=[])
    manager.register(Plugin())
    assert manager.fetcher(Reference("fake:x")) is Fake
    assert manager.provider("fetcher", "fake") is None


def test_every_published_key_is_an_entry_point_of_a_package_here():
    installed = {(p.kind, p.key): p.distribution for p in PluginManager(restrict=None).providers()}
    for kind, keys in PUBLISHED.items():
        for key, package in keys.items():
            assert installed.get((kind, key)) == package


EXPORTER = """
from wfx import hookimpl
from wfx.exporting import Exporter
class Packer(Exporter):
    keys = ("labtar",)
    def pack(self, crate, into):
        into.write_text(str(self.settings["level"]))
        return into
@hookimpl
def wfx_exporters():
    return [Packer]
"""


def test_an_exporter_has_its_section_of_the_configuration(site, tmp_path, monkeypatch):
    from wfx.config import Config
    from wfx.exporting import exporter_of
    from wfx.session import Session

    write_distribution(site, "plug-tar", "1.0", {"wfx.exporters": {"labtar": "plug_tar"}}, {"plug_tar": EXPORTER})
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "config.toml").write_text("[exporter.labtar]\nlevel = 7\n")
    with Session(Config.load()) as session:
        assert exporter_of("labtar", session).pack(tmp_path, tmp_path / "packed").read_text() == "7"
        assert exporter_of("ro-crate", session).settings == {}
