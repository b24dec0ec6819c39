"""References: where something is, as a URI."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from wfx.errors import DefinitionError

# RFC 3986 §3.1. One letter is a path too (`C:…`), so a scheme has two characters at least.
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")
LETTER = re.compile(r"[A-Za-z]:")
# A collection of workflows that people name without a scheme, as its own tools do.
COLLECTION = re.compile(r"nf-core/[A-Za-z0-9][A-Za-z0-9_\-]*(?:@[^\s#@]+)?(?:#\S+)?")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where something is: an absolute URI. A path is the URI with scheme `file`.

    `uri` may hold credentials (`https://user:token@…`); `str()` and `repr()` never show them.
    """

    uri: str

    @classmethod
    def parse(cls, text: str, base: Reference | Path | None = None) -> Reference:
        """Read a reference as people write it.

        A text with a scheme is a URI as it stands. Anything else is a path (or, where `base` is not local, a relative
        URI) and is resolved against `base`, a folder's path or a document's reference; by default the working
        directory. A path whose first part has a colon is written `./a:b`.

        Raises DefinitionError for an empty text, for control characters in a URI and for what is no URI.
        """
        if not text:
            raise DefinitionError("an empty reference")
        if "\0" in text:
            raise DefinitionError("a NUL byte in a reference")
        if SCHEME.match(text):
            if text.lower().startswith("file:"):
                fragment = text.partition("#")
                return cls(cls.of_path(cls(text).path).uri + fragment[1] + fragment[2])
            if any(ord(c) <= 0x20 for c in text):
                raise DefinitionError(f"white space or a control character in the reference {text!r}")
            return _checked(cls(text))
        if isinstance(base, Reference):
            return base.join(text)
        # Path's own expanduser takes `./~x` for a home.
        return cls.of_path((base or Path.cwd()) / os.path.expanduser(text))

    @classmethod
    def parse_named(cls, text: str, base: Reference | Path | None = None) -> Reference:
        """Read a reference that a person names, in which `nf-core/NAME[@REVISION]` is `gh:nf-core/NAME[@REVISION]`.

        A path of that form that exists is the path. All else is as in `parse`.
        """
        if COLLECTION.fullmatch(text):
            paths = [cls.parse(each, base) for each in dict.fromkeys((text, text.partition("#")[0]))]
            if not any(each.is_local and each.path.exists() for each in paths):
                return cls(f"gh:{text}")
        return cls.parse(text, base)

    @classmethod
    def of_path(cls, path: Path) -> Reference:
        """Return the `file:` reference of a path; bytes that are not UTF-8 survive (RFC 8089, percent-encoded)."""
        return cls("file://" + quote(os.fsencode(os.path.abspath(path))))

    @property
    def scheme(self) -> str:
        """The scheme, in lower case."""
        return self.uri.partition(":")[0].lower()

    @property
    def host(self) -> str:
        """The host name, in lower case, without port; empty where the URI has none."""
        try:
            return urlsplit(self.uri).hostname or ""
        except ValueError:
            return ""

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`, without credentials: what credentials and policies are chosen by."""
        parts = urlsplit(self.uri)
        netloc = parts.netloc.rpartition("@")[2].lower()
        return f"{parts.scheme.lower()}://{netloc}"

    @property
    def fragment(self) -> str:
        """What stands after the first `#`, percent-encoded as it stands in the URI."""
        return self.uri.partition("#")[2]

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return self.scheme == "file"

    @property
    def on_this_machine(self) -> bool:
        """Whether following it leads to this machine's files, by whatever way: `git+file` is such a one too."""
        return self.scheme == "file" or self.scheme.endswith("+file")

    @property
    def path(self) -> Path:
        """The local path of a `file:` reference. Raises DefinitionError for another scheme or another host."""
        rest = self.without_fragment().uri
        if not rest.lower().startswith("file:"):
            raise DefinitionError(f"not a local file: {self}")
        rest = rest[len("file:") :]
        if rest.startswith("//"):
            host, slash, rest = rest[2:].partition("/")
            if host not in ("", "localhost"):
                raise DefinitionError(f"a file: reference to another host ({host})", remedy="name a local path")
            rest = slash + rest
        path = Path(os.fsdecode(unquote_to_bytes(rest)))
        if "\0" in str(path):
            raise DefinitionError("a NUL byte in a path")
        return path

    @property
    def name(self) -> str:
        """The last part of the path, decoded: the file name to give to what is fetched (may be empty).

        Of a part that `#path=` names, it is that part's.
        """
        for part in self.fragment.split("&"):
            if part.startswith("path=") and (path := part.removeprefix("path=").rstrip("/")):
                return os.fsdecode(unquote_to_bytes(path.rpartition("/")[2]))
        if self.is_local:
            return self.path.name
        path = urlsplit(self.uri).path.rstrip("/")
        return os.fsdecode(unquote_to_bytes(path.rpartition("/")[2]))

    def without_fragment(self) -> Reference:
        """Return the same reference up to its `#`."""
        return Reference(self.uri.partition("#")[0])

    def without_credentials(self) -> Reference:
        """Return the same reference without `user:password@`; in `abfss://CONTAINER@ACCOUNT…` nothing is one."""
        from wfx.redaction import CONTAINER

        head, mark, rest = self.uri.partition("://")
        if not mark or CONTAINER.match(self.uri):
            return self
        authority, slash, tail = re.match(r"([^/?#]*)([/?#]?)(.*)", rest, re.S).groups()  # type: ignore[union-attr]
        return Reference(head + mark + authority.rpartition("@")[2] + slash + tail)

    def join(self, text: str) -> Reference:
        """Resolve a relative URI reference against this one (RFC 3986 §5), for any hierarchical scheme."""
        if SCHEME.match(text):
            return Reference.parse(text)
        if self.is_local and not text.startswith("#"):
            path, mark, fragment = text.partition("#")
            return Reference(
                Reference.of_path(self.path.parent / os.fsdecode(unquote_to_bytes(os.fsencode(path)))).uri
                + mark
                + fragment
            )
        # urljoin knows only the schemes of its own list; the syntax is the same for all hierarchical ones.
        scheme, _, rest = self.uri.partition(":")
        try:
            joined = urljoin("http:" + rest, f"./{text}" if LETTER.match(text) else text)
        except ValueError as error:
            raise DefinitionError(f"it is no reference: {text!r}", why=str(error)) from error
        if not rest.startswith("/") and not text.startswith("/"):
            # A path without a root (`zenodo:1234/a.cwl`) stays one; urljoin makes an empty host of what is not there.
            return _checked(Reference(f"{scheme}:{joined.removeprefix('http:').lstrip('/')}"))
        return _checked(Reference(scheme + joined.removeprefix("http")))

    def safe(self) -> str:
        """Return the text for people, logs and crates: no credentials, no values of query parameters that look secret."""
        from wfx.redaction import redact_uri

        return redact_uri(self.uri)

    def __str__(self) -> str:
        return self.safe()

    def __repr__(self) -> str:
        return f"Reference({self.safe()!r})"


def _checked(reference: Reference) -> Reference:
    try:
        urlsplit(reference.uri)
    except ValueError as error:
        raise DefinitionError(f"it is no URI: {reference}", why=str(error)) from error
    return reference


def with_query(reference: Reference, query: str) -> Reference:
    """Return the reference with another query part."""
    parts = urlsplit(reference.uri)
    return Reference(urlunsplit(parts._replace(query=query)))
