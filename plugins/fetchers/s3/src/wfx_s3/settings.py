"""Settings of the section `fetcher.s3`, which `fetcher.s3.BUCKET` overrides for one bucket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from wfx.errors import DefinitionError
from wfx.fetching import Net
from wfx.listings import MAX_FILES

SECTION = "fetcher.s3"
ADDRESSING = ("auto", "path", "virtual")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of a bucket."""

    endpoint: str = ""
    """Address of the store; empty is AWS."""
    region: str = ""
    addressing: str = "auto"
    """Whether the bucket stands in the `path` or before the host (`virtual`)."""
    profile: str = ""
    anonymous: bool = False
    requester_pays: bool = False
    etag_md5: bool = True
    """Whether the ETag of what came in one piece and unencrypted is its MD5."""
    max_files: int = MAX_FILES

    @classmethod
    def of(cls, net: Net, bucket: str) -> Settings:
        """Read them. Raises DefinitionError."""
        values: dict[str, Any] = {}
        for name in (SECTION, f"{SECTION}.{bucket}"):
            section: Mapping[str, Any] = net.section(name)
            _check(section, name)
            values |= section
        if "endpoint" not in values:
            values["endpoint"] = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        values["endpoint"] = values["endpoint"].rstrip("/")
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
        raise DefinitionError(f"'{name}.endpoint' is no address", remedy="write https://HOST[:PORT]")
    if section.get("addressing", "auto") not in ADDRESSING:
        raise DefinitionError(f"'{name}.addressing' is none of {', '.join(ADDRESSING)}")
    if section.get("max_files", 1) < 1:
        raise DefinitionError(f"'{name}.max_files' takes a number of files")
