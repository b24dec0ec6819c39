"""Which version of an engine serves a workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from wfx import provided
from wfx.choosing import CURRENT, Choice, choose
from wfx.engines import Engine, Wanted
from wfx.errors import EngineError, PluginError
from wfx.session import Session

Make = Callable[..., Session]


def wants(text: str, *, strict: bool = True) -> Wanted:
    return Wanted(text, "main.toy", strict)


def test_the_version_that_is_found_serves_where_nothing_is_declared(session: Make, toy: type[Engine]) -> None:
    assert choose(toy, session()) == Choice("2.0")
    assert choose(toy, session(), wants(">=1.5")) == Choice("2.0", declared=">=1.5 in main.toy")
    assert toy.provided == []


def test_where_it_does_not_fit_what_is_declared_another_is_provided(session: Make, toy: type[Engine]) -> None:
    chosen = choose(toy, session(), wants(">=2.5"))
    assert chosen.version == "3.0"
    assert chosen.installation is not None
    assert (chosen.installation.folder / "bin/toy").read_text() == "toy 3.0"
    assert chosen.reason == "Toy 2.0 is installed, and the workflow asks for >=2.5 in main.toy"
    planned = chosen.planned
    assert (planned.provided, planned.declared) == (True, ">=2.5 in main.toy")
    assert planned.digest == chosen.installation.digest != ""


@pytest.mark.parametrize(
    ("declared", "version"), [(">=4.1", "4.1"), ("==1.5", "1.5"), (">=4,!=4.0,<5.1,>=5.0", "5.0"), ("<9", "2.0")]
)
def test_the_version_to_provide_is_the_usual_one_or_one_that_is_named(
    session: Make, toy: type[Engine], declared: str, version: str
) -> None:
    assert choose(toy, session(), wants(declared)).version == version


def test_what_is_kept_and_fits_is_taken_before_anything_is_brought(session: Make, toy: type[Engine]) -> None:
    root = provided.root_of(session())
    for version in ("4.1", "5.0"):
        provided.install(root, toy, version)
    toy.provided.clear()
    assert choose(toy, session(), wants(">=2.5")).version == "5.0"
    provided.install(root, toy, "3.0")
    toy.provided.clear()
    assert choose(toy, session(), wants(">=2.5")).version == "3.0"
    assert choose(toy, session(offline=True), wants(">=3.1,<5")).version == "4.1"
    assert toy.provided == []


def test_one_that_is_not_installed_is_provided_and_the_plan_says_why(session: Make, toy: type[Engine]) -> None:
    toy.here = ""
    chosen = choose(toy, session())
    assert (chosen.version, chosen.reason) == ("3.0", "Toy is not installed (there is none on PATH)")
    reason = choose(toy, session(), wants(">=4.1")).reason
    assert reason == "Toy is not installed (there is none on PATH), and the workflow asks for >=4.1 in main.toy"


def test_one_that_the_plugin_cannot_drive_is_not_used(session: Make, toy: type[Engine]) -> None:
    toy.here = "9.3"
    chosen = choose(toy, session())
    assert (chosen.version, chosen.reason) == ("3.0", "Toy 9.3 is installed, and the plugin drives >=1,<9")


def test_offline_nothing_is_provided_and_the_command_that_does_is_named(session: Make, toy: type[Engine]) -> None:
    with pytest.raises(EngineError, match=r"Toy 4\.1 is not installed: Toy 2\.0 is installed, .* >=4\.1 in") as caught:
        choose(toy, session(offline=True), wants(">=4.1"))
    assert "wfx engines install toy@4.1" in str(caught.value)
    toy.here = ""
    with pytest.raises(
        EngineError, match=r"Toy 3\.0 is not installed: Toy is not installed .*wfx engines install toy@3\.0"
    ):
        choose(toy, session(offline=True))
    assert caught.value.exit_code == 6
    assert toy.provided == []


def test_a_version_that_is_asked_for_goes_before_all_else(session: Make, toy: type[Engine]) -> None:
    chosen = choose(toy, session(), wants(">=4"), asked="1.5")
    assert (chosen.version, chosen.reason) == ("1.5", "it is asked for")
    assert chosen.warning == "it runs with Toy 1.5, though the workflow asks for >=4 in main.toy"
    assert choose(toy, session(), asked="2.0").installation is None
    assert choose(toy, session(), asked="2").installation is None, "2 is 2.0"


def test_current_is_the_one_that_is_here(session: Make, toy: type[Engine]) -> None:
    chosen = choose(toy, session(), wants(">=4"), asked=CURRENT)
    assert (chosen.version, chosen.installation) == ("2.0", None)
    assert "though Toy 2.0 is installed, and the workflow asks for >=4" in chosen.warning
    assert choose(toy, session(), asked=CURRENT).warning == ""
    toy.here = ""
    with pytest.raises(EngineError, match="Toy is not installed"):
        choose(toy, session(), asked=CURRENT)


def test_a_setting_chooses_where_the_workflow_allows_it(session: Make, toy: type[Engine]) -> None:
    settings = '[engine."toy.toy"]\nversion = "4.1"\n'
    chosen = choose(toy, session(settings=settings))
    assert (chosen.version, chosen.reason) == ("4.1", "the setting engine.toy.toy.version")
    assert choose(toy, session(settings=settings), wants("<3")).version == "2.0"
    assert choose(toy, session(settings=settings), asked="1.5").version == "1.5"


def test_a_version_that_nobody_has_is_an_error_with_its_reasons(session: Make, toy: type[Engine]) -> None:
    with pytest.raises(
        EngineError, match=r"Toy 6\.0 could not be provided: .*asks for >=6\.0 .*nobody has published it"
    ):
        choose(toy, session(), wants(">=6.0"))
    with pytest.raises(EngineError, match="no Toy that serves is known: .*; name a version with --engine-version"):
        choose(toy, session(), wants(">=9.5"))
    with pytest.raises(EngineError, match=r"Toy 9\.5 cannot be driven: the plugin drives >=1,<9"):
        choose(toy, session(), asked="9.5")


def test_a_workflow_that_only_advises_runs_with_a_warning(session: Make, toy: type[Engine]) -> None:
    chosen = choose(toy, session(), wants(">=6.0", strict=False))
    assert (chosen.version, chosen.installation) == ("2.0", None)
    assert "asks for >=6.0 in main.toy" in chosen.warning
    assert "nobody has published it" in chosen.warning
    assert choose(toy, session(), wants(">=2.5", strict=False)).version == "3.0"


def test_an_engine_that_cannot_be_provided_is_the_one_that_is_here_or_none(session: Make, toy: type[Engine]) -> None:
    toy.capabilities = replace(toy.capabilities, provides="")
    assert choose(toy, session()).version == "2.0"
    assert choose(toy, session(), wants(">=3", strict=False)).warning.startswith("it runs with Toy 2.0")
    for attempt in ({"wanted": wants(">=3")}, {"asked": "3.0"}):
        with pytest.raises(EngineError, match=r"Toy 2\.0 is installed"):
            choose(toy, session(), **attempt)
    toy.here = ""
    with pytest.raises(EngineError, match="Toy is not installed"):
        choose(toy, session())


def test_what_a_plugin_does_wrong_is_no_missing_engine(session: Make, toy: type[Engine]) -> None:
    def broken(self: Engine) -> str:
        raise PluginError("the plugin is broken")

    toy.version = broken  # type: ignore[method-assign]
    with pytest.raises(PluginError, match="the plugin is broken"):
        choose(toy, session())
