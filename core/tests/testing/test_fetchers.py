"""The contract of fetchers bites: each wrong fetcher breaks the one rule that is about its fault, right ones none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import right_fetchers
import wrong_fetchers


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    points = {
        "wfx.fetchers": {
            **{key: "right_fetchers" for cls in right_fetchers.RIGHT for key in cls.keys},
            **{key: "wrong_fetchers" for cls in wrong_fetchers.wfx_fetchers() for key in cls.keys},
        }
    }
    return run_contracts("wrong_fetchers", points)


@pytest.mark.parametrize("cls", right_fetchers.RIGHT, ids=lambda cls: cls.__name__)
def test_a_right_fetcher_passes(outcomes, cls: type) -> None:
    name = f"Right{cls.__name__}"
    assert outcomes.failed.get(name, set()) == set(), outcomes.texts.get(name)
    assert len(outcomes.passed[name]) > 5


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name, _, rule in wrong_fetchers.CASES])
def test_a_wrong_fetcher_breaks_its_rule_and_no_other(outcomes, name: str, rule: str) -> None:
    assert outcomes.failed.get(f"Wrong{name}", set()) == {rule}, outcomes.texts.get(f"Wrong{name}")


def test_every_rule_has_a_wrong_fetcher() -> None:
    from wfx.testing.fetchers import FetcherContract

    rules = {name for name in dir(FetcherContract) if name.startswith("test_")}
    assert {rule for _, _, rule in wrong_fetchers.CASES} == rules
