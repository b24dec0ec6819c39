"""References over SSH taken apart, and the settings of the section `fetcher.sftp`."""

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

SECTION = "fetcher.sftp"
PORT = 22
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
FINGERPRINT = re.compile(r"\S+=SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of servers."""

    known_hosts: tuple[str, ...] = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")
    fingerprints: tuple[str, ...] = ()
    """Keys of hosts that stand in no file: `HOST[:PORT]=SHA256:…`."""
    max_files: int = MAX_FILES

    @classmethod
    def of(cls, net: Net) -> Settings:
        """Read them. Raises DefinitionError."""
        section: Mapping[str, Any] = net.section(SECTION)
        known = {name: section[name] for name in ("known_hosts", "fingerprints", "max_files") if name in section}
        for key in section:
            if key not in known:
                raise DefinitionError(
                    f"there is no setting '{SECTION}.{key}'", remedy="use known_hosts, fingerprints or max_files"
                )
        for name in ("known_hosts", "fingerprints"):
            texts = known.get(name, [])
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise DefinitionError(f"'{SECTION}.{name}' takes a list of texts")
            if name in known:
                known[name] = tuple(texts)
        for text in known.get("fingerprints", ()):
            if not FINGERPRINT.fullmatch(text):
                raise DefinitionError(
                    f"'{SECTION}.fingerprints' has {text!r}", remedy="write HOST=SHA256:… as ssh-keygen -lf shows it"
                )
        most = known.get("max_files", MAX_FILES)
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise DefinitionError(f"'{SECTION}.max_files' takes a number of files")
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Address:
    """One reference, taken apart."""

    host: str
    port: int
    parts: tuple[str, ...]
    """Of the path, percent-encoded as they stand; the last one is empty where it ends with a slash."""
    at_home: bool = False
    """Whether the path begins where the log-in leads (`/~/…`), not at the root."""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Take a reference apart. Raises DefinitionError."""
        _, mark, rest = ref.without_fragment().uri.partition("://")
        authority, _, path = rest.partition("/")
        try:
            split = urlsplit(f"//{authority}")
            host, port = split.hostname or "", split.port
        except ValueError as error:
            raise DefinitionError("it is no address", where=str(ref), why=str(error)) from error
        if not mark or not host or "?" in authority:
            raise DefinitionError("it has no host", where=str(ref), remedy="write sftp://HOST/PATH")
        if CONTROL.search(unquote_to_bytes(path)) or CONTROL.search(unquote_to_bytes(split.username or "")):
            raise DefinitionError("a control character in a reference", where=str(ref))
        at_home = path == "~" or path.startswith("~/")
        *folders, last = (path[2:] if at_home else path).split("/")
        if ".." in (*folders, last):
            raise DefinitionError("'..' in a reference", where=str(ref), remedy="write the path itself")
        password = unquote(split.password or "")
        redact.learn(password)
        parts = (*(part for part in folders if part not in ("", ".")), last)
        return cls(host, port or PORT, parts, at_home, unquote(split.username or ""), password)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for many files."""
        return not self.parts[-1] or any(has_wildcard(part) for part in self.parts)

    @property
    def place(self) -> str:
        """Host and port, as files of known hosts write them."""
        return self.host if self.port == PORT else f"[{self.host}]:{self.port}"
