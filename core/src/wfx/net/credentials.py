"""Credentials by place: from the environment, a file that only its owner may read, or netrc.

1. `WFX_TOKEN_<HOST>`, or `WFX_USER_<HOST>` with `WFX_PASSWORD_<HOST>`: the host in capitals with `_` for all else; with
   a port that is not the scheme's own, `<HOST>_<PORT>`. Sent over https alone, but to this machine.
2. `credentials.toml` in the configuration folder (mode 600): a table a place, and the longest that fits counts::

       ["https://data.example.org"]
       token = "…"            # Authorization: Bearer …

       ["https://data.example.org/private"]
       header = "X-Api-Key"
       value_env = "LAB_KEY"

       ["s3://bucket/prefix"]
       access_key = "…"
       secret_key_command = ["pass", "show", "s3"]

       ["sftp://"]
       username = "ada"
       key_file = "~/.ssh/id_ed25519"

   Each value may be `…_env = "NAME"`, `…_file = "PATH"` (mode 600), `…_command = ["PROGRAM", …]`,
   `…_keyring = "SERVICE"` or `…_prompt = true` instead.
3. `~/.netrc`, or the file that `NETRC` names (mode 600): for https, and for this machine.

Every secret is made known to the redactor when it is read.
"""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wfx.errors import DefinitionError
from wfx.net.addresses import PORTS, split_origin
from wfx.net.credentialfile import Prefix, Table, make_table, read_tables
from wfx.net.secrets import refuse_readable_by_others
from wfx.redaction import redact
from wfx.references import Reference

__all__ = ["Credential", "Credentials", "Given", "refuse_readable_by_others"]

