"""References of blobs taken apart, and settings: `fetcher.azure`, which `fetcher.azure.CONTAINER` overrides."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference
from wfx.listings import MAX_FILES, encode
from wfx.redaction import redact

SECTION = "fetcher.azure"
# https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
CONTAINER = re.compile(r"\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62}")
ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
HOST = re.compile(r"([a-z0-9]{3,24})\.(?:dfs|blob)\.([a-z0-9.\-]+)")
SUFFIX = "core.windows.net"
# What names one version of a blob.
VERSIONS = ("versionid", "snapshot")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of a container."""

    account: str = ""
    endpoint: str = ""
    """Address of the account's blobs; empty is `https://ACCOUNT.blob.core.windows.net`."""
    anonymous: bool = False
    max_files: int = MAX_FILES

    @classmethod
    def of(cls, net: Net, container: str) -> Settings:
        """Read them. Raises DefinitionError."""
        values: dict[str, Any] = {}
        for name in (SECTION, f"{SECTION}.{container}"):
            section: Mapping[str, Any] = net.section(name)
            _check(section, name)
            values |= section
        values.setdefault("account", os.environ.get("AZURE_STORAGE_ACCOUNT", ""))
        return cls(**values)


def _check(section: Mapping[str, Any], name: str) -> None:
    kinds = {each.name: type(each.default) for each in fields(Settings)}
    for key, value in section.items():
        if key not in kinds:
            raise DefinitionError(f"there is no setting '{name}.{key}'", remedy=f"use {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise DefinitionError(f"'{name}.{key}' takes a value of the type {kinds[key].__name__}")
    endpoint = section.get("endpoint", "")
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query or "@" in parts.netloc):
        raise DefinitionError(f"'{name}.endpoint' is no address", remedy="write https://HOST[:PORT][/ACCOUNT]")
    if not ACCOUNT.fullmatch(section.get("account", "account")):
        raise DefinitionError(f"'{name}.account' is no name of an account")
    if section.get("max_files", 1) < 1:
        raise DefinitionError(f"'{name}.max_files' takes a number of files")


@dataclass(frozen=True, slots=True)
class Address:
    """One reference, taken apart."""

    head: str
    """What stands before the blob's name in a reference."""
    container: str
    name: str
    """Decoded."""
    account: str = ""
    """Where the reference names it."""
    suffix: str = SUFFIX
    version: tuple[tuple[str, str], ...] = ()
    signature: str = ""
    """A shared access signature (SAS) that the reference carries."""

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Take a reference apart. Raises DefinitionError."""
        rest, _, query = ref.without_fragment().uri.partition("?")
        scheme, mark, rest = rest.partition("://")
        authority, _, path = rest.partition("/")
        container, at, host = authority.partition("@")
        account, suffix = "", SUFFIX
        if at:
            match = HOST.fullmatch(host.lower())
            if match is None:
                raise DefinitionError(
                    "it has no valid account",
                    where=str(ref),
                    remedy=f"write {scheme}://CONTAINER@ACCOUNT.dfs.{SUFFIX}/NAME",
                )
            account, suffix = match[1], match[2]
        if not mark or not CONTAINER.fullmatch(container):
            raise DefinitionError("it has no valid container", where=str(ref), remedy="write az://CONTAINER/NAME")
        pairs = parse_qsl(query, keep_blank_values=True)
        names = {name for name, _ in pairs}
        version = tuple(pair for pair in pairs if pair[0] in VERSIONS)
        signature = ""
        if "sig" in names:
            signature = "&".join(part for part in query.split("&") if part.partition("=")[0] not in VERSIONS)
            redact.learn(dict(pairs)["sig"])
        elif names - set(VERSIONS):
            unknown = min(names - set(VERSIONS))
            raise DefinitionError(
                f"{unknown!r} has no meaning here", where=str(ref),
                remedy="write ?versionid=… or ?snapshot=…, or %3F where the question mark is the name's own",
            )  # fmt: skip
        head = f"{scheme}://{authority}/"
        return cls(head, container, os.fsdecode(unquote_to_bytes(path)), account, suffix, version, signature)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for all blobs below a prefix."""
        return not self.version and (not self.name or self.name.endswith("/"))

    def below(self, name: str) -> Reference:
        """Return the reference of another blob of the container, with the signature that this one has."""
        query = f"?{self.signature}" if self.signature else ""
        return Reference(f"{self.head}{encode(name, safe='/')}{query}")
