"""Registries that go wrong, want a login, or are mirrors of others."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, PolicyError
from wfx.fetching import Fetched
from wfx.session import Session
from wfx.testing.images import MadeImage, make_image
from wfx.testing.registries import LOGIN, Registry
from wfx.testing.servers import FaultServer
from wfx_oci.challenges import read_challenges
from wfx_oci.registries import is_loopback

Fetch = Callable[..., Fetched]


@pytest.fixture
def image() -> MadeImage:
    return make_image([{"a": os.urandom(2_000_000)}])


@pytest.fixture
def private() -> Iterator[Registry]:
    with Registry(auth="basic") as registry:
        yield registry


@pytest.fixture
def tokens() -> Iterator[Registry]:
    with Registry(auth="token") as registry:
        yield registry


def docker_config(home: Path, value: object, mode: int = 0o600) -> Path:
    path = home / ".docker" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))
    path.chmod(mode)
    return path


def entry(user: str = LOGIN[0], password: str = LOGIN[1]) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


# -- transfers that break


def test_a_layer_that_is_cut_is_gone_on_with(registry: Registry, fetch: Fetch, image: MadeImage) -> None:
    registry.push("wfx/tools", "1", image)
    blob = registry.blob("wfx/tools", image.layers[0])
    blob.cut = [1_500_000, 400_000]
    assert fetch(f"docker://{registry.host}/wfx/tools:1").revision == image.digest
    spans = [r.headers.get("range") for r in registry.asked(f"/v2/wfx/tools/blobs/{image.layers[0]}")]
    assert spans == [None, "bytes=1500000-", "bytes=1900000-"]


def test_a_registry_that_dies_is_gone_on_with_by_the_next_command(
    registry: Registry, fetch: Fetch, image: MadeImage, open_session: Callable[..., Session]
) -> None:
    registry.push("wfx/tools", "1", image)
    blob = registry.blob("wfx/tools", image.layers[0])
    blob.cut = [1_200_000] + [-1] * 20
    with pytest.raises(FetchError) as caught:
        fetch(f"docker://{registry.host}/wfx/tools:1")
    assert caught.value.exit_code == 4
    blob.cut = []
    assert fetch(f"docker://{registry.host}/wfx/tools:1", within=open_session()).revision == image.digest
    assert registry.requests[-1].headers["range"] == "bytes=1200000-"


def test_too_many_requests_are_waited_for_as_told(registry: Registry, fetch: Fetch, image: MadeImage) -> None:
    registry.push("wfx/tools", "1", image)
    registry.manifest("wfx/tools", "1").refuse = [(429, {"Retry-After": "0"})]
    registry.blob("wfx/tools", image.layers[0]).refuse = [(429, {"Retry-After": "0"})]
    assert fetch(f"docker://{registry.host}/wfx/tools:1").revision == image.digest


def test_too_many_requests_for_ever_say_what_to_do(registry: Registry, fetch: Fetch, image: MadeImage) -> None:
    registry.push("wfx/tools", "1", image)
    registry.manifest("wfx/tools", "1").refuse = [(429, {"Retry-After": "0"})] * 20
    with pytest.raises(FetchError, match="log in") as caught:
        fetch(f"docker://{registry.host}/wfx/tools:1")
    assert "429" in str(caught.value)


def test_a_registry_that_is_not_there_is_an_error_in_one_line(fetch: Fetch) -> None:
    with Registry() as registry:
        host = registry.host
    with pytest.raises(FetchError) as caught:
        fetch(f"docker://{host}/wfx/tools:1")
    assert host in str(caught.value)


# -- logins


def test_a_public_image_needs_a_token_and_nothing_of_ours(tokens: Registry, fetch: Fetch, image: MadeImage) -> None:
    tokens.push("wfx/tools", "1", image)
    assert fetch(f"docker://{tokens.host}/wfx/tools:1").revision == image.digest
    [request] = tokens.token_requests
    assert "authorization" not in request.headers
    assert "scope=repository%3Awfx%2Ftools%3Apull" in request.path
    assert "service=registry.test" in request.path


def test_a_token_that_has_become_old_is_renewed(tokens: Registry, fetch: Fetch) -> None:
    image = make_image([{"a": os.urandom(2_000_000)}])
    tokens.push("wfx/tools", "1", image)
    blob = tokens.blob("wfx/tools", image.layers[0])
    blob.cut = [700_000]
    # In the middle of the layer the registry forgets all tokens.
    blob.on_request = lambda _request, _resource: tokens.tokens.clear()
    assert fetch(f"docker://{tokens.host}/wfx/tools:1").revision == image.digest
    assert len(tokens.token_requests) == 2


def test_many_threads_share_a_token(tokens: Registry, fetch: Fetch) -> None:
    image = make_image([{str(n): os.urandom(300_000)} for n in range(6)])
    tokens.push("wfx/tools", "1", image)
    fetch(f"docker://{tokens.host}/wfx/tools:1")
    assert len(tokens.token_requests) == 1


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_docker_login_counts(machine: Path, fetch: Fetch, image: MadeImage, kind: str) -> None:
    with Registry(auth=kind, public=False) as registry:
        registry.push("wfx/tools", "1", image)
        docker_config(machine, {"auths": {f"http://{registry.host}/v2/": entry()}})
        assert fetch(f"docker://{registry.host}/wfx/tools:1").revision == image.digest
        asked = registry.requests if kind == "basic" else registry.token_requests
        assert {request.headers.get("authorization") for request in asked} == {registry.basic()}


def test_an_identity_token_is_exchanged(machine: Path, tokens: Registry, fetch: Fetch, image: MadeImage) -> None:
    tokens.public = False
    tokens.push("wfx/tools", "1", image)
    docker_config(machine, {"auths": {tokens.host: {"identitytoken": LOGIN[1]}}})
    assert fetch(f"docker://{tokens.host}/wfx/tools:1").revision == image.digest
    assert b"grant_type=refresh_token" in tokens.token_requests[0].body


def test_the_most_specific_entry_counts(machine: Path, private: Registry, fetch: Fetch, image: MadeImage) -> None:
    private.push("wfx/tools", "1", image)
    path = machine / ".config" / "containers" / "auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {private.host: entry("a", "b"), f"{private.host}/wfx": entry()}}))
    path.chmod(0o600)
    assert fetch(f"docker://{private.host}/wfx/tools:1").revision == image.digest


def test_wfx_credentials_count_before_docker_s(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    private.push("wfx/tools", "1", image)
    docker_config(machine, {"auths": {private.host: entry("wrong", "wrong")}})
    key = f"127_0_0_1_{private.port}"
    monkeypatch.setenv(f"WFX_USER_{key}", LOGIN[0])
    monkeypatch.setenv(f"WFX_PASSWORD_{key}", LOGIN[1])
    assert fetch(f"docker://{private.host}/wfx/tools:1").revision == image.digest


def helper(folder: Path, text: str, name: str = "test") -> None:
    folder.mkdir(exist_ok=True)
    path = folder / f"docker-credential-{name}"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


@pytest.mark.parametrize("way", ["credHelpers", "credsStore"])
def test_a_credential_helper_is_asked(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    private.push("wfx/tools", "1", image)
    bin_ = machine / "bin"
    answer = json.dumps({"Username": LOGIN[0], "Secret": LOGIN[1]})
    helper(bin_, f'[ "$1" = get ] && [ "$(cat)" = {private.host} ] && echo \'{answer}\'')
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    docker_config(
        machine, {"credHelpers": {private.host: "test"}} if way == "credHelpers" else {"credsStore": "test"}, 0o644
    )
    assert fetch(f"docker://{private.host}/wfx/tools:1").revision == image.digest


def test_a_helper_without_a_login_means_none(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    private.push("wfx/tools", "1", image)
    helper(machine / "bin", "echo 'credentials not found in native keychain'; exit 1")
    monkeypatch.setenv("PATH", f"{machine / 'bin'}:{os.environ['PATH']}")
    docker_config(machine, {"credsStore": "test"})
    with pytest.raises(AccessDenied, match="docker login"):
        fetch(f"docker://{private.host}/wfx/tools:1")


def test_a_helper_that_is_missing_is_named(machine: Path, private: Registry, fetch: Fetch, image: MadeImage) -> None:
    private.push("wfx/tools", "1", image)
    docker_config(machine, {"credHelpers": {private.host: "absent"}})
    with pytest.raises(FetchError, match="docker-credential-absent is not installed"):
        fetch(f"docker://{private.host}/wfx/tools:1")


def test_a_file_of_logins_that_others_may_read_is_refused(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage
) -> None:
    private.push("wfx/tools", "1", image)
    docker_config(machine, {"auths": {private.host: entry()}}, 0o644)
    with pytest.raises(PolicyError, match="chmod 600"):
        fetch(f"docker://{private.host}/wfx/tools:1")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": 3}', '{"auths": {"HOST": {"auth": "%%"}}}', '{"credHelpers": {"HOST": "../x"}}']
)
def test_a_broken_file_of_logins_is_named(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage, text: str
) -> None:
    private.push("wfx/tools", "1", image)
    path = docker_config(machine, {})
    path.write_text(text.replace("HOST", private.host))
    with pytest.raises(DefinitionError, match=r"config\.json"):
        fetch(f"docker://{private.host}/wfx/tools:1")


def test_no_login_is_told_from_a_wrong_one_and_from_nothing_there(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage
) -> None:
    private.push("wfx/tools", "1", image)
    with pytest.raises(AccessDenied, match="wants a login") as caught:
        fetch(f"docker://{private.host}/wfx/tools:1")
    assert f"docker login {private.host}" in str(caught.value)
    docker_config(machine, {"auths": {private.host: entry("user", "hunter22")}})
    with pytest.raises(AccessDenied, match="may not read it") as caught:
        fetch(f"docker://{private.host}/wfx/tools:1")
    assert "hunter22" not in str(caught.value)
    docker_config(machine, {"auths": {private.host: entry()}})
    with pytest.raises(FetchError, match="no such image"):
        fetch(f"docker://{private.host}/wfx/nothing:1")


def test_a_token_service_that_refuses_is_told(machine: Path, tokens: Registry, fetch: Fetch, image: MadeImage) -> None:
    tokens.public = False
    tokens.push("wfx/tools", "1", image)
    with pytest.raises(AccessDenied):
        fetch(f"docker://{tokens.host}/wfx/tools:1")
    path = docker_config(machine, {"auths": {tokens.host: entry("user", "hunter22")}})
    with pytest.raises(AccessDenied, match="login is refused") as caught:
        fetch(f"docker://{tokens.host}/wfx/tools:1")
    assert str(path) in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_a_login_stays_behind_when_blobs_are_elsewhere(
    machine: Path, private: Registry, fetch: Fetch, image: MadeImage
) -> None:
    private.push("wfx/tools", "1", image)
    docker_config(machine, {"auths": {private.host: entry()}})
    with FaultServer() as elsewhere:
        target = elsewhere.add("/cdn/layer", image.blobs[image.layers[0]])
        private.redirect(f"/v2/wfx/tools/blobs/{image.layers[0]}", target.replace("127.0.0.1", "localhost"), 307)
        session = fetch.session  # type: ignore[attr-defined]
        object.__setattr__(session.net.settings, "allow_private_hosts", ("localhost",))
        assert fetch(f"docker://{private.host}/wfx/tools:1").revision == image.digest
        assert elsewhere.requests
        assert all("authorization" not in request.headers for request in elsewhere.requests)


def test_a_realm_does_not_lead_into_the_private_network(tokens: Registry, fetch: Fetch, image: MadeImage) -> None:
    tokens.push("wfx/tools", "1", image)
    challenge = 'Bearer realm="http://169.254.169.254/latest",service="x"'
    tokens._challenge = lambda _request: challenge  # type: ignore[method-assign]
    with pytest.raises(PolicyError, match="private network"):
        fetch(f"docker://{tokens.host}/wfx/tools:1")


def test_secrets_are_in_no_message_and_not_in_the_store(
    machine: Path, tokens: Registry, fetch: Fetch, image: MadeImage, tmp_path: Path
) -> None:
    tokens.public = False
    tokens.push("wfx/tools", "1", image)
    docker_config(machine, {"auths": {tokens.host: entry()}})
    fetch(f"docker://{tokens.host}/wfx/tools:1")
    secrets = [LOGIN[1].encode(), *(token.encode() for token in tokens.tokens)]
    for path in (tmp_path / "wfx").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(secret in data for secret in secrets), path


# -- where a registry is


def test_a_mirror_is_asked_first_and_the_registry_when_it_fails(
    registry: Registry, open_session: Callable[..., Session], fetch: Fetch, image: MadeImage, tmp_path: Path
) -> None:
    other = make_image([{"only": b"here"}])
    registry.push("wfx/tools", "1", image)
    registry.push("wfx/tools", "2", other)
    with Registry() as mirror:
        mirror.push("proxy/wfx/tools", "1", image)
        config = tmp_path / "wfx" / "config"
        config.mkdir(parents=True)
        (config / "config.toml").write_text(f'[fetcher.oci]\nmirrors = ["{registry.host}={mirror.host}/proxy"]\n')
        session = open_session()
        mirror.blob("proxy/wfx/tools", image.layers[0]).status = 404
        fetched = fetch(f"docker://{registry.host}/wfx/tools:1", within=session)
        assert str(fetched.pinned) == f"docker://{registry.host}/wfx/tools@{image.digest}"
        assert registry.asked_blobs("wfx/tools") == [image.layers[0]]
        assert fetch(f"docker://{registry.host}/wfx/tools:2", within=session).revision == other.digest


@pytest.mark.parametrize("line", ['mirrors = ["x"]', "mirrors = 3", 'mirror = ["a=b"]', 'mirrors = ["a=https://b"]'])
def test_a_wrong_setting_is_named(
    open_session: Callable[..., Session], fetch: Fetch, tmp_path: Path, line: str
) -> None:
    config = tmp_path / "wfx" / "config"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f"[fetcher.oci]\n{line}\n")
    with pytest.raises(DefinitionError, match="mirror"):
        fetch("docker://registry.example/x:1", within=open_session())


def test_only_this_machine_is_spoken_with_openly() -> None:
    assert all(
        map(is_loopback, ("localhost", "localhost:5000", "127.0.0.1:80", "127.3.2.1", "[::1]:5000", "a.localhost"))
    )
    assert not any(map(is_loopback, ("localhost.example.org", "10.0.0.1:5000", "127.0.0.1.example:5000", "[::2]:1")))


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ('Bearer realm="https://a/b",service="c",scope="repository:x:pull,push"', ["bearer"]),
        ('Basic realm="x", Bearer realm="https://a/b"', ["basic", "bearer"]),
        ("Negotiate, Basic realm=x", ["negotiate", "basic"]), ("", []), ("=,=", []), ("Basic", ["basic"]),
        ('bearer realm="a\\"b"', ["bearer"]),
    ],
)  # fmt: skip
def test_challenges_are_read(header: str, schemes: list[str]) -> None:
    assert [challenge.scheme for challenge in read_challenges(header)] == schemes


def test_a_scope_keeps_its_commas() -> None:
    [challenge] = read_challenges('Bearer realm="https://a/b",service="c",scope="repository:x:pull,push"')
    assert challenge.parameters == {"realm": "https://a/b", "service": "c", "scope": "repository:x:pull,push"}
