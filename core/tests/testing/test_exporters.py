"""The contract of exporters bites: each wrong exporter breaks the one rule that is about its fault, right ones none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import wrong_exporters


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    keys = {key: "wrong_exporters" for cls in wrong_exporters.wfx_exporters() for key in cls.keys}
    return run_contracts("wrong_exporters", {"wfx.exporters": keys})


@pytest.mark.parametrize("cls", wrong_exporters.RIGHT, ids=lambda cls: cls.__name__)
def test_a_right_exporter_passes(outcomes, cls: type) -> None:
    name = f"Right{cls.__name__}"
    assert outcomes.failed.get(name, set()) == set(), outcomes.texts.get(name)
    assert len(outcomes.passed[name]) > 4


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name, _, rule in wrong_exporters.CASES])
def test_a_wrong_exporter_breaks_its_rule_and_no_other(outcomes, name: str, rule: str) -> None:
    assert outcomes.failed.get(f"Wrong{name}", set()) == {rule}, outcomes.texts.get(f"Wrong{name}")


def test_every_rule_has_a_wrong_exporter() -> None:
    from wfx.testing.exporters import ExporterContract

    rules = {name for name in dir(ExporterContract) if name.startswith("test_")}
    assert {rule for _, _, rule in wrong_exporters.CASES} == rules
