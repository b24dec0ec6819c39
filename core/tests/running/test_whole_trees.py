"""Workflows of which the whole folder is the closure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from wfx import closures, hookimpl, staging
from wfx.engines import Engine, EngineCapabilities, Recognition
from wfx.errors import DefinitionError
from wfx.plugins import PluginManager
from wfx.references import Reference
from wfx.session import Session
from wfx.wholetrees import files_of_tree


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_tree_is_all_its_files_but_what_the_engine_leaves_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        "main.x",
        "lib/a.x",
        "lib/work.x",
        ".hidden",
        ".git/config",
        "work/1/out",
        ".x.log.1",
        "old/.wfx/run.json",
        "old/a",
    )
    assert files_of_tree(tmp_path, ("work", ".x.log*"), limit=9) == [".hidden", "lib/a.x", "lib/work.x", "main.x"]


def test_links_that_lead_out_of_a_tree_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "tree/a", "secret")
    (tmp_path / "tree/inside").symlink_to("a")
    (tmp_path / "tree/outside").symlink_to("../secret")
    (tmp_path / "tree/loop").symlink_to(".")
    assert files_of_tree(tmp_path / "tree", limit=9) == ["a", "inside"]


def test_a_folder_that_is_more_than_a_workflow_is_refused(tmp_path: Path) -> None:
    write(tmp_path, *(f"{n}" for n in range(11)))
    with pytest.raises(DefinitionError, match="more than 10 files") as caught:
        files_of_tree(tmp_path, limit=10)
    assert "a folder of its own" in str(caught.value)


class Whole(Engine):
    keys = ("whole.whole",)
    capabilities = EngineCapabilities("whole", "whole", "Whole", whole_tree=True, leaves_out=("work",))

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        return Recognition(cls.keys[0], "main.x", "1", "main.x") if (tree / "main.x").is_file() else None

    def version(self) -> str:
        return "1"

    def describe(self, entry, fragment=""):
        raise NotImplementedError

    def read_inputs(self, document, name):
        return {}

    def run(self, staged, events, handle):
        raise NotImplementedError


class Plugin:
    @hookimpl
    def wfx_engines(self) -> list[type[Engine]]:
        return [Whole]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "home"))
    plugins = PluginManager(restrict=())
    plugins.register(Plugin())
    return Session(plugins=plugins)


@pytest.mark.parametrize("given", ["flow", "flow/main.x"])
def test_the_closure_of_a_folder_is_its_tree(given: str, tmp_path: Path, session: Session) -> None:
    write(tmp_path, "flow/main.x", "flow/bin/tool", "flow/work/big", "elsewhere")
    (tmp_path / "flow/bin/tool").chmod(0o755)
    (tmp_path / "scratch").mkdir()
    found = closures.collect(Reference.of_path(tmp_path / given), session, scratch=tmp_path / "scratch")
    assert found.entry == "main.x"
    assert {document.path: document.role for document in found.documents} == {"bin/tool": "other", "main.x": "document"}
    staging.place_workflow(found.documents, found.sources, tmp_path / "tree", session.store)
    assert os.access(tmp_path / "tree/bin/tool", os.X_OK)
    assert not os.access(tmp_path / "tree/main.x", os.X_OK)
