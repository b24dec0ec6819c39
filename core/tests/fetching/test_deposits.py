"""What repositories' answers have in common: licences, checksums, addresses, and which files a reference means."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.deposits import (
    Deposited,
    Wanted,
    checksums_of,
    licence_of,
    may_lead_to,
    sources_of,
    split_reference,
    text_at,
    whole_size,
)
from wfx.errors import FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Expected, Net, Reference

WHERE = Reference("lab:1")


def deposited(*paths: str) -> list[Deposited]:
    return [Deposited(path, Reference(f"https://example.org/{n}"), n) for n, path in enumerate(paths)]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (["cc-by-4.0"], "CC-BY-4.0"),
        (["CC BY-NC-SA 4.0"], "CC-BY-NC-SA-4.0"),
        (["CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"], "CC-BY-4.0"),
        (["CC0", "http://creativecommons.org/publicdomain/zero/1.0"], "CC0-1.0"),
        (["", "http://creativecommons.org/licenses/by-sa/3.0/legalcode"], "CC-BY-SA-3.0"),
        (["mit"], "MIT"),
        (["apache-2.0"], "Apache-2.0"),
        (["GNU GPL", "https://opensource.org/licenses/GPL-3.0"], "GPL-3.0-only"),
        (["our own terms"], "our own terms"),
        (["our own terms", "https://spdx.org/licenses/MIT.html"], "MIT"),
        (["", ""], None),
    ],
)
def test_a_licence_is_told_as_spdx_where_it_can_be(stated: list[str], expected: str | None) -> None:
    assert licence_of(*stated) == expected


def test_what_is_no_checksum_is_left_out() -> None:
    stated = [
        ("MD5", "A" * 32),
        ("SHA-256", "b" * 64),
        ("SHA-1", "c" * 39),
        ("etag", "d" * 32),
        (None, 1),
        ("md5", None),
    ]
    assert checksums_of(*stated) == (("md5", "a" * 32), ("sha256", "b" * 64))
    file = Deposited("a", Reference("https://example.org/a"), 3, checksums_of(*stated))
    assert file.expected == Expected("b" * 64, 3, (("md5", "a" * 32),))


def test_values_of_answers_are_read_with_care() -> None:
    answer: Any = {"a": [{"b": " x\n y "}, 7, True]}
    assert text_at(answer, "a", 0, "b") == "x y"
    assert text_at(answer, "a", 1) == "7"
    assert [text_at(answer, "a", 2), text_at(answer, "a", 9, "b"), text_at(answer, 0), text_at(None, "a")] == [""] * 4
    assert [whole_size(value) for value in (3, 0, -1, True, "3", None, 1.5)] == [3, 0, None, None, None, None, None]


@pytest.mark.parametrize(
    ("uri", "identifier", "path", "part"),
    [
        ("lab:1", "1", "", None),
        ("lab:///1/a/b%20c?x=1", "1", "a/b%20c", None),
        ("lab:1#path=a", "1", "", "a"),
        ("lab:1/a.zip#path=", "1", "a.zip", ""),
        ("lab:a%2Fb#line=1&path=/x/y", "a/b", "", "x/y"),
    ],
)
def test_a_reference_is_an_id_a_path_and_a_part(uri: str, identifier: str, path: str, part: str | None) -> None:
    assert split_reference(Reference(uri)) == (identifier, Wanted(path, part))


def test_a_part_of_the_record_comes_before_one_of_its_only_archive() -> None:
    files = deposited("x.zip")
    [source] = sources_of(files, Wanted(part="inner/a"), WHERE)
    assert (source.reference.uri, source.expected, source.archive.size) == (
        "https://example.org/0#path=inner/a",
        Expected(),
        0,
    )
    [source] = sources_of(files, Wanted(part="x.zip"), WHERE)
    assert (source.reference.uri, source.name) == ("https://example.org/0", "x.zip")
    with pytest.raises(ReferenceNotFound, match=r"no 'inner/a'.*it has x.zip, y.zip"):
        sources_of(deposited("x.zip", "y.zip"), Wanted(part="inner/a"), WHERE)


def test_a_path_may_go_on_in_an_archive_of_the_record() -> None:
    files = deposited("x.zip", "d/y z.zip")
    for wanted in (Wanted("d/y%20z.zip/in/a"), Wanted(part="d/y%20z.zip/in/a"), Wanted("d", "y%20z.zip/in/a")):
        [source] = sources_of(files, wanted, WHERE)
        assert (source.reference.uri, source.archive.size) == ("https://example.org/1#path=in/a", 1)


def test_a_name_with_a_wildcard_in_it_is_found_as_it_stands() -> None:
    files = deposited("a[1].txt", "a1.txt")
    assert [source.name for source in sources_of(files, Wanted("a%5B1%5D.txt"), WHERE)] == ["a[1].txt"]
    assert [source.name for source in sources_of(files, Wanted("a*"), WHERE)] == ["a1.txt", "a[1].txt"]


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_names_that_cannot_be_together_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(FetchError, match="the same name|the name of a folder"):
        sources_of(deposited(*paths), Wanted(), WHERE)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "", None, 3, "https:///x", "https://a\nb/", "data:,x"])
def test_an_address_that_a_place_names_is_one_of_the_web(address: Any) -> None:
    with pytest.raises(FetchError, match="none of the web"):
        may_lead_to(Net(), "https://example.org/api", address)


def test_a_place_leads_into_no_private_network_but_its_own() -> None:
    with pytest.raises(PolicyError):
        may_lead_to(Net(), "https://192.0.2.1/api", "http://127.0.0.1:1/secret")
    assert may_lead_to(Net(), "http://127.0.0.1:1/api", "http://127.0.0.1:2/a").uri == "http://127.0.0.1:2/a"
