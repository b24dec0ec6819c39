"""Tokens: given, or got for the key of a service account (RFC 7523) or for a user's own log-in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from wfx.errors import AccessDenied, DefinitionError, PolicyError
from wfx.fetching import Reference
from wfx.testing.servers import FaultServer, Request, Resource
from wfx_gs import GsFetcher

REF = "gs://bucket/a.txt"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def service(server: FaultServer, tmp_path: Path, key: rsa.RSAPrivateKey, path_of: Callable[..., str]) -> Path:
    """The file of a service account, whose statements the server looks at before it gives a token."""
    server.add(path_of("a.txt"), b"secret data\n", authorization="Bearer canary-access-1")
    server.add("/token", json.dumps({"access_token": "canary-access-1", "expires_in": 3600}).encode())

    def check(request: Request, resource: Resource) -> None:
        form = parse_qs(request.body.decode())
        head, claims, signature = form["assertion"][0].split(".")
        key.public_key().verify(unpacked(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        said = json.loads(unpacked(claims))
        right = (
            json.loads(unpacked(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
            and said["iss"] == "robot@project.example.org"
            and said["aud"] == f"{server.url}/token"
            and said["scope"].endswith("devstorage.read_only")
            and abs(said["iat"] - time.time()) < 60
            and said["exp"] == said["iat"] + 3600
            and form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        )
        resource.status = 200 if right else 400

    server.resources["/token"].on_request = check
    path = tmp_path / "robot.json"
    path.write_text(
        json.dumps({
            "type": "service_account", "private_key_id": "k1", "private_key": pem(key),
            "client_email": "robot@project.example.org", "token_uri": f"{server.url}/token",
        })
    )  # fmt: skip
    path.chmod(0o600)
    return path


def give(bench: Any, text: str) -> None:
    bench.config.mkdir(parents=True, exist_ok=True)
    path = bench.config / "credentials.toml"
    path.write_text(f'["gs://bucket"]\n{text}\n')
    path.chmod(0o600)


def test_a_key_file_gets_a_token_once(server: FaultServer, bench: Any, service: Path) -> None:
    give(bench, f'key_file = "{service}"')
    bench.at(server.url)
    assert bench.bytes_of(bench.one(REF)) == b"secret data\n"
    assert bench.one(REF)
    assert len(server.asked("/token")) == 1


def test_a_file_that_the_environment_names_is_used_and_must_be_its_owners(
    server: FaultServer, bench: Any, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service))
    assert bench.bytes_of(bench.at(server.url).one(REF)) == b"secret data\n"
    service.chmod(0o644)
    with pytest.raises(PolicyError, match="chmod 600"):
        bench.one(REF)


def test_a_users_own_log_in_gets_a_token(
    server: FaultServer, bench: Any, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.resources["/token"].on_request = None
    service.write_text(
        json.dumps({
            "type": "authorized_user", "client_id": "id", "client_secret": "canary-client", "refresh_token": "canary-refresh",
            "token_uri": f"{server.url}/token",
        })
    )  # fmt: skip
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service))
    assert bench.bytes_of(bench.at(server.url).one(REF)) == b"secret data\n"
    form = parse_qs(server.asked("/token")[0].body.decode())
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], ["canary-refresh"])


def test_a_token_is_sent_as_it_is(
    server: FaultServer, bench: Any, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "canary-access-1")
    assert bench.bytes_of(bench.at(server.url).one(REF)) == b"secret data\n"
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "canary-other-2")
    bench.login("", "", "canary-access-1")
    assert bench.one(REF)
    assert not server.asked("/token")


def test_a_refusal_says_why_and_shows_no_key(server: FaultServer, bench: Any, service: Path) -> None:
    answer = json.dumps({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}).encode()
    server.add("/token", answer, status=400)
    give(bench, f'key_file = "{service}"')
    with pytest.raises(AccessDenied, match=r"no token is given.*invalid_grant: Invalid JWT Signature.*clock") as caught:
        bench.at(server.url).one(REF)
    assert "PRIVATE" not in str(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"type": "external_account"}, "type 'external_account' cannot be used.*print-access-token"),
        ({"private_key": "canary"}, "private_key cannot be read"),
        ({"private_key": ""}, "it has no private_key"),
        ({"client_email": 3}, "it has no client_email"),
        ({"token_uri": "http://elsewhere.example.org/token"}, "token_uri is not https"),
        (None, "not valid JSON"),
    ],
    ids=["type", "key", "no key", "name", "http", "text"],
)
def test_a_file_that_cannot_be_used_is_said(
    server: FaultServer, bench: Any, service: Path, change: dict[str, Any] | None, problem: str
) -> None:
    text = "{canary" if change is None else json.dumps(json.loads(service.read_text()) | change)
    service.write_text(text)
    give(bench, f'key_file = "{service}"')
    with pytest.raises(DefinitionError, match=problem) as caught:
        bench.at(server.url).one(REF)
    assert "canary" not in str(caught.value)


def test_a_key_of_another_kind_is_said(server: FaultServer, bench: Any, service: Path) -> None:
    data = json.loads(service.read_text()) | {"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}
    service.write_text(json.dumps(data))
    give(bench, f'key_file = "{service}"')
    with pytest.raises(DefinitionError, match="no RSA key"):
        bench.at(server.url).one(REF)


def test_a_password_is_no_token(bench: Any) -> None:
    bench.environment |= {"WFX_USER_BUCKET": "ada", "WFX_PASSWORD_BUCKET": "canary-pass"}
    with pytest.raises(DefinitionError, match="no token and no key file"):
        GsFetcher().open(Reference(REF), bench.net())