# Protocols that send what they are given for everybody on the way to read.
CLEAR = frozenset({"http", "ftp", "dav", "webdav"})
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves to a place who asks. A fetcher takes the fields that its protocol knows, and leaves the others.

    | kind | fields |
    |---|---|
    | log-in | `username`, `password` |
    | token | `token`; with `header_name`, the header that it is sent in instead of `Authorization: Bearer …` |
    | keys of an object store | `username` (access key), `password` (secret key), `session_token` |
    | key of SSH | `username`, `key_file`, `passphrase` |
    | profile | `profile`: a name in the files of another tool, such as `~/.aws/config` |
    | GA4GH passports | `passports` |
    """

    username: str = ""
    """User, or access key."""
    password: str = field(default="", repr=False)
    """Password, or secret key."""
    token: str = field(default="", repr=False)
    header_name: str = ""
    """HTTP header that the place wants its token in; empty: RFC 6750's."""
    header_value: str = field(default="", repr=False)
    """What stands in that header: the token."""
    session_token: str = field(default="", repr=False)
    """Of keys that are good for a while."""
    key_file: str = ""
    """Path of a private key, absolute; nobody but its owner may read it."""
    passphrase: str = field(default="", repr=False)
    """Opens the private key."""
    profile: str = ""
    passports: tuple[str, ...] = field(default=(), repr=False)
    """Signed tokens (JWT) of GA4GH Passport, one each."""
    given_in: str = field(default="", compare=False)
    """Where it was found, for people: `environment WFX_TOKEN_…`, a file and its table."""

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers to send (RFC 7617 Basic, RFC 6750 Bearer, or the place's own); none of a key file."""
        if self.header_name:
            return {self.header_name: self.header_value}
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if not self.username and not self.password:
            return {}
        value = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        redact.learn(value)
        return {"Authorization": f"Basic {value}"}


@dataclass(frozen=True, slots=True)
class Given:
    """Names of a credential, without any value of it: for lists."""

    place: str
    """Prefix, host, or the part of a variable's name that stands for it."""
    kinds: tuple[str, ...]
    given_in: str


class Credentials:
    """Finds credentials; files are read when they are first needed, and values when they are. Safe for several threads."""

    def __init__(self, config_dir: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self._file = config_dir / "credentials.toml" if config_dir is not None else None
        self._environment = environment
        self._tables: list[Table] | None = None
        self._values: dict[Prefix, Credential] = {}
        self._netrc: dict[str, tuple[str, str]] | None = None
        self._lock = threading.RLock()

    def find(self, reference: str, user: str = "") -> Credential | None:
        """Return the credential for a reference, or for all of `SCHEME://HOST[:PORT]`; None where there is none.

        Raises PolicyError for a file that others may read, and DefinitionError, MachineError, PluginError or UsageError
        where the value of the one that applies cannot be had.
        """
        scheme = reference.partition(":")[0].lower()
        origin = _normal(reference)
        host, port = split_origin(origin)
        safe_way = scheme not in CLEAR or host in LOOPBACK
        found = self._from_environment(host, port, scheme) if safe_way and host else None
        if found is None:
            found = self._from_file(reference)
        if found is None and safe_way and scheme not in ("ssh", "sftp"):
            entry = self._from_netrc().get(host)
            if entry is not None and user in ("", entry[0]):
                found = _learnt(Credential(username=entry[0], password=entry[1], given_in=str(self._netrc_path())))
        return found

    def add(self, tables: Mapping[str, Mapping[str, str]], where: str) -> None:
        """Take tables by prefix from another file, `where`; they count before the user's own for the same place."""
        with self._lock:
            taken = [make_table(prefix, dict(table), f"{where} [{prefix!r}]") for prefix, table in tables.items()]
            known = {table.prefix for table in taken}
            self._tables = [*taken, *(table for table in self._all_tables() if table.prefix not in known)]

    def given(self) -> list[Given]:
        """Return the names of all that is given, in the order in which it counts; no value is looked for."""
        found = []
        for name in sorted(self._environment):
            match = re.fullmatch(r"WFX_(TOKEN|PASSWORD)_([A-Z0-9_]+)", name)
            if match and self._environment[name]:
                found.append(Given(match[2], (match[1].lower(),), f"environment {name}"))
        found += [Given(table.heading, tuple(table.kinds()), str(self._file)) for table in self._all_tables()]
        found += [Given(host, ("password",), str(self._netrc_path())) for host in sorted(self._from_netrc())]
        return found

    def _from_environment(self, host: str, port: int, scheme: str) -> Credential | None:
        name = re.sub(r"[^A-Za-z0-9]", "_", host).upper()
        standard = port == PORTS.get(scheme, 0)
        for key in (f"{name}_{port}", *([name] if standard else [])):
            token = self._environment.get(f"WFX_TOKEN_{key}")
            if token:
                return _learnt(Credential(token=token, given_in=f"environment WFX_TOKEN_{key}"))
            user, password = (self._environment.get(f"WFX_{part}_{key}") for part in ("USER", "PASSWORD"))
            if password:
                given_in = f"environment WFX_PASSWORD_{key}"
                return _learnt(Credential(username=user or "", password=password, given_in=given_in))
        return None

    def _all_tables(self) -> list[Table]:
        with self._lock:
            if self._tables is None:
                there = self._file is not None and self._file.is_file()
                self._tables = read_tables(self._file) if there and self._file is not None else []
            return self._tables

    def _from_file(self, reference: str) -> Credential | None:
        tables = self._all_tables()
        if not tables:
            return None
        place = Prefix.of(reference)
        fitting = [table for table in tables if table.prefix.covers(place)]
        if not fitting:
            return None
        table = max(fitting, key=lambda each: each.prefix.length)
        with self._lock:
            # One thread asks a command, a keyring or a person, and only once.
            if table.prefix not in self._values:
                self._values[table.prefix] = _credential(table, table.values(self._environment))
            return self._values[table.prefix]

    def _netrc_path(self) -> Path:
        home = self._environment.get("HOME", "")
        return Path(self._environment.get("NETRC") or (Path(home) / ".netrc" if home else os.devnull))

    def _from_netrc(self) -> dict[str, tuple[str, str]]:
        with self._lock:
            if self._netrc is None:
                self._netrc = {}
                path = self._netrc_path()
                if path.is_file() and os.access(path, os.R_OK):
                    import netrc

                    refuse_readable_by_others(path)
                    try:
                        hosts = netrc.netrc(path).hosts
                    except (netrc.NetrcParseError, UnicodeDecodeError) as error:
                        raise DefinitionError(
                            "it is not a valid netrc file", where=str(path), why=str(error)
                        ) from error
                    self._netrc = {host.lower(): (entry[0], entry[2] or "") for host, entry in hosts.items()}
            return self._netrc


def _credential(table: Table, values: dict[str, object]) -> Credential:
    fields = {name: value for name, value in values.items() if name != "header"}
    if "key_file" in fields:
        path = Path(str(fields["key_file"])).expanduser().absolute()
        refuse_readable_by_others(path)
        fields["key_file"] = str(path)
    if "header" in values:
        # Not a bearer's token as well: who knows only those must not send it as one.
        fields |= {"header_name": values["header"], "header_value": fields.pop("token")}
    credential = _learnt(Credential(**fields, given_in=table.where))  # type: ignore[arg-type]
    texts = (*credential.headers(), *credential.headers().values(), *credential.passports, credential.session_token)
    if any(c in text for text in texts for c in "\r\n\0"):
        raise DefinitionError("a control character in a credential", where=table.where)
    return credential


def _normal(reference: str) -> str:
    scheme, _, netloc = Reference(reference).origin.partition("://")
    return f"{scheme}://{netloc.removesuffix(f':{PORTS[scheme]}') if scheme in PORTS else netloc}"


def _learnt(credential: Credential) -> Credential:
    for secret in (
        credential.password, credential.token, credential.header_value, credential.session_token,
        credential.passphrase, *credential.passports,
    ):  # fmt: skip
        redact.learn(secret)
    return credential
