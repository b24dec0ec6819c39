"""HTML that is safe by construction: a text is escaped when it enters, only what `tag` made is taken as it is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"br", "hr", "img", "link", "meta"})
NAME = re.compile(r"[a-z][a-z0-9\-]*", re.I)
# Colours and cursor movements of programs that thought they wrote to a terminal (ECMA-48).
TERMINAL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
# What HTML has no place for, and what turns a line of text around (Unicode TR9, "Trojan Source").
UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]")


class Markup(str):
    """A piece of HTML."""

    __slots__ = ()


Content: TypeAlias = "str | Markup | Iterable[Content] | None"


def text(value: str) -> Markup:
    """Return a text as HTML."""
    value = UNSEEN.sub("\ufffd", TERMINAL.sub("", value).replace("\r\n", "\n"))
    return Markup(html.escape(value.encode("utf-8", "replace").decode("utf-8"), quote=True))


def join(content: Content) -> Markup:
    """Return content as HTML; what is not HTML yet is escaped."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return text(content)
    return Markup("".join(join(item) for item in content))


def tag(name: str, /, *content: Content, **attributes: str | None) -> Markup:
    """Return an element. Attributes are named as keywords: `class_`, `aria_label`; None leaves one out."""
    assert NAME.fullmatch(name)
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            attribute = key.rstrip("_").replace("_", "-")
            assert NAME.fullmatch(attribute)
            parts.append(f'{attribute}="{text(value)}"')
    start = f"<{' '.join(parts)}>"
    return Markup(start if name in VOID else f"{start}{join(content)}</{name}>")


def raw(markup: str) -> Markup:
    """Take a text of our own as HTML. Never for a value."""
    return Markup(markup)


def link(address: str, /, *content: Content, **attributes: str | None) -> Markup:
    """Return a link to a place of the crate or of the web; any other address is shown and leads nowhere."""
    scheme = re.match(r"\s*([a-z][a-z0-9+.\-]*):", address, re.I)
    if scheme and scheme[1].lower() not in ("http", "https", "mailto"):
        return tag("span", *(content or (address,)), **attributes)
    if scheme:
        return tag("a", *(content or (address,)), href=address, rel="noopener noreferrer", **attributes)
    return tag("a", *(content or (address,)), href=address, **attributes)
