"""Every way in which a plugin can be broken has one clear message, and hurts no run that does not use it."""

import sys

import pytest
from wfx import __version__
from wfx.cli.group import run_command
from wfx.closures import recognise
from wfx.config import Config
from wfx.errors import DefinitionError, DuplicateKey, PluginLoadError, UnknownKey
from wfx.plugins import PluginManager, blame
from wfx.references import Reference
from wfx.session import Session

HEAD = "from wfx import hookimpl\nfrom wfx.fetching import StreamFetcher, Fetcher\n"
GOOD = (
    "class {name}(StreamFetcher):\n    keys = {keys}\n    def open(self, ref, net, span=None):\n        raise OSError\n"
)
OFFER = "@hookimpl\ndef wfx_fetchers():\n    return [{names}]\n"

BROKEN = {
    "import": ("import plug_absent", "plug-bad 3.1 cannot be imported: ModuleNotFoundError.*plug_absent"),
    "syntax": ("def (", "plug-bad 3.1 cannot be imported: SyntaxError"),
    "exit at import": ("raise SystemExit(3)", "plug-bad 3.1 cannot be imported: SystemExit: 3"),
    "registration": (
        HEAD + "@hookimpl\ndef wfx_fetchers():\n    raise OSError('no luck')\n",
        "plug-bad 3.1: wfx_fetchers failed: OSError: no luck",
    ),
    "no list": (HEAD + "@hookimpl\ndef wfx_fetchers():\n    return None\n", "plug-bad 3.1: wfx_fetchers failed: TypeError"),
    "misspelt": (
        HEAD + "@hookimpl\ndef wfx_fetcherz():\n    return []\n",
        "plug-bad 3.1 implements a hook that does not exist: wfx_fetcherz; did its author mean 'wfx_fetchers'",
    ),
    "arguments": (
        HEAD + "@hookimpl\ndef wfx_fetchers(config):\n    return []\n",
        "plug-bad 3.1 implements a hook in a wrong way: .*config",
    ),
    "unmarked": (HEAD + "def wfx_fetchers():\n    return []\n", "plug-bad 3.1: wfx_fetchers is not marked .*@wfx.hookimpl"),
    "no hook": (HEAD, "plug-bad 3.1 has the entry point 'bad' in wfx.fetchers, .* offers nothing"),
    "two classes": (
        HEAD + GOOD.format(name="One", keys="('bad',)") + GOOD.format(name="Two", keys="('bad', 'worse')")
        + OFFER.format(names="One, Two"),
        "plug-bad 3.1 declares the fetcher 'bad' twice: in One and in Two",
    ),
    "no class": (HEAD + OFFER.format(names="'Fetcher'"), "plug-bad 3.1: wfx_fetchers offers 'Fetcher', which is no class"),
    "another kind": (
        HEAD + "class Thing:\n    keys = ('bad',)\n" + OFFER.format(names="Thing"),
        "offers Thing, which is no wfx.fetching.Fetcher",
    ),
    "abstract": (
        HEAD + "class Half(StreamFetcher):\n    keys = ('bad',)\n" + OFFER.format(names="Half"),
        "offers Half, which lacks open",
    ),
    "keys": (
        HEAD + GOOD.format(name="One", keys="'bad'") + OFFER.format(names="One"),
        "offers One, whose keys are 'bad': a tuple",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_plugin_is_named_with_its_version_each_time_and_hurts_no_other(site, how):
    source, message = BROKEN[how]
    site.add("plug-bad", "bad", source=source, version="3.1")
    site.add("plug-good", "good")
    manager = PluginManager()
    for _ in range(2):
        with pytest.raises((PluginLoadError, DuplicateKey), match=message):
            manager.fetcher(Reference("bad://x"))
    assert manager.fetcher(Reference("good://x")).keys == ("good",)
    assert "bad" in manager.keys("fetcher")


def test_the_cause_of_a_failing_import_is_chained(site):
    site.add("plug-bad", "bad", source="import plug_absent")
    with pytest.raises(PluginLoadError) as caught:
        PluginManager().fetcher(Reference("bad://x"))
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_one_distribution_that_declares_a_key_twice_is_named(site):
    site.add("plug-twice", "aaa", "bbb", version="2.0")
    text = site.path / "plug_twice-2.0.dist-info" / "entry_points.txt"
    text.write_text("[wfx.fetchers]\naaa = plug_twice\naaa = plug_other\nbbb = plug_twice\nbbb = plug_twice\n")
    manager = PluginManager()
    with pytest.raises(
        DuplicateKey, match=r"plug-twice 2\.0 declares the fetcher 'aaa' twice: in plug_twice and in plug_other"
    ):
        manager.fetcher(Reference("aaa://x"))
    assert manager.fetcher(Reference("bbb://x"))


def test_an_incompatible_plugin_is_reported_from_metadata_with_both_versions(site):
    site.add("plug-future", "fut", source="raise SystemError('imported')", version="7.0", requires=("wfx-core>=9,<10",))
    manager = PluginManager()
    with pytest.raises(PluginLoadError, match=rf"plug-future 7\.0 .*wfx-core >=9,<10, and wfx-core {__version__}"):
        manager.fetcher(Reference("fut://x"))
    assert "plug_future" not in sys.modules


@pytest.mark.parametrize(
    "requires",
    [(), ("wfx-core>=0.1,<0.2",), ("click", "wfx_core>=0.1"), ("wfx-core>=99; extra == 'future'",), ("wfx-core",)],
)
def test_a_plugin_that_asks_for_this_core_or_for_none_is_loaded(site, requires):
    site.add("plug-a", "aaa", requires=requires)
    assert PluginManager().fetcher(Reference("aaa://x"))


def test_metadata_that_cannot_be_read_hurt_nobody(site):
    site.add("plug-good", "good")
    site.add("plug-odd", "odd")
    (site.path / "plug_odd-1.0.dist-info" / "entry_points.txt").write_text("[wfx.fetchers]\nno equals sign here\n")
    site.add("plug-nameless", "nameless")
    (site.path / "plug_nameless-1.0.dist-info" / "METADATA").write_text("")
    manager = PluginManager()
    assert manager.fetcher(Reference("good://x"))
    assert {name for name, _ in manager.installed().unreadable} == {
        "plug_odd-1.0.dist-info", "plug_nameless-1.0.dist-info",
    }  # fmt: skip


def test_the_fallback_is_asked_for_unclaimed_schemes_alone_and_imported_only_then(site, monkeypatch):
    monkeypatch.setenv("WFX_PLUGINS", "plug-all,plug-a,plug-host")
    site.add("plug-all", "*")
    site.add("plug-a", "aaa")
    site.add("plug-host", "hhh://one.example")
    manager = PluginManager()
    assert [c.keys for c in manager.fetchers(Reference("aaa://x"))] == [("aaa",)]
    found = manager.fetchers(Reference("hhh://one.example/x"))
    assert found[0].keys == ("hhh://one.example",)
    assert "plug_all" not in sys.modules
    assert found[1:][0].keys == ("*",)
    assert manager.fetcher(Reference("zzz://x")).keys == ("*",)


def test_two_fallbacks_are_a_conflict(site, monkeypatch):
    monkeypatch.setenv("WFX_PLUGINS", "plug-one,plug-two")
    site.add("plug-one", "*")
    site.add("plug-two", "*")
    with pytest.raises(DuplicateKey, match=r"fetcher '\*' is claimed by plug-(one|two) 1\.0 and by"):
        PluginManager().fetcher(Reference("zzz://x"))


def test_a_plugin_that_the_environment_leaves_out_is_named_as_such(site, monkeypatch):
    site.add("plug-a", "aaa", version="4.2")
    monkeypatch.setenv("WFX_PLUGINS", "wfx-file")
    with pytest.raises(UnknownKey, match=r"plug-a 4\.2 has it, but WFX_PLUGINS leaves it out"):
        PluginManager().fetcher(Reference("aaa://x"))


@pytest.mark.parametrize("kind", ["fetcher", "engine", "exporter", "container-factory"])
def test_a_key_that_nobody_of_ours_has_gets_no_invented_package(kind):
    with pytest.raises(UnknownKey) as caught:
        PluginManager(restrict=[]).load(kind, "qqqq.zzzz")
    assert "pip install" not in str(caught.value)
    assert "wfx-qqqq" not in str(caught.value)
    assert "wfx plugins list" in str(caught.value)
    assert "docs/plugins" in str(caught.value)


def test_an_exception_from_a_plugins_code_is_the_plugins(site):
    site.add("plug-a", "aaa", version="1.9", raises="KeyError('size')")
    fetcher = PluginManager().fetcher(Reference("aaa://x"))()
    try:
        fetcher.open(Reference("aaa://x"), None)
    except KeyError as error:
        fault = blame(error)
    assert "plug-a 1.9 failed: KeyError: 'size'; please report it to its author" in str(fault)
    assert fault.exit_code == 6


def test_an_exception_from_our_own_code_is_nobodys():
    try:
        Reference("x").path  # noqa: B018
    except DefinitionError as error:
        assert blame(error) is None


def test_the_command_says_whose_fault_it_is(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "home"))
    site.add("plug-a", "aaa", version="1.9", raises="KeyError('size')")
    assert run_command(["fetch", "aaa://x/y"]) == 6
    assert "wfx: plug-a 1.9 failed: KeyError: 'size'; please report it" in capsys.readouterr().err


ENGINE = """
from wfx import hookimpl
from wfx.engines import Engine, EngineCapabilities, Recognition
class Fake(Engine):
    keys = ("{key}",)
    capabilities = EngineCapabilities(language="{language}", name="fake", language_name="Fake")
    @classmethod
    def recognise(cls, tree, entry=""):
        {body}
    def version(self): return "1"
    def describe(self, entry, fragment=""): raise NotImplementedError
    def read_inputs(self, document, name): return {{}}
    def run(self, staged, events, handle): raise NotImplementedError
@hookimpl
def wfx_engines():
    return [Fake]
"""
CLAIM = "return Recognition('{key}', entry, '1', 'by its name') if entry.endswith('fake') else None"


@pytest.mark.parametrize("body", [None, "raise KeyError('class')"])
def test_a_broken_engine_keeps_no_other_from_recognising_its_workflow(site, tmp_path, monkeypatch, body):
    monkeypatch.setenv("WFX_PLUGINS", "plug-bad,plug-good")
    source = "import plug_absent" if body is None else ENGINE.format(key="bad.bad", language="bad", body=body)
    site.add("plug-bad", "bad.bad", source=source, group="wfx.engines")
    good = ENGINE.format(key="good.good", language="good", body=CLAIM.format(key="good.good"))
    site.add("plug-good", "good.good", source=good, group="wfx.engines")
    session = Session(Config.load(environment={"WFX_HOME": str(tmp_path)}), plugins=PluginManager())
    cls, _ = recognise(tmp_path, "work.fake", session, "", Reference("file:///x"))
    assert cls.keys == ("good.good",)
    with pytest.raises(DefinitionError, match=r"bad\.bad is broken: plug-bad 1\.0"):
        recognise(tmp_path, "work.other", session, "", Reference("file:///x"))
    with pytest.raises(Exception, match=r"plug-bad 1\.0|'class'"):
        recognise(tmp_path, "work.bad", session, "", Reference("file:///x"))
