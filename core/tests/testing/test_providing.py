"""The contract of engines that wfx provides bites: each wrong engine breaks its own rule, the right one none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wfx.testing.providing import ProvidedEngineContract

sys.path.insert(0, str(Path(__file__).parent))
import wrong_providers

RULES = {name for name in dir(ProvidedEngineContract) if name.startswith("test_")}


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    keys = {key: "wrong_providers" for cls in wrong_providers.wfx_engines() for key in cls.keys}
    return run_contracts("wrong_providers", {"wfx.engines": keys})


def test_a_right_engine_passes(outcomes) -> None:
    assert outcomes.failed.get("RightProvided", set()) == set(), outcomes.texts.get("RightProvided")
    assert outcomes.passed["RightProvided"] == RULES


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name, _, rule in wrong_providers.CASES])
def test_a_wrong_engine_breaks_its_rule_and_no_other(outcomes, name: str, rule: str) -> None:
    assert outcomes.failed.get(f"Wrong{name}", set()) == {rule}, outcomes.texts.get(f"Wrong{name}")


def test_every_rule_has_a_wrong_engine() -> None:
    assert {rule for _, _, rule in wrong_providers.CASES} == RULES
