"""The contract of what speaks Docker's command line bites: each wrong runtime breaks its own rule, the right one none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from wfx.testing.requirements import require_program
from wfx.testing.speaking import SpeakingFactoryContract

sys.path.insert(0, str(Path(__file__).parent))
import wrong_speakers

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    require_program("bwrap", package="bubblewrap")
    require_program("busybox", package="busybox-static")
    keys = {key: "wrong_speakers" for cls in wrong_speakers.wfx_container_factories() for key in cls.keys}
    return run_contracts("wrong_speakers", {"wfx.container_factories": keys})


def test_the_runtime_of_the_template_passes(outcomes) -> None:
    assert outcomes.failed.get("RightSpeaker", set()) == set(), outcomes.texts.get("RightSpeaker")
    rules = {name for name in dir(SpeakingFactoryContract) if name.startswith("test_")}
    assert outcomes.passed["RightSpeaker"] == rules


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name, _, rule in wrong_speakers.CASES])
def test_a_wrong_runtime_breaks_its_rule(outcomes, name: str, rule: str) -> None:
    assert outcomes.failed.get(f"Wrong{name}", set()) == {rule}, outcomes.texts.get(f"Wrong{name}")


def test_every_rule_has_a_wrong_runtime() -> None:
    rules = {name for name in dir(SpeakingFactoryContract) if name.startswith("test_")}
    if os.geteuid() != 0:
        # Only root can give files to somebody else.
        rules -= {"test_what_it_writes_is_the_caller_s"}
    assert {rule for _, _, rule in wrong_speakers.CASES} == rules
