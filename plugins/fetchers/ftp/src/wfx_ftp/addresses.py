"""References of FTP taken apart (RFC 1738 §3.2, RFC 4217), and the settings of the section `fetcher.ftp`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference
from wfx.listings import MAX_FILES, has_wildcard
from wfx.redaction import redact

SECTION = "fetcher.ftp"
PORT, IMPLICIT_PORT = 21, 990
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of FTP."""

    implicit: tuple[str, ...] = ()
    """Hosts (`HOST[:PORT]`) that speak TLS from the first byte."""
    max_files: int = MAX_FILES

    @classmethod
    def of(cls, net: Net) -> Settings:
        """Read them. Raises DefinitionError."""
        section: Mapping[str, Any] = net.section(SECTION)
        for key in section:
            if key not in ("implicit", "max_files"):
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy="use implicit or max_files")
        implicit, most = section.get("implicit", []), section.get("max_files", MAX_FILES)
        if not isinstance(implicit, list) or not all(isinstance(host, str) for host in implicit):
            raise DefinitionError(f"'{SECTION}.implicit' takes a list of texts")
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise DefinitionError(f"'{SECTION}.max_files' takes a number of files")
        return cls(tuple(host.lower() for host in implicit), most)


@dataclass(frozen=True, slots=True)
class Address:
    """One reference, taken apart."""

    scheme: str
    host: str
    port: int
    """0 where none is given."""
    parts: tuple[str, ...]
    """Of the path, percent-encoded as they stand; the last one is empty where it ends with a slash."""
    absolute: bool = False
    """Whether the path begins at the server's root, not at the folder that the log-in leads to."""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Take a reference apart. Raises DefinitionError."""
        head, mark, rest = ref.without_fragment().uri.partition("://")
        authority, _, path = rest.partition("/")
        try:
            split = urlsplit(f"//{authority}")
            host, port = split.hostname or "", split.port
        except ValueError as error:
            raise DefinitionError("it is no address", where=str(ref), why=str(error)) from error
        if not mark or not host or "?" in authority:
            raise DefinitionError("it has no host", where=str(ref), remedy="write ftp://HOST/PATH")
        # RFC 1738 §3.2.2: how it is to be sent. Bytes as they are is the one way that keeps them.
        path, typed, kind = path.partition(";type=")
        if typed and kind.lower() not in ("i", "d"):
            raise DefinitionError("only the bytes as they are can be fetched", where=str(ref), remedy="write ;type=i")
        if CONTROL.search(unquote_to_bytes(path)) or CONTROL.search(unquote_to_bytes(split.username or "")):
            raise DefinitionError("a control character in a reference", where=str(ref))
        # RFC 1738 §3.2.2: `%2F` at the beginning is the root; all else begins where the log-in leads.
        absolute = path[:3].upper() == "%2F"
        path = path[3:].lstrip("/") if absolute else path.lstrip("/")
        if typed and kind.lower() == "d" and not path.endswith("/"):
            path += "/"
        password = unquote(split.password or "")
        redact.learn(password)
        *folders, last = path.split("/")
        if ".." in (*folders, last):
            raise DefinitionError("'..' in a reference", where=str(ref), remedy="write the path itself")
        parts = (*(part for part in folders if part not in ("", ".")), last)
        return cls(head.lower(), host, port or 0, parts, absolute, unquote(split.username or ""), password)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for many files."""
        return not self.parts[-1] or any(has_wildcard(part) for part in self.parts)

    def is_implicit(self, settings: Settings) -> bool:
        """Say whether TLS is spoken from the first byte."""
        known = self.host in settings.implicit or f"{self.host}:{self.port}" in settings.implicit
        return self.scheme == "ftps" and (known or self.port == IMPLICIT_PORT)

    def port_for(self, settings: Settings) -> int:
        """Return the port to connect to."""
        return self.port or (IMPLICIT_PORT if self.is_implicit(settings) else PORT)
