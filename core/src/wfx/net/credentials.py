"""Credentials by origin: from the environment, a file that only its owner may read, or netrc.

1. `WFX_TOKEN_<HOST>`, or `WFX_USER_<HOST>` with `WFX_PASSWORD_<HOST>`: the host in capitals with `_` for all else; with
   a port that is not the scheme's own, `<HOST>_<PORT>`. Sent over https alone, but to this machine.
2. `credentials.toml` in the configuration folder (mode 600): a table an origin::

       ["https://data.example.org"]
       token = "…"            # Authorization: Bearer …
       # or: username = "…" and password = "…"
       # or: header = "X-Api-Key" and value = "…"

   Each of `token`, `password` and `value` may be `…_env = "NAME"` or `…_file = "PATH"` instead.
3. `~/.netrc`, or the file that `NETRC` names (mode 600): for https, and for this machine.

Every secret is made known to the redactor when it is read.
"""

from __future__ import annotations

import base64
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.errors import DefinitionError, MachineError, PolicyError
from wfx.net.addresses import PORTS, split_origin
from wfx.redaction import redact
from wfx.references import Reference

FIELDS = ("token", "username", "password", "header", "value")
SECRETS = ("token", "password", "value")


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves to an origin who asks."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    header_name: str = ""
    header_value: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers to send (RFC 7617 Basic, RFC 6750 Bearer, or the origin's own)."""
        if self.header_name:
            return {self.header_name: self.header_value}
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        value = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        redact.learn(value)
        return {"Authorization": f"Basic {value}"}


class Credentials:
    """Finds credentials; the file and netrc are read when they are first needed."""

    def __init__(self, config_dir: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self._file = config_dir / "credentials.toml" if config_dir is not None else None
        self._environment = environment
        self._origins: dict[str, Credential] | None = None
        self._netrc: dict[str, tuple[str, str]] | None = None

    def find(self, origin: str, user: str = "") -> Credential | None:
        """Return the credential for `SCHEME://HOST[:PORT]`, or None. Raises PolicyError for a file that others may read."""
        origin = _normal(origin)
        host, port = split_origin(origin)
        safe_way = not origin.startswith(("http:", "ftp:")) or host in ("localhost", "127.0.0.1", "::1")
        found = self._from_environment(host, port, origin) if safe_way else None
        if found is None:
            found = self._from_file().get(origin)
        if found is None and safe_way and not origin.startswith("ssh:"):
            entry = self._from_netrc().get(host)
            if entry is not None and user in ("", entry[0]):
                found = _learnt(Credential(username=entry[0], password=entry[1]))
        return found

    def _from_environment(self, host: str, port: int, origin: str) -> Credential | None:
        name = re.sub(r"[^A-Za-z0-9]", "_", host).upper()
        standard = port == PORTS.get(origin.partition(":")[0], 0)
        for key in (f"{name}_{port}", *([name] if standard else [])):
            token = self._environment.get(f"WFX_TOKEN_{key}")
            if token:
                return _learnt(Credential(token=token))
            user, password = (self._environment.get(f"WFX_{part}_{key}") for part in ("USER", "PASSWORD"))
            if password:
                return _learnt(Credential(username=user or "", password=password))
        return None

    def _from_file(self) -> dict[str, Credential]:
        if self._origins is None:
            self._origins = {}
            if self._file is not None and self._file.is_file():
                refuse_readable_by_others(self._file)
                try:
                    data = tomllib.loads(self._file.read_text(encoding="utf-8"))
                except OSError as error:
                    raise MachineError.of(error) from error
                except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                    raise DefinitionError("it is not valid TOML", where=str(self._file), why=str(error)) from error
                for origin, table in data.items():
                    self._origins[_normal(origin)] = self._entry(origin, table)
        return self._origins

    def _entry(self, origin: str, table: Any) -> Credential:
        where = f"{self._file} [{origin!r}]"
        if not isinstance(table, dict) or "://" not in origin:
            raise DefinitionError("a table for an origin is expected", where=where, remedy='write ["https://HOST"]')
        values: dict[str, str] = {}
        for key, value in table.items():
            name, way = key, ""
            for suffix in ("_env", "_file"):
                if key.endswith(suffix) and key.removesuffix(suffix) in SECRETS:
                    name, way = key.removesuffix(suffix), suffix
            if name not in FIELDS or not isinstance(value, str):
                raise DefinitionError(f"{key!r} is not known here", where=where, remedy=f"use {', '.join(FIELDS)}")
            values[name] = self._secret(value, way, where)
        header = values.pop("header", "")
        credential = Credential(header_name=header, header_value=values.pop("value", ""), **values)
        if any(c in text for text in (*credential.headers(), *credential.headers().values()) for c in "\r\n\0"):
            raise DefinitionError("a control character in a credential", where=where)
        return _learnt(credential)

    def _secret(self, value: str, way: str, where: str) -> str:
        if way == "_env":
            found = self._environment.get(value)
            if found is None:
                raise DefinitionError(f"the environment has no {value}", where=where)
            return found
        if way == "_file":
            path = Path(value).expanduser()
            refuse_readable_by_others(path)
            try:
                return path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise MachineError("the secret's file cannot be read", where=str(path)) from error
        return value

    def _from_netrc(self) -> dict[str, tuple[str, str]]:
        if self._netrc is None:
            self._netrc = {}
            home = self._environment.get("HOME", "")
            path = Path(self._environment.get("NETRC") or (Path(home) / ".netrc" if home else os.devnull))
            if path.is_file() and os.access(path, os.R_OK):
                import netrc

                refuse_readable_by_others(path)
                try:
                    hosts = netrc.netrc(path).hosts
                except (netrc.NetrcParseError, UnicodeDecodeError) as error:
                    raise DefinitionError("it is not a valid netrc file", where=str(path), why=str(error)) from error
                self._netrc = {host.lower(): (entry[0], entry[2] or "") for host, entry in hosts.items()}
        return self._netrc


def refuse_readable_by_others(path: Path) -> None:
    """Raise PolicyError where another user may read a file of secrets, MachineError where it cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise MachineError.of(error) from error
    if stat.S_ISREG(mode) and mode & 0o077:
        raise PolicyError(
            "others may read this file of credentials", where=str(path), why=f"its mode is {stat.S_IMODE(mode):o}",
            remedy=f"run: chmod 600 {path}",
        )  # fmt: skip


def _normal(origin: str) -> str:
    origin = Reference(origin.rstrip("/")).origin
    scheme, _, netloc = origin.partition("://")
    return f"{scheme}://{netloc.removesuffix(f':{PORTS[scheme]}') if scheme in PORTS else netloc}"


def _learnt(credential: Credential) -> Credential:
    for secret in (credential.password, credential.token, credential.header_value):
        redact.learn(secret)
    return credential
