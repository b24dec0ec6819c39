"""The stage definitions that WfExS's users have: every one is read in full, and written as ours it means the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from wfx.config import Config
from wfx.definitions import from_command_line, load_definition
from wfx.references import Reference
from wfx.session import Session
from wfx.testing.requirements import require
from wfx.wfexs.places import places_of
from wfx.wfexs.stages import convert

CASES = Path(__file__).parents[4] / "shared" / "cases" / "wfexs-definitions"
STAGES = sorted(path.relative_to(CASES).as_posix() for path in CASES.rglob("*.stage"))
WITHOUT_PLUGIN = {"pride.project"}
"""Prefixes of identifiers.org whose records no plugin of ours reads."""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Config.load(environment={"WFX_HOME": str(tmp_path / "home")}), offline=True)


def test_all_of_them_are_here() -> None:
    require(CASES.is_dir(), "the public stage definitions are not beside the repository")
    assert len(STAGES) == 76


@pytest.mark.parametrize("name", STAGES)
def test_a_public_stage_definition_is_read_and_converts_to_the_same(
    name: str, session: Session, tmp_path: Path
) -> None:
    path = CASES / name
    definition = from_command_line(str(path), session)
    converted = convert(path.read_bytes(), path.name)
    text = yaml.safe_dump(converted.definition, sort_keys=False, allow_unicode=True)
    again = load_definition(text.encode(), "x.wfx.yml", Reference.of_path(path), session)
    parts = ("workflow", "inputs", "options", "containers", "engine_version", "outputs")
    assert [getattr(again, part) for part in parts] == [getattr(definition, part) for part in parts]
    # Whatever it names is for a plugin, or is said to be for none.
    places = places_of(converted.definition, session)
    assert places[0].parameter == "workflow"
    assert {
        place.reference.partition(":")[0] for place in places if place.plugin in ("", "wfx-fsspec")
    } <= WITHOUT_PLUGIN
    # Every place of the original is there, whatever it is called now.
    assert len(places) >= 1 + _places(yaml.safe_load(path.read_bytes())["params"])


def _places(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_places, value))
    if not isinstance(value, dict):
        return 0
    if "c-l-a-s-s" not in value:
        return sum(map(_places, value.values()))
    places = value.get("url", [])
    return len(places) if isinstance(places, list) else 1


def test_their_outputs_are_looked_for_or_it_is_said_why_not(session: Session) -> None:
    require(CASES.is_dir(), "the public stage definitions are not beside the repository")
    counts: Counter[str] = Counter()
    for name in STAGES:
        definition = from_command_line(str(CASES / name), session)
        counts["by pattern"] += sum(1 for each in definition.outputs if each.glob)
        counts["by name"] += sum(1 for each in definition.outputs if not each.glob)
        counts["not"] += sum(1 for note in definition.notes if "is not looked for" in note)
    assert sum(counts.values()) == 82


def test_they_are_of_the_kinds_that_are_known(session: Session) -> None:
    require(CASES.is_dir(), "the public stage definitions are not beside the repository")
    kinds: Counter[str] = Counter()
    for name in STAGES:
        kinds[from_command_line(str(CASES / name), session).workflow.scheme] += 1
    assert sum(kinds.values()) == 76
    assert kinds["trs"] == 14
    assert kinds["gh"] > 20
