"""Logins of registries: wfx's own credentials first, then those that `docker login` and its like have left.

The files are Docker's `config.json`, with `auths`, `credHelpers` and `credsStore`, and the `auth.json` of Podman and
skopeo, whose entries may be of a part of a registry (containers-auth.json(5)).
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.errors import DefinitionError, FetchError, MachineError
from wfx.net import Net
from wfx.net.credentials import Credential, refuse_readable_by_others
from wfx.redaction import redact

HUB = "docker.io"
HUB_HOSTS = ("registry-1.docker.io", "index.docker.io", "docker.io")
HUB_SERVER = "https://index.docker.io/v1/"
HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
HELPER_SECONDS = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What proves to a registry who asks."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Exchanged for an access token (OAuth 2.0 refresh token)."""
    access_token: str = field(default="", repr=False)
    """Sent to the registry as it is."""
    origin: str = ""
    """Where it was found, for messages."""

    def __post_init__(self) -> None:
        for secret in (self.password, self.identity_token, self.access_token):
            redact.learn(secret)

    def basic(self) -> str:
        """Return the header's value for Basic authentication (RFC 7617)."""
        value = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        redact.learn(value)
        return f"Basic {value}"


def find_login(net: Net, registry: str, repository: str, environment: Mapping[str, str] = os.environ) -> Login | None:
    """Return the login for a repository, or None. `registry` is a host with its port, `docker.io` for Docker's.

    Raises PolicyError where others may read a file that a secret is taken from, DefinitionError for a broken file.
    """
    own = _own(net, registry)
    if own is not None:
        return own
    for path in auth_files(environment):
        login = _from_file(path, registry, repository, environment)
        if login is not None:
            return login
    return None


def _own(net: Net, registry: str) -> Login | None:
    for host in HUB_HOSTS if registry == HUB else (registry,):
        for scheme in ("https", "http"):
            credential = net.credentials.find(f"{scheme}://{host}")
            if credential is not None:
                return _login_of(credential)
    return None


def _login_of(credential: Credential) -> Login:
    origin = "wfx's credentials"
    if credential.token:
        return Login(access_token=credential.token, origin=origin)
    return Login(credential.username, credential.password, origin=origin)


def auth_files(environment: Mapping[str, str]) -> list[Path]:
    """Return the files that exist, in the order in which they count."""
    home = Path(environment.get("HOME") or "/nonexistent")
    runtime, config = environment.get("XDG_RUNTIME_DIR"), environment.get("XDG_CONFIG_HOME")
    docker = environment.get("DOCKER_CONFIG")
    found = [
        *([Path(environment["REGISTRY_AUTH_FILE"])] if environment.get("REGISTRY_AUTH_FILE") else []),
        *([Path(runtime) / "containers" / "auth.json"] if runtime else []),
        (Path(config) if config else home / ".config") / "containers" / "auth.json",
        (Path(docker) if docker else home / ".docker") / "config.json",
        home / ".apptainer" / "docker-config.json",
        home / ".singularity" / "docker-config.json",
    ]
    return [path for path in found if path.is_file()]


def _from_file(path: Path, registry: str, repository: str, environment: Mapping[str, str]) -> Login | None:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise MachineError.of(error) from error
    except (ValueError, RecursionError) as error:
        raise DefinitionError("it is not valid JSON", where=str(path), why=str(error)) from error
    if not isinstance(value, dict):
        raise DefinitionError("a JSON object is expected", where=str(path))
    helper = _mapping(value, "credHelpers", path).get(registry)
    if helper:
        return _ask(str(helper), registry, path, environment, required=True)
    auths = {_normal(key): entry for key, entry in _mapping(value, "auths", path).items()}
    for name in _names(registry, repository):
        entry = auths.get(name)
        login = _entry(entry, path) if isinstance(entry, dict) else None
        if login is not None:
            refuse_readable_by_others(path)
            return login
    store = value.get("credsStore")
    return _ask(str(store), registry, path, environment, required=False) if store else None


def _mapping(value: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    found = value.get(key) or {}
    if not isinstance(found, dict):
        raise DefinitionError(f"{key} is not a JSON object", where=str(path))
    return found


def _normal(key: str) -> str:
    """Return an entry's key as a host, or a host with the beginning of a repository."""
    text = re.sub(r"^https?://", "", key.lower()).rstrip("/")
    text = re.sub(r"/v[12]$", "", text)
    host, slash, path = text.partition("/")
    return (HUB if host in HUB_HOSTS else host) + slash + path


def _names(registry: str, repository: str) -> Iterator[str]:
    """Yield the repository, everything above it, and the registry: the most specific entry counts."""
    parts = repository.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join((registry, *parts[:count]))
    yield registry


def _entry(entry: Mapping[str, Any], path: Path) -> Login | None:
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(str(entry["auth"]), validate=True).decode().rstrip("\0")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise DefinitionError("an entry's auth is not base64", where=str(path)) from error
        username, _, password = text.partition(":")
    identity, access = str(entry.get("identitytoken") or ""), str(entry.get("registrytoken") or "")
    if not (password or identity or access):
        return None
    return Login(username, password, identity, access, str(path))


def _ask(
    helper: str, registry: str, path: Path, environment: Mapping[str, str], *, required: bool
) -> Login | None:  # fmt: skip
    """Ask a credential helper (docker-credential-helpers' protocol: the server on stdin, JSON on stdout)."""
    if not HELPER.fullmatch(helper):
        raise DefinitionError(f"{helper!r} is no name of a credential helper", where=str(path))
    program = f"docker-credential-{helper}"
    server = HUB_SERVER if registry == HUB else registry
    try:
        done = subprocess.run(
            [program, "get"], input=server, capture_output=True, text=True, timeout=HELPER_SECONDS, check=False,
            env=dict(environment),
        )  # fmt: skip
    except FileNotFoundError:
        if required:
            raise FetchError(
                f"the credential helper {program} is not installed", where=str(path), remedy=f"install {program}"
            ) from None
        log.warning("%s names the credential helper %s, which is not installed", path, program)
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"the credential helper {program} does not answer", where=str(path), why=str(error)) from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        if "credentials not found" in said.lower():
            return None
        raise FetchError(f"the credential helper {program} fails", where=str(path), why=redact(said)[:200] or None)
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise FetchError(f"the credential helper {program} answers no JSON", where=str(path)) from error
    if username == "<token>":
        return Login(identity_token=secret, origin=program)
    return Login(username, secret, origin=program)
