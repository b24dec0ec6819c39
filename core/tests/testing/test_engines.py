"""The contract of engines bites: each wrong engine breaks the one rule that is about its fault, right ones none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import wrong_engines


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    keys = {key: "wrong_engines" for cls in wrong_engines.wfx_engines() for key in cls.keys}
    return run_contracts("wrong_engines", {"wfx.engines": keys})


@pytest.mark.parametrize("cls", [wrong_engines.Lines], ids=lambda cls: cls.__name__)
def test_a_right_engine_passes(outcomes, cls: type) -> None:
    name = f"Right{cls.__name__}"
    assert outcomes.failed.get(name, set()) == set(), outcomes.texts.get(name)
    assert len(outcomes.passed[name]) > 4


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name, _, rule in wrong_engines.CASES])
def test_a_wrong_engine_breaks_its_rule_and_no_other(outcomes, name: str, rule: str) -> None:
    assert outcomes.failed.get(f"Wrong{name}", set()) == {rule}, outcomes.texts.get(f"Wrong{name}")


def test_every_rule_has_a_wrong_engine() -> None:
    from wfx.testing.engines import EngineContract

    rules = {name for name in dir(EngineContract) if name.startswith("test_")}
    assert {rule for _, _, rule in wrong_engines.CASES} == rules
