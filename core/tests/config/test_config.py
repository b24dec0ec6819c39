"""Which setting is in force, where it came from, and what is said of a wrong one."""

from pathlib import Path

import pytest
from wfx.config import SETTINGS, Config, Directories
from wfx.errors import DefinitionError


class Place:
    """A home and a project, with the files of both."""

    def __init__(self, root: Path) -> None:
        self.home, self.project = root / "home", root / "project"
        (self.home / "config").mkdir(parents=True)
        (self.project / "sub").mkdir(parents=True)
        self.environment = {"WFX_HOME": str(self.home), "HOME": str(root)}

    def user(self, text: str) -> Path:
        path = self.home / "config" / "config.toml"
        path.write_text(text)
        return path

    def wfx_toml(self, text: str) -> Path:
        path = self.project / "wfx.toml"
        path.write_text(text)
        return path

    def load(self, directory: str = "", command_line: dict[str, object] | None = None, **environment: str) -> Config:
        return Config.load(command_line, {**self.environment, **environment}, self.project / directory)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_without_files_every_setting_has_its_default(place: Place) -> None:
    config = place.load()
    assert {s.name: config.get(s.name) for s in SETTINGS} == {s.name: s.default for s in SETTINGS}
    assert {config.values[s.name][0].origin for s in SETTINGS} == {"default"}


def test_every_default_is_of_its_setting_s_type() -> None:
    for setting in SETTINGS:
        assert type(setting.default) is setting.type
        assert not setting.choices or setting.default in setting.choices


def test_the_nearer_place_wins_and_all_origins_are_kept(place: Place) -> None:
    user = place.user("[fetch]\njobs = 1\nretries = 1\nconnections = 1\n\n[run]\ncores = 1\n")
    project = place.wfx_toml("# the project\n[fetch]\njobs = 2\nretries = 2\nconnections = 2\n")
    config = place.load("sub", {"fetch.jobs": 4}, WFX_FETCH_JOBS="3", WFX_FETCH_RETRIES="3")
    assert [config.get_int(f"fetch.{key}") for key in ("jobs", "retries", "connections")] == [4, 3, 2]
    assert config.get_int("run.cores") == 1
    assert [(v.value, v.origin) for v in config.values["fetch.jobs"]] == [
        (4, "command line"),
        (3, "environment WFX_FETCH_JOBS"),
        (2, f"{project}:3"),
        (1, f"{user}:2"),
        (16, "default"),
    ]
    assert config.files == [user, project]


