"""References of WebDAV taken apart: where a path is on the server, and shares of Nextcloud and ownCloud by their links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference
from wfx.listings import MAX_FILES, has_wildcard

SECTION = "fetcher.webdav"
SCHEMES = {"webdav": "http", "dav": "http", "webdavs": "https", "davs": "https"}
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# A link as the servers give it: https://HOST[/FOLDER][/index.php]/s/TOKEN
SHARE = re.compile(r"(?P<root>(?:[^?]*?/)?)s/(?P<token>[A-Za-z0-9]{10,64})(?:/(?P<rest>.*))?")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of WebDAV."""

    max_files: int = MAX_FILES

    @classmethod
    def of(cls, net: Net) -> Settings:
        """Read them. Raises DefinitionError."""
        section = net.section(SECTION)
        for key in section:
            if key != "max_files":
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy="use max_files")
        most = section.get("max_files", MAX_FILES)
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise DefinitionError(f"'{SECTION}.max_files' takes a number of files")
        return cls(most)


@dataclass(frozen=True, slots=True)
class Address:
    """One reference, taken apart."""

    server: str
    """`http[s]://[USER[:PASSWORD]@]HOST[:PORT]`, as it stands."""
    parts: tuple[str, ...]
    """Of the path below the share or the server, percent-encoded; the last one is empty where it ends with a slash."""
    prefix: str = ""
    """What stands before those parts in a reference."""
    root: str = ""
    """Of a share: the folder that the cloud itself lies in, with a slash at its end."""
    token: str = field(default="", repr=False)
    """Of a share."""

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Take a reference apart. Raises DefinitionError."""
        scheme, mark, rest = ref.without_fragment().uri.partition("://")
        authority, _, path = rest.partition("/")
        try:
            split = urlsplit(f"//{authority}")
            host, _ = split.hostname, split.port
        except ValueError as error:
            raise DefinitionError("it is no address", where=str(ref), why=str(error)) from error
        if not mark or not host or "?" in authority:
            raise DefinitionError("it has no host", where=str(ref), remedy="write webdavs://HOST/PATH")
        if CONTROL.search(unquote_to_bytes(path)):
            raise DefinitionError("a control character in a reference", where=str(ref))
        server = f"{SCHEMES[scheme.lower()]}://{authority}"
        share = SHARE.fullmatch(path)
        prefix, root, token = "", "", ""
        if share:
            prefix, root, token = (
                path[: share.end("token")] + "/",
                share["root"].removesuffix("index.php/"),
                share["token"],
            )
            path = share["rest"] or ""
        *folders, last = path.split("/")
        if ".." in map(unquote, (*folders, last)):
            raise DefinitionError("'..' in a reference", where=str(ref), remedy="write the path itself")
        parts = (*(part for part in folders if part not in ("", ".")), last)
        return cls(server, parts, prefix, root, token)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for many files."""
        return not self.parts[-1] or any(has_wildcard(part) for part in self.parts)
