"""`wfx plugins list`, `show`, `check` and `doctor`, for people and as JSON."""

import json
import sys

import pytest
from wfx.cli.group import run_command


@pytest.fixture
def three(site, tmp_path, monkeypatch):
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "home"))
    site.add("plug-good", "good")
    site.add("plug-bad", "bad", source="import plug_absent", version="3.1")
    site.add("plug-old", "old", source="raise SystemError", version="0.9", requires=("wfx-core<0.0.1",))
    site.add("plug-also", "good", version="2.0")
    monkeypatch.setenv("WFX_PLUGINS", "plug-good,plug-bad,plug-old")
    return site


def run(capsys, *arguments):
    code = run_command(["plugins", *arguments])
    out, err = capsys.readouterr()
    return code, json.loads(out) if "--json" in arguments else out, err


def test_list_reads_metadata_alone_and_says_what_they_tell_of_trouble(three, capsys, monkeypatch):
    monkeypatch.setenv("WFX_PLUGINS", "plug-good,plug-bad,plug-old,plug-also")
    code, out, err = run(capsys, "list")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["fetcher", "bad", "plug-bad", "3.1"],
        ["fetcher", "good", "plug-also", "2.0"],
        ["fetcher", "good", "plug-good", "1.0"],
        ["fetcher", "old", "plug-old", "0.9"],
    ]
    assert len(err.splitlines()) == 2
    assert "fetcher 'good' is claimed by plug-" in err
    assert "plug-old 0.9 does not go with this version of wfx" in err
    assert not {"plug_good", "plug_bad", "plug_old", "plug_also"} & set(sys.modules)


def test_list_as_json(three, capsys):
    _, out, _ = run(capsys, "list", "--kind", "fetcher", "--json")
    bad, good, old = out["plugins"]
    assert good == {
        "kind": "fetcher", "key": "good", "module": "plug_good", "distribution": "plug-good", "version": "1.0",
        "requires": ">=0.1,<0.2", "problem": None,
    }  # fmt: skip
    assert bad["problem"] is None
    assert "wfx-core <0.0.1" in old["problem"]


def test_show_tells_of_one_plugin(three, capsys):
    code, out, _ = run(capsys, "show", "good", "--json")
    assert code == 0
    assert out["summary"] == "Fetches nothing."
    assert out["shape"] == "StreamFetcher"
    code, out, _ = run(capsys, "show", "good")
    assert "distribution: plug-good" in out
    code, _, err = run(capsys, "show", "bad")
    assert code == 6
    assert "plug-bad 3.1 cannot be imported" in err


def test_check_looks_at_what_is_named(three, capsys):
    code, out, _ = run(capsys, "check", "plug_good")
    assert code == 0
    assert out.startswith("ok")
    code, out, _ = run(capsys, "check", "bad", "old", "--json")
    assert code == 6
    assert out["ok"] is False
    assert [(f["distribution"], f["version"], f["state"]) for f in out["findings"]] == [
        ("plug-bad", "3.1", "missing"),
        ("plug-old", "0.9", "missing"),
    ]
    code, _, err = run(capsys, "check", "plug-nowhere")
    assert code == 6
    assert "plug-nowhere" in err


def test_check_finds_keys_without_entry_points_and_requirements_that_are_missing(three, capsys, monkeypatch):
    three.add("plug-loose", "one", "two", requires=())
    points = three.path / "plug_loose-1.0.dist-info" / "entry_points.txt"
    points.write_text("[wfx.fetchers]\none = plug_loose\n")
    monkeypatch.setenv("WFX_PLUGINS", "plug-loose")
    code, out, _ = run(capsys, "check", "--json")
    assert code == 6
    texts = [f["text"] for f in out["findings"] if f["state"] != "ok"]
    assert any("does not say which wfx-core it needs" in text for text in texts)
    assert any("offers 'two' without an entry point" in text for text in texts)


def test_doctor_finds_all_that_is_wrong_at_once(three, capsys, monkeypatch):
    monkeypatch.setenv("WFX_PLUGINS", "plug-good,plug-bad,plug-old,plug-typo")
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == 6
    found = {f["subject"]: f for f in out["findings"] if f["state"] == "missing"}
    assert set(found) == {"WFX_PLUGINS", "fetcher bad", "fetcher old", "engines", "exporters"}
    assert "plug-typo" in found["WFX_PLUGINS"]["text"]
    code, out, _ = run(capsys, "doctor")
    assert "missing  fetcher bad: plug-bad 3.1 cannot be imported" in out


def test_list_of_nothing_is_empty(three, capsys, monkeypatch):
    monkeypatch.setenv("WFX_PLUGINS", "")
    assert run(capsys, "list") == (0, "", "")
    assert run(capsys, "list", "--json")[1] == {"plugins": []}
