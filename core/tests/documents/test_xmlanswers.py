"""Answers in XML, from servers that mean well and others."""

from __future__ import annotations

import pytest
from wfx.errors import FetchError
from wfx.xmlanswers import read_xml, text_of


def test_names_lose_their_namespace() -> None:
    root = read_xml(b'\xef\xbb\xbf<?xml version="1.0"?><D:a xmlns:D="DAV:"><D:b> x </D:b><c/></D:a>', "it")
    assert (root.tag, text_of(root, "b"), text_of(root, "c"), text_of(root, "none")) == ("a", "x", "", "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not valid XML"),
        (b"<a>", "not valid XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares entities"),
        (b'<a><!-- --></a><!DOCTYPE a SYSTEM "http://h/">', "declares entities"),
        ('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), "no UTF-8"),
        (b"<a>" * 65 + b"</a>" * 65, "nested too deeply"),
        (b"<a>" * 100_000, "not valid XML"),
    ],
    ids=["empty", "open", "entity", "external", "utf-16", "deep", "deep and open"],
)
def test_what_is_hostile_or_broken_is_an_error(data: bytes, problem: str) -> None:
    with pytest.raises(FetchError, match=problem):
        read_xml(data, "it")
