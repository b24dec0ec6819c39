"""`credentials.toml`: tables by scheme and URI prefix; a value is read when its table is first needed."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from wfx.errors import DefinitionError, MachineError
from wfx.net.addresses import PORTS
from wfx.net.secrets import WAYS, read_secret, refuse_readable_by_others

ALIASES = {"access_key": "username", "secret_key": "password", "value": "token", "passport": "passports"}
FIELDS = ("username", "password", "session_token", "token", "header", "key_file", "passphrase", "profile", "passports")
PUBLIC = ("username", "header", "key_file", "profile")
"""What is no secret."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Where a credential belongs: a scheme, a host or bucket, and a path and all below it."""

    scheme: str
    place: str
    """Host, and port where it is not the scheme's own; empty: the whole scheme."""
    paths: tuple[str, str]
    """As it reads with `%2F` taken for a slash, and taken for a part of a name."""

    @classmethod
    def of(cls, uri: str) -> Prefix:
        """Read a URI: user information, query and fragment do not count, and `..` is followed before it is compared."""
        try:
            parts = urlsplit(uri)
        except ValueError as error:
            raise DefinitionError("it is no URI", why=str(error)) from error
        scheme = parts.scheme.lower()
        place = parts.netloc.rpartition("@")[2].lower()
        if scheme in PORTS:
            place = place.removesuffix(f":{PORTS[scheme]}")
        whole = _normal(unquote(parts.path))
        return cls(scheme, place, (whole, _normal(unquote(parts.path.replace("%2F", "%252F").replace("%2f", "%252F")))))

    def covers(self, other: Prefix) -> bool:
        """Say whether the other is this or lies below it, whole names compared, however its path may be read."""
        if self.scheme != other.scheme or self.place not in ("", other.place):
            return False
        return all(
            path in ("/", there) or there.startswith(path + "/")
            for path, there in zip(self.paths, other.paths, strict=True)
        )

    @property
    def length(self) -> tuple[int, int]:
        """What the more specific of two has more of."""
        return len(self.place), len(self.paths[0])


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file, not yet read further than its keys."""

    prefix: Prefix
    heading: str
    where: str
    entries: tuple[tuple[str, str, Any], ...]
    """Field, way and what is written there."""

    def kinds(self) -> list[str]:
        """Return what it holds, by name alone: `password (command)`."""
        return [f"{name} ({way.lstrip('_')})" if way else name for name, way, _ in self.entries]

    def values(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Read every value from where it is; `passports` is a tuple."""
        values: dict[str, Any] = {}
        # The user's name first: the keyring is asked for it.
        for name, way, given in sorted(self.entries, key=lambda entry: entry[0] != "username"):
            if name == "passports" and not way and isinstance(given, list):
                values[name] = tuple(str(each) for each in given)
                continue
            text = read_secret(
                name, way, given, where=self.where, user=values.get("username", ""), environment=environment
            )
            values[name] = tuple(text.split()) if name == "passports" else text
        return values


def read_tables(path: Path) -> list[Table]:
    """Read the file; no value is looked for yet.

    Raises PolicyError where others may read it, DefinitionError for what is no table of credentials.
    """
    refuse_readable_by_others(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MachineError.of(error) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError("it is not valid TOML", where=str(path), why=str(error)) from error
    tables = [make_table(heading, value, f"{path} [{heading!r}]") for heading, value in data.items()]
    seen: dict[Prefix, Table] = {}
    for table in tables:
        if (other := seen.setdefault(table.prefix, table)) is not table:
            raise DefinitionError(f"it is the same place as [{other.heading!r}]", where=table.where)
    return tables


def make_table(heading: str, value: Any, where: str) -> Table:
    """Read one table. Raises DefinitionError for what is none."""
    if not isinstance(value, dict) or "://" not in heading:
        raise DefinitionError(
            "a table for a place is expected", where=where, remedy='write ["https://HOST"], ["s3://BUCKET/PREFIX"] or ["s3://"]'
        )  # fmt: skip
    entries: dict[str, tuple[str, str, Any]] = {}
    for key, given in value.items():
        way = next((w for w in WAYS if key.endswith(w) and _field(key.removesuffix(w)) in FIELDS), "")
        name = _field(key.removesuffix(way))
        listed = way == "_command" or way == "_keyring" or (name == "passports" and not way)
        good = given is True if way == "_prompt" else isinstance(given, (str, list) if listed else str)
        if name not in FIELDS or not good:
            known = ", ".join(dict.fromkeys([*FIELDS, *ALIASES]))
            raise DefinitionError(
                f"{key!r} is not known here" if name not in FIELDS else f"{key!r} does not take {_kind(given)}",
                where=where, remedy=f"use {known}, each also with {', '.join(WAYS)}",
            )  # fmt: skip
        if name in entries:
            raise DefinitionError(f"{key!r} says for a second time what {name!r} is", where=where)
        entries[name] = (name, way, given)
    if "header" in entries and "token" not in entries:
        raise DefinitionError("'header' needs a 'value' to send", where=where)
    if "token" in entries and "password" in entries:
        raise DefinitionError("a token and a password exclude each other", where=where)
    if "value" in value and "header" not in entries:
        raise DefinitionError("'value' needs the name of a 'header'", where=where)
    if not entries:
        raise DefinitionError("the table is empty", where=where)
    return Table(Prefix.of(heading), heading, where, tuple(entries.values()))


def _field(key: str) -> str:
    return ALIASES.get(key, key)


def _kind(given: Any) -> str:
    return {str: "a text", list: "a list", bool: str(given).lower()}.get(type(given), "that")


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))
