"""Answers in XML, as object stores and WebDAV servers give them: read without entities, and without namespaces in names."""

from __future__ import annotations

from xml.etree import ElementTree

from wfx.errors import FetchError

__all__ = ["Element", "read_xml", "text_of"]

DEEPEST = 64
Element = ElementTree.Element


def read_xml(data: bytes, where: str) -> Element:
    """Return the root of an answer, in which each tag is its local name.

    Raises FetchError for what is not well formed, what declares entities (which can be made to fill the memory), what is
    in another encoding than UTF-8, and for elements deeper than 64.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"<!DOCTYPE" in data or b"\0" in data:
        raise FetchError("the answer declares entities, or is no UTF-8", where=where)
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 (no entities in it)
    except ElementTree.ParseError as error:
        raise FetchError("the answer is not valid XML", where=where, why=str(error)) from error
    left = [(root, 1)]
    while left:
        element, depth = left.pop()
        if depth > DEEPEST:
            raise FetchError("the answer is nested too deeply", where=where)
        element.tag = element.tag.rpartition("}")[2]
        left += [(child, depth + 1) for child in element]
    return root


def text_of(element: Element, path: str) -> str:
    """Return the text at a path below an element, without blanks around it; empty where there is none."""
    return (element.findtext(path) or "").strip()
