"""URIs, paths, names and times, as cwltool writes them and as others read them."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urlsplit


def now() -> str:
    """Return the time with its zone; cwltool's own has none."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def uri_of(path: Path) -> str:
    """Return a file URI as cwltool writes it."""
    return "file://" + quote(os.fsencode(path))


def path_of(uri: str) -> str:
    """Return the path of a file URI."""
    return unquote(urlsplit(uri).path, errors="surrogateescape") if uri.startswith("file:") else uri


def short(identifier: str) -> str:
    """Return the local name of a parameter or step."""
    return urldefrag(identifier)[1].rpartition("/")[2] or identifier.rpartition("/")[2]


def text_of(value: Any) -> str:
    """Return a label or doc, which may be a list of paragraphs."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def aslist(value: Any) -> list[Any]:
    """Return a list, whatever stands there."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]
