"""Credentials: which one applies, where its value comes from, and who gets to see it."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
from pathlib import Path

import pytest
from wfx.errors import DefinitionError, MachineError, PluginError, PolicyError, UsageError, WfxError
from wfx.net.credentials import Credential, Credentials
from wfx.redaction import redact
from wfx.testing.benches import FetchBench
from wfx.testing.commands import WfxRun
from wfx.testing.servers import FaultServer

SECRET = "canary-51c9e0d2"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "credentials.toml"
    file.write_text(text)
    file.chmod(0o600)
    return file


def found(folder: Path, text: str, reference: str, environment: dict[str, str] | None = None) -> Credential | None:
    write(folder, text)
    return Credentials(folder, environment or {}).find(reference)


PLACES = """
["https://data.example.org"]
token = "the-origins-own"
["https://data.example.org/private"]
token = "of-the-private"
["https://data.example.org/private/deep%20er"]
token = "of-the-deeper"
["https://data.example.org:8443"]
token = "of-the-port"
["s3://"]
access_key = "everywhere"
secret_key = "secret-everywhere"
["s3://bucket/prefix"]
access_key = "AK"
secret_key = "secret-of-bucket"
session_token = "session-of-bucket"
["doi://"]
token = "of-all-dois"
"""


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("https://data.example.org", "the-origins-own"),
        ("https://DATA.example.org:443/", "the-origins-own"),
        ("https://data.example.org/privateer/x", "the-origins-own"),
        ("https://data.example.org/private", "of-the-private"),
        ("https://data.example.org/private/x?y=/private/../..", "of-the-private"),
        ("https://data.example.org/private/../x", "the-origins-own"),
        ("https://data.example.org/private/%2e%2e/x", "the-origins-own"),
        ("https://data.example.org/private%2f..%2fx", "the-origins-own"),
        ("https://data.example.org/private/..%2fx", "the-origins-own"),
        ("https://data.example.org/private/deep er/x", "of-the-deeper"),
        ("https://user@data.example.org/private/x", "of-the-private"),
        ("https://data.example.org:8443/private/x", "of-the-port"),
        ("https://data.example.org.evil.org/private", None),
        ("http://data.example.org/private", None),
        ("s3://bucket/prefix/key", "secret-of-bucket"),
        ("s3://bucket/prefixes", "secret-everywhere"),
        ("s3://other", "secret-everywhere"),
        ("doi:10.5281/zenodo.1", "of-all-dois"),
    ],
)
def test_the_longest_prefix_that_covers_a_reference_applies(
    tmp_path: Path, reference: str, expected: str | None
) -> None:
    credential = found(tmp_path, PLACES, reference)
    assert (credential.token or credential.password if credential else None) == expected


def test_every_kind_comes_with_its_fields_and_shows_none_of_its_secrets(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("-----BEGIN")
    key.chmod(0o600)
    text = f"""
    ["sftp://host"]
    username = "ada"
    key_file = "{key}"
    passphrase = "{SECRET}-1"
    ["s3://b"]
    access_key = "AK"
    secret_key = "{SECRET}-2"
    session_token = "{SECRET}-3"
    ["s3://c"]
    profile = "lab"
    ["drs://d"]
    passports = ["{SECRET}-4", "{SECRET}-5"]
    ["https://e"]
    header = "X-Api-Key"
    token = "{SECRET}-6"
    """
    write(tmp_path, text)
    credentials = Credentials(tmp_path, {})
    sftp, s3, profile, drs, header = (
        credentials.find(r) for r in ("sftp://host/x", "s3://b/k", "s3://c/k", "drs://d/1", "https://e/")
    )
    assert None not in (sftp, s3, profile, drs, header)
    assert (sftp.username, sftp.key_file, sftp.passphrase) == ("ada", str(key), f"{SECRET}-1")
    assert sftp.headers().keys() == {"Authorization"}
    assert (s3.username, s3.password, s3.session_token) == ("AK", f"{SECRET}-2", f"{SECRET}-3")
    assert (profile.profile, profile.headers()) == ("lab", {})
    assert (drs.passports, drs.headers()) == ((f"{SECRET}-4", f"{SECRET}-5"), {})
    assert (header.token, header.headers()) == ("", {"X-Api-Key": f"{SECRET}-6"})
    for credential in (sftp, s3, profile, drs, header):
        assert SECRET not in repr(credential)
        assert "credentials.toml" in credential.given_in
    for number in range(1, 7):
        assert redact(f"it is {SECRET}-{number}.") == "it is REDACTED."


def test_a_value_comes_from_wherever_it_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho '{SECRET} $HOME; *'\n")
    program.chmod(0o700)
    text = f"""
    ["https://a"]
    token_env = "LAB"
    ["https://b"]
    username = "u"
    password_file = "{file}"
    ["https://c"]
    token_command = ["{program}", "; touch {tmp_path}/no-shell"]
    ["drs://d"]
    passports_env = "PASSPORTS"
    """
    write(tmp_path, text)
    credentials = Credentials(tmp_path, {"LAB": SECRET, "PASSPORTS": "one two"})
    a, b, d = (credentials.find(r) for r in ("https://a/", "https://b/", "drs://d/1"))
    assert not (tmp_path / "asked").exists(), "a command ran that nobody needs"
    assert credentials.find("https://c/x") == (c := credentials.find("https://c/y"))
    assert None not in (a, b, c, d)
    assert (a.token, b.password, c.token) == (SECRET, SECRET, f"{SECRET} $HOME; *")
    assert d.passports == ("one", "two")
    assert (tmp_path / "asked").read_text() == "asked\n"
    assert not (tmp_path / "no-shell").exists()


def test_a_keyring_is_asked_for_the_account(tmp_path: Path) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend
    from keyring.errors import KeyringLocked

    class Ring(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            if service == "locked":
                raise KeyringLocked("it is locked")
            return f"{SECRET}-{service}-{username}" if service == "lab" else None

        def set_password(self, service: str, username: str, password: str) -> None: ...

        def delete_password(self, service: str, username: str) -> None: ...

    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    try:
        text = (
            '["https://a"]\npassword_keyring = "lab"\nusername = "ada"\n["https://b"]\ntoken_keyring = ["lab", "bob"]'
        )
        a, b = (found(tmp_path, text, place) for place in ("https://a", "https://b"))
        assert None not in (a, b)
        assert (a.password, b.token) == (f"{SECRET}-lab-ada", f"{SECRET}-lab-bob")
        with pytest.raises(DefinitionError, match="keyring set other ada"):
            found(tmp_path, '["https://a"]\npassword_keyring = "other"\nusername = "ada"\n', "https://a")
        with pytest.raises(MachineError, match="locked"):
            found(tmp_path, '["https://a"]\ntoken_keyring = ["locked", "ada"]', "https://a")
    finally:
        keyring.set_keyring(before)


def test_without_the_package_a_keyring_is_named_as_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(PluginError, match=r"pip install 'wfx-core\[keyring\]'"):
        found(tmp_path, '["https://a"]\ntoken_keyring = "lab"', "https://a")


def test_a_person_is_asked_on_a_terminal_alone(tmp_path: Path, wfx_run: WfxRun) -> None:
    text = '["http://127.0.0.1"]\ntoken_prompt = true\n'
    with pytest.raises(UsageError, match="there is no terminal"):
        found(tmp_path, text, "http://127.0.0.1/")
    with FaultServer() as server:
        url = server.add("/a", b"bytes", authorization=f"Bearer {SECRET}")
        write(wfx_run.config, text.replace("127.0.0.1", f"127.0.0.1:{server.port}"))
        assert wfx_run("fetch", url, check=2).stderr.count("\n") == 1
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(
                sys.executable, [sys.executable, "-m", "wfx", "fetch", url], {**os.environ, **wfx_run._environment()}
            )
        shown = b""
        while b"token for" not in shown:
            assert select.select([terminal], [], [], 60)[0], shown
            shown += os.read(terminal, 4096)
        os.write(terminal, SECRET.encode() + b"\n")
        try:
            while data := os.read(terminal, 4096):
                shown += data
        except OSError:
            pass  # its end closes the terminal
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
        os.close(terminal)
    assert SECRET.encode() not in shown


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ('token_env = "NOT_THERE"', DefinitionError, "NOT_THERE"),
        ('token_file = "/nonexistent/x"', MachineError, "nonexistent"),
        ('token_command = ["/nonexistent/program"]', MachineError, "cannot be run"),
        ('token_command = ["false"]', MachineError, "ends with 1"),
        ('token_command = ["true"]', MachineError, "prints nothing"),
        ('token_command = "pass show x"', DefinitionError, "list of words"),
        ("token_prompt = false", DefinitionError, "does not take false"),
        ("token = 1", DefinitionError, "'token' does not take"),
        ('tokn = "x"', DefinitionError, "'tokn' is not known"),
        ('token = "a"\ntoken_env = "B"', DefinitionError, "for a second time"),
        ('token = "a"\npassword = "b"', DefinitionError, "exclude each other"),
        ('header = "X-Api-Key"', DefinitionError, "needs a 'value'"),
        ('value = "x"', DefinitionError, "name of a 'header'"),
        ("", DefinitionError, "is empty"),
        ('token = "a\\nX-Evil: 1"', DefinitionError, "control character"),
        ('key_file = "/nonexistent/key"', MachineError, "nonexistent"),
    ],
)
def test_what_cannot_be_had_is_said_with_the_table(
    tmp_path: Path, table: str, error: type[WfxError], message: str
) -> None:
    with pytest.raises(error, match=message):
        found(tmp_path, f'["https://a"]\n{table}\n', "https://a/x")


def test_two_tables_for_one_place_are_refused(tmp_path: Path) -> None:
    text = '["https://a/x"]\ntoken = "1"\n["https://A:443/x/"]\ntoken = "2"\n'
    with pytest.raises(DefinitionError, match="the same place"):
        found(tmp_path, text, "https://b/")


def test_a_broken_table_disturbs_nobody_who_needs_another(tmp_path: Path) -> None:
    text = '["https://a"]\ntoken_env = "NOT_THERE"\n["https://b"]\ntoken = "fine-here"\n'
    credential = found(tmp_path, text, "https://b/x")
    assert credential is not None
    assert credential.token == "fine-here"


@pytest.mark.parametrize("name", ["key_file", "token_file", "password_file"])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o640)
    with pytest.raises(PolicyError, match="chmod 600"):
        found(tmp_path, f'["https://a"]\n{name} = "{file}"\n', "https://a/x")


def test_what_a_failing_command_prints_is_not_shown(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho {SECRET}\necho 'no entry for {SECRET}' >&2\nexit 3\n")
    program.chmod(0o700)
    with pytest.raises(MachineError) as caught:
        found(tmp_path, f'["https://a"]\ntoken_command = ["{program}"]', "https://a")
    assert "no entry for REDACTED" in str(caught.value)


def test_a_prefix_is_chosen_anew_at_each_hop(bench: FetchBench, server: FaultServer) -> None:
    """A token for one folder of a server is not sent to another folder of it."""
    write(bench.config, f'["{server.url}/private"]\ntoken = "{SECRET}"\n')
    public = server.add("/public/b", b"bytes")
    bench.one(server.redirect("/private/a", public))
    assert [r.headers.get("authorization") for r in server.requests] == [f"Bearer {SECRET}", None]


def test_the_gate_finds_by_the_whole_reference_and_by_an_origin(bench: FetchBench) -> None:
    write(bench.config, f'["sftp://h/dir"]\npassword = "{SECRET}"\nusername = "u"\n["ssh://h"]\ntoken = "{SECRET}"\n')
    net = bench.net()
    access = net.connect("sftp://me:pw@h/dir/file")
    assert access.origin == "sftp://h"
    assert access.credential is not None
    assert net.connect("sftp://h").credential is None
    assert net.connect("ssh://h").credential is not None
    assert [contact.origin for contact in net.contacts()] == ["sftp://h", "ssh://h"]


# -- the commands


@pytest.fixture
def place(wfx_run: WfxRun):
    with FaultServer() as server:
        write(wfx_run.config, f'["{server.url}"]\ntoken = "{SECRET}"\n["s3://b/c"]\nprofile = "lab"\n')
        yield server


def test_the_list_has_names_alone(wfx_run: WfxRun, place: FaultServer) -> None:
    env = {"WFX_TOKEN_DATA_EXAMPLE_ORG": SECRET}
    done = wfx_run("config", "credentials", "list", env=env)
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["DATA_EXAMPLE_ORG", "token"], [place.url, "token"], ["s3://b/c", "profile"],
    ]  # fmt: skip
    listed = wfx_run("config", "credentials", "list", "--json", env=env)
    assert [each["place"] for each in listed.json["credentials"]] == ["DATA_EXAMPLE_ORG", place.url, "s3://b/c"]
    assert SECRET not in done.stdout + listed.stdout


RIGHT = f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("with_it", "without", "code", "verdict"),
    [
        (200, 401, 0, "the credential is accepted"),
        (200, 200, 0, "accepted; anonymous works as well"),
        (401, 200, 4, r"anonymous works, your credential does not \(401\)"),
        (403, 200, 4, r"anonymous works, your credential does not \(403\)"),
        (401, 401, 4, r"does not accept the credential \(401\): it is wrong, or has expired"),
        (403, 401, 4, r"the credential may not read this \(403\)"),
        (404, 401, 4, r"nothing is there \(404\), or the credential may not see it"),
        (429, 401, 4, r"busy \(429\), which says nothing of credentials.*asks to wait 7 s"),
        (500, 401, 4, r"busy \(500\)"),
    ],
)
def test_a_credential_is_tried_out(
    wfx_run: WfxRun, place: FaultServer, with_it: int, without: int, code: int, verdict: str
) -> None:
    def answer(request, resource) -> None:
        resource.status = with_it if request.headers.get("authorization") == RIGHT else without

    url = place.add("/x", b"bytes", on_request=answer, headers={"Retry-After": "7"})
    done = wfx_run.here("config", "credentials", "test", url, check=code)
    assert re.search(verdict, done.stdout), done.stdout
    assert done.stdout.startswith(f"{url}: from ")
    tried = wfx_run.here("config", "credentials", "test", url, "--json", check=code).json
    assert (tried["good"], list(tried["used"])) == (code == 0, [url])
    assert SECRET not in done.stdout + done.stderr + str(tried)


@pytest.mark.parametrize(("status", "verdict"), [(200, "none is needed"), (401, "asks for one"), (403, "refuses who")])
def test_where_no_credential_applies_that_is_said(
    wfx_run: WfxRun, place: FaultServer, status: int, verdict: str
) -> None:
    with FaultServer() as other:
        url = other.add("/x", b"bytes", status=status)
        done = wfx_run.here("config", "credentials", "test", url, check=0 if status == 200 else 4)
        assert verdict in done.stdout
        assert len(other.requests) == 1
