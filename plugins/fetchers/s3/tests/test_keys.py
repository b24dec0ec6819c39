"""Whose keys are used: wfx's own, a profile's, the environment's, or nobody's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wfx.errors import DefinitionError, PolicyError
from wfx.fetching import Reference
from wfx.testing.servers import FaultServer
from wfx_s3.stores import Store

REF = Reference("s3://bucket/a.txt")


@pytest.fixture
def files(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import os

    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = default-secret\n"
        "[lab]\naws_access_key_id=AKLAB\naws_secret_access_key=lab-secret=/+\naws_session_token=lab-token-1\n"
    )
    (folder / "credentials").chmod(0o600)
    (folder / "config").write_text("[profile lab]\nregion = eu-west-1\n[profile sso]\nsso_session = x\n")
    return folder


def login(bench: Any, **section: Any) -> Any:
    bench.network = {"sections": {"fetcher.s3": section}}
    return Store(REF, bench.net()).login


def test_without_any_nobody_signs(bench: Any, files: Path) -> None:
    assert login(bench).keys is None


def test_a_profile_is_read_from_both_files(bench: Any, files: Path) -> None:
    found = login(bench, profile="lab")
    assert (found.keys.access_key, found.keys.secret_key, found.keys.session_token) == (
        "AKLAB",
        "lab-secret=/+",
        "lab-token-1",
    )
    assert found.region == "eu-west-1"
    assert found.given_in.endswith("credentials [lab]")


def test_wfx_own_credentials_come_first_then_settings_then_the_environment(
    bench: Any, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "default")
    assert login(bench).keys.access_key == "AKDEFAULT"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    assert login(bench).keys.access_key == "AKENV"
    assert login(bench, profile="lab").keys.access_key == "AKLAB"
    bench.login("", "AKOWN", "own-secret")
    assert login(bench, profile="lab").keys.access_key == "AKOWN"
    assert login(bench, anonymous=True).keys is None


def test_credentials_by_prefix_may_name_keys_or_a_profile(bench: Any, files: Path) -> None:
    bench.config.mkdir(parents=True)
    path = bench.config / "credentials.toml"
    path.write_text(
        '["s3://bucket"]\nprofile = "lab"\n'
        '["s3://bucket/private"]\naccess_key = "AKPREFIX"\nsecret_key = "prefix-secret"\nsession_token = "token-1"\n'
    )
    path.chmod(0o600)
    assert Store(REF, bench.net()).login.keys.access_key == "AKLAB"
    keys = Store(Reference("s3://bucket/private/x"), bench.net()).login.keys
    assert (keys.access_key, keys.session_token) == ("AKPREFIX", "token-1")


def test_a_token_is_no_key(bench: Any) -> None:
    bench.environment["WFX_TOKEN_BUCKET"] = "canary-token"
    with pytest.raises(DefinitionError, match="no keys of an object store.*WFX_TOKEN_BUCKET"):
        login(bench)


@pytest.mark.parametrize(
    ("profile", "problem"), [("none", "no profile 'none'"), ("sso", "has no keys: sso_session is not followed")]
)
def test_a_profile_without_keys_is_said(bench: Any, files: Path, profile: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        login(bench, profile=profile)


def test_files_of_keys_are_their_owners_and_their_lines_are_not_shown(bench: Any, files: Path) -> None:
    (files / "credentials").chmod(0o644)
    with pytest.raises(PolicyError, match="chmod 600"):
        login(bench, profile="lab")
    (files / "credentials").chmod(0o600)
    (files / "credentials").write_text("canary-secret without a heading\n")
    with pytest.raises(DefinitionError, match="not a valid file of profiles") as caught:
        login(bench, profile="lab")
    assert "canary" not in repr(caught.value) + str(caught.value.__cause__)


def test_the_session_token_goes_along(server: FaultServer, bench: Any, files: Path) -> None:
    server.add("/bucket/a.txt", b"x")
    bench.at(server.url, profile="lab").one(REF)
    assert server.requests[0].headers["x-amz-security-token"] == "lab-token-1"
    assert "/eu-west-1/s3/" in server.requests[0].headers["authorization"]
