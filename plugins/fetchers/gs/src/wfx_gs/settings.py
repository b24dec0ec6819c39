"""References of objects taken apart, and settings of the section `fetcher.gs`, which `fetcher.gs.BUCKET` overrides."""

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

SECTION = "fetcher.gs"
ENDPOINT = "https://storage.googleapis.com"
# https://cloud.google.com/storage/docs/buckets#naming
BUCKET = re.compile(r"[a-z0-9][a-z0-9._\-]{1,220}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of a bucket."""

    endpoint: str = ENDPOINT
    anonymous: bool = False
    user_project: str = ""
    """Project that pays for requests, where a bucket wants that."""
    max_files: int = MAX_FILES

    @classmethod
    def of(cls, net: Net, bucket: str) -> Settings:
        """Read them. Raises DefinitionError."""
        values: dict[str, Any] = {}
        for name in (SECTION, f"{SECTION}.{bucket}"):
            section: Mapping[str, Any] = net.section(name)
            _check(section, name)
            values |= section
        emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
        if "endpoint" not in values and emulator:
            values["endpoint"] = emulator if "://" in emulator else f"http://{emulator}"
        values["endpoint"] = values.get("endpoint", ENDPOINT).rstrip("/")
        return cls(**values)


def _check(section: Mapping[str, Any], name: str) -> None:
    kinds = {each.name: type(each.default) for each in fields(Settings)}
    for key, value in section.items():
        if key not in kinds:
            raise DefinitionError(f"there is no setting '{name}.{key}'", remedy=f"use {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise DefinitionError(f"'{name}.{key}' takes a value of the type {kinds[key].__name__}")
    parts = urlsplit(section.get("endpoint", ENDPOINT))
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or "@" in parts.netloc:
        raise DefinitionError(f"'{name}.endpoint' is no address", remedy="write https://HOST[:PORT]")
    if section.get("max_files", 1) < 1:
        raise DefinitionError(f"'{name}.max_files' takes a number of files")


@dataclass(frozen=True, slots=True)
class Address:
    """One reference, `gs://BUCKET/NAME[?generation=NUMBER]`, taken apart."""

    bucket: str
    name: str
    """Decoded."""
    generation: str = ""

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Take a reference apart. Raises DefinitionError."""
        rest, _, query = ref.without_fragment().uri.partition(":")[2].partition("?")
        if not rest.startswith("//"):
            raise DefinitionError("it has no bucket", where=str(ref), remedy="write gs://BUCKET/NAME")
        bucket, _, path = rest[2:].partition("/")
        if not BUCKET.fullmatch(bucket) or ".." in bucket:
            raise DefinitionError("it has no valid bucket", where=str(ref), remedy="write gs://BUCKET/NAME")
        generation = ""
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name != "generation" or not value.isdecimal():
                raise DefinitionError(
                    f"{name!r} has no meaning here", where=str(ref),
                    remedy="write ?generation=NUMBER, or %3F where the question mark is the name's own",
                )  # fmt: skip
            generation = value
        return cls(bucket, os.fsdecode(unquote_to_bytes(path)), generation)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for all objects below a prefix."""
        return not self.generation and (not self.name or self.name.endswith("/"))

    def below(self, name: str) -> Reference:
        """Return the reference of another object of the bucket."""
        return Reference(f"gs://{self.bucket}/{encode(name, safe='/')}")