def test_the_nearest_project_file_counts_and_none_above_the_repository(place: Place) -> None:
    place.wfx_toml("[fetch]\njobs = 2\n")
    assert place.load("sub").get("fetch.jobs") == 2
    (place.project / "sub" / ".git").mkdir()
    assert place.load("sub").get("fetch.jobs") == 16
    (place.project / "sub" / "wfx.toml").write_text("[fetch]\njobs = 3\n")
    assert place.load("sub").get("fetch.jobs") == 3


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("containers", "docker, none,", ["docker", "none"]),
        ("containers", "", []),
        ("fetch.jobs", "3", 3),
        ("fetch.idle_timeout", "1.5", 1.5),
        ("fetch.idle_timeout", "2", 2.0),
        ("sandbox", "none", "none"),
        ("person.name", "Ä B", "Ä B"),
    ],
)
def test_the_environment_gives_values_as_texts(place: Place, name: str, text: str, value: object) -> None:
    config = place.load("", None, **{"WFX_" + name.replace(".", "_").upper(): text})
    assert config.get(name) == value
    assert type(config.get(name)) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[fetch]\njobs = "3"\n', 2, "'fetch.jobs' takes a int, not '3'"),
        ("[fetch]\n\njobs = true\n", 3, "'fetch.jobs' takes a int, not True"),
        ("fetch.jobs = 1.5\n", 1, "'fetch.jobs' takes a int, not 1.5"),
        ('fetch = {jobs = "x"}\n', 1, "'fetch.jobs' takes a int"),
        ("containers = 'docker'\n", 1, "'containers' takes a list of strings, not 'docker'"),
        ("containers = ['docker', 1]\n", 1, "'containers' takes a list of strings"),
        ("\nsandbox = 'maybe'\n", 2, "'sandbox' is one of auto, require, none, not 'maybe'"),
        ("[fetch]\nidle_timeout = nan\n", 2, "'fetch.idle_timeout'"),
        ("[fetch]\njobs = -1\n", 2, "'fetch.jobs'"),
        ("[person]\nname = 'x'\n[fetch]\njobz = 1\n", 4, "no setting 'fetch.jobz'; did you mean 'fetch.jobs'?"),
        ("[person]\nname = 'x'\n[fetch]\nname = 1\n", 4, "no setting 'fetch.name'"),
        ("# jobs = 1\n[run]\njobs = 1\n", 3, "no setting 'run.jobs'"),
        ("qqq = 1\n", 1, "no setting 'qqq'; see `wfx config show`"),
        ("[net]\napi_token = 'x'\n", 2, "secrets do not belong here: net.api_token; put them into credentials.toml"),
        ("[fetch]\njobs = \n", 2, "not valid TOML"),
        ("[fetch]\njobs = 1\njobs = 2\n", 3, "not valid TOML"),
        ("sandbox = {a = 1}\n", 1, "'sandbox"),
        ("fetch = 1\n", 1, "'fetch'"),
    ],
)
def test_a_wrong_setting_is_named_with_file_and_line(place: Place, text: str, line: int, words: str) -> None:
    path = place.user(text)
    with pytest.raises(DefinitionError) as caught:
        place.load()
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_a_secret_is_not_repeated(place: Place) -> None:
    place.user("[net]\npassword = 'c4n4ry'\n")
    with pytest.raises(DefinitionError) as caught:
        place.load()
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [("WFX_FETCH_JOBS", "many"), ("WFX_SANDBOX", "maybe"), ("WFX_FETCH_IDLE_TIMEOUT", "nan"), ("WFX_FETCH_JOBS", "-3")])  # fmt: skip
def test_a_wrong_variable_is_named(place: Place, name: str, text: str) -> None:
    with pytest.raises(DefinitionError, match=f"^environment {name}: "):
        place.load("", None, **{name: text})


def test_a_wrong_option_is_named(place: Place) -> None:
    with pytest.raises(DefinitionError, match="^command line: 'fetch.jobs' takes a int"):
        place.load("", {"fetch.jobs": "x"})


def test_a_file_that_is_not_utf_8_is_refused(place: Place) -> None:
    (place.home / "config" / "config.toml").write_bytes(b"a = '\xff'\n")
    with pytest.raises(DefinitionError, match=r"config.toml: it is not UTF-8 text"):
        place.load()


def test_the_sections_of_engines_are_their_own(place: Place) -> None:
    place.user("[engine.cwl.cwltool]\nanything = [1]\nflag = true\n")
    place.wfx_toml("[engine.cwl.cwltool]\nflag = false\n")
    config = place.load()
    assert config.section("engine.cwl.cwltool") == {"anything": [1], "flag": False}
    assert config.section("engine.cwl.other") == {}


def test_an_engine_s_section_may_hold_tables(place: Place) -> None:
    place.user("[engine.cwl.cwltool.limits]\nmemory = 1\n")
    assert place.load().section("engine.cwl.cwltool.limits") == {"memory": 1}


def test_the_person_is_what_is_set(place: Place) -> None:
    place.user("[person]\nname = 'A B'\norcid = '0000-0002-1825-0097'\n")
    assert place.load().person() == {"name": "A B", "orcid": "0000-0002-1825-0097"}


@pytest.mark.parametrize(
    ("environment", "config", "store"),
    [
        ({"HOME": "/h"}, "/h/.config/wfx", "/h/.cache/wfx/v1"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k"}, "/c/wfx", "/k/wfx/v1"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "relative", "XDG_CACHE_HOME": ""}, "/h/.config/wfx", "/h/.cache/wfx/v1"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "WFX_HOME": "/w"}, "/w/config", "/w/cache/v1"),
    ],
)
def test_the_directories_follow_the_environment(environment: dict[str, str], config: str, store: str) -> None:
    found = Directories.find(environment)
    assert (str(found.config), str(found.store)) == (config, store)
