"""Who the server is, and who we are: known hosts, changed keys, fingerprints; keys, passphrases, agent, password."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from wfx.errors import AccessDenied, DefinitionError, PolicyError
from wfx.testing.requirements import require_program


def knows(bench: Any, tmp_path: Path, text: str, **more: Any) -> None:
    path = tmp_path / "known"
    path.write_text(text)
    bench.network = {"sections": {"fetcher.sftp": {"known_hosts": [str(path)], **more}}}


# -- who the server is


def test_a_server_that_is_not_known_is_refused_with_its_fingerprint(
    place: Any, bench: Any, tmp_path: Path, host_key: Any
) -> None:
    ref = place.write("a.txt", b"a\n")
    knows(bench, tmp_path, "")
    with pytest.raises(PolicyError, match="the server is not known: its key is SHA256:") as caught:
        bench.one(ref)
    assert host_key.get_fingerprint() in str(caught.value)
    assert f"ssh-keyscan -p {place.port} 127.0.0.1 >> ~/.ssh/known_hosts" in str(caught.value)
    # No name and no proof has been sent.
    assert not place.logins
    knows(bench, tmp_path, "", fingerprints=[f"127.0.0.1:{place.port}={host_key.get_fingerprint()}"])
    assert bench.bytes_of(bench.one(ref)) == b"a\n"


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_a_server_with_another_key_than_before_is_refused(
    place: Any, bench: Any, tmp_path: Path, algorithm: str
) -> None:
    ref = place.write("a.txt", b"a\n")
    knows(bench, tmp_path, place.known(asyncssh.generate_private_key(algorithm)))
    with pytest.raises(PolicyError, match="another key than the one that is known.*ssh-keygen -R"):
        bench.one(ref)
    assert not place.logins


def test_a_key_that_was_revoked_is_refused(place: Any, bench: Any, tmp_path: Path) -> None:
    knows(bench, tmp_path, f"{place.known()}@revoked {place.known()}")
    with pytest.raises(PolicyError, match="another key than"):
        bench.one(place.write("a.txt", b"a\n"))


def test_hashed_names_are_understood(place: Any, bench: Any, tmp_path: Path) -> None:
    program = require_program("ssh-keygen", package="openssh-client")
    knows(bench, tmp_path, place.known())
    subprocess.run([program, "-q", "-H", "-f", str(tmp_path / "known")], check=True, capture_output=True)
    assert "127.0.0.1" not in (tmp_path / "known").read_text()
    assert bench.bytes_of(bench.one(place.write("a.txt", b"a\n"))) == b"a\n"


def test_the_users_own_file_is_read_where_nothing_is_set(place: Any, bench: Any) -> None:
    bench.network = {}
    folder = Path(os.environ["HOME"]) / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "known_hosts").write_text(place.known())
    assert bench.bytes_of(bench.one(place.write("a.txt", b"a\n"))) == b"a\n"


# -- who we are


@pytest.fixture
def key(place: Any, tmp_path: Path) -> Any:
    made = asyncssh.generate_private_key("ssh-ed25519")
    authorized = tmp_path / "authorized"
    made.write_public_key(authorized)
    place.closed_to_all, place.user_keys = True, authorized
    return made


def credentials(bench: Any, place: Any, text: str) -> None:
    bench.config.mkdir(parents=True, exist_ok=True)
    path = bench.config / "credentials.toml"
    path.write_text(f'["{place.url}"]\n{text}\n')
    path.chmod(0o600)


def test_a_key_file_lets_in(place: Any, bench: Any, key: Any, tmp_path: Path) -> None:
    key.write_private_key(tmp_path / "id")
    (tmp_path / "id").chmod(0o600)
    credentials(bench, place, f'username = "ada"\nkey_file = "{tmp_path}/id"')
    assert bench.bytes_of(bench.one(place.write("a.txt", b"a\n"))) == b"a\n"
    assert place.logins == ["ada"]


@pytest.mark.filterwarnings("ignore:.*bcrypt")
def test_a_passphrase_opens_the_key_and_a_wrong_one_is_said(place: Any, bench: Any, key: Any, tmp_path: Path) -> None:
    key.write_private_key(tmp_path / "id", passphrase="canary-pass-1", rounds=4)
    (tmp_path / "id").chmod(0o600)
    ref = place.write("a.txt", b"a\n")
    credentials(bench, place, f'username = "ada"\nkey_file = "{tmp_path}/id"\npassphrase = "canary-pass-1"')
    assert bench.bytes_of(bench.one(ref)) == b"a\n"
    for text, remedy in (('passphrase = "canary-wrong-2"', "cannot be opened"), ("", "give its passphrase beside")):
        credentials(bench, place, f'username = "ada"\nkey_file = "{tmp_path}/id"\n{text}')
        with pytest.raises(DefinitionError, match=remedy) as caught:
            bench.one(ref)
        assert "canary" not in str(caught.value)


def test_a_key_that_the_server_does_not_want_is_named(place: Any, bench: Any, key: Any, tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    (tmp_path / "other").chmod(0o600)
    credentials(bench, place, f'username = "ada"\nkey_file = "{tmp_path}/other"')
    with pytest.raises(AccessDenied, match="does not let ada in: tried the key .*/other"):
        bench.one(place.write("a.txt", b"a\n"))


def test_the_users_usual_keys_are_tried(place: Any, bench: Any, key: Any) -> None:
    folder = Path(os.environ["HOME"]) / ".ssh"
    folder.mkdir(mode=0o700)
    key.write_private_key(folder / "id_ed25519")
    assert bench.bytes_of(bench.one(place.write("a.txt", b"a\n"))) == b"a\n"
    assert place.logins == ["tester"]


@pytest.fixture
def agent(key: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    program, add = require_program("ssh-agent", package="openssh-client"), shutil.which("ssh-add")
    # A socket's path may have 108 bytes.
    said = subprocess.run([program, "-s"], capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"(SSH_\w+)=([^;]+);", said))
    key.write_private_key(tmp_path / "agents")
    (tmp_path / "agents").chmod(0o600)
    env = {**os.environ, **found}
    try:
        subprocess.run([str(add), "-q", str(tmp_path / "agents")], env=env, check=True, capture_output=True)
        (tmp_path / "agents").unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", found["SSH_AUTH_SOCK"])
        yield
    finally:
        subprocess.run([program, "-k"], env=env, check=False, capture_output=True)


def test_the_agent_is_asked(place: Any, bench: Any, agent: None) -> None:
    assert bench.bytes_of(bench.one(place.write("a.txt", b"a\n"))) == b"a\n"


def test_a_password_goes_to_a_known_server_alone(place: Any, bench: Any, tmp_path: Path) -> None:
    ref = place.write("a.txt", b"a\n")
    place.closed_to_all, place.passwords = True, {"ada": "pass-w0rd"}
    bench.login(place.url, "ada", "pass-w0rd")
    assert bench.bytes_of(bench.one(ref)) == b"a\n"
    bench.login(place.url, "ada", "wrong-w0rd")
    with pytest.raises(AccessDenied, match="does not let ada in: tried the password") as caught:
        bench.one(ref)
    assert "w0rd" not in str(caught.value)
    place.logins.clear()
    knows(bench, tmp_path, "")
    with pytest.raises(PolicyError):
        bench.one(ref)
    assert not place.logins


def test_the_user_in_a_reference_goes_with_his_own_proof(place: Any, bench: Any) -> None:
    ref = place.write("a.txt", b"a\n")
    place.closed_to_all, place.passwords = True, {"ada": "pass-w0rd"}
    bench.login(place.url, "ada", "pass-w0rd")
    assert bench.bytes_of(bench.one(ref.uri.replace("//", "//ada@"))) == b"a\n"
    with pytest.raises(AccessDenied, match="does not let bob in: tried the agent"):
        bench.one(ref.uri.replace("//", "//bob@"))


def test_who_has_no_name_is_asked_for_one(place: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(DefinitionError, match="not known who logs in.*sftp://USER@HOST"):
        bench.one(place.write("a.txt", b"a\n"))
