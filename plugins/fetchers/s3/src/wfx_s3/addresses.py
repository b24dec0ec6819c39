"""References of objects taken apart: `s3://BUCKET/KEY[?versionId=ID]`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from wfx.errors import DefinitionError
from wfx.fetching import Reference
from wfx.listings import encode

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and what older buckets have.
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,254}")
# A name that may stand before a host whose certificate is for one part more.
LABEL = re.compile(r"[a-z0-9][a-z0-9\-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Address:
    """One reference, taken apart."""

    bucket: str
    key: str
    """Decoded; bytes that are not UTF-8 survive."""
    version: str = ""

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Take a reference apart. Raises DefinitionError."""
        rest = ref.without_fragment().uri.partition(":")[2]
        rest, _, query = rest.partition("?")
        if not rest.startswith("//"):
            raise DefinitionError("it has no bucket", where=str(ref), remedy="write s3://BUCKET/KEY")
        bucket, _, path = rest[2:].partition("/")
        if not BUCKET.fullmatch(bucket) or ".." in bucket:
            raise DefinitionError(
                "it has no valid bucket", where=str(ref),
                remedy="write s3://BUCKET/KEY; a server's address is the setting fetcher.s3.endpoint",
            )  # fmt: skip
        version = ""
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name != "versionId" or not value:
                raise DefinitionError(
                    f"{name!r} has no meaning here", where=str(ref),
                    remedy="write ?versionId=ID, or %3F where the question mark is the key's own",
                )  # fmt: skip
            version = value
        return cls(bucket, os.fsdecode(unquote_to_bytes(path)), version)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for all objects below a prefix."""
        return not self.version and (not self.key or self.key.endswith("/"))

    def below(self, key: str) -> Reference:
        """Return the reference of another object of the bucket."""
        return Reference(f"s3://{self.bucket}/{encode(key, safe='/')}")
