from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfx.errors import DefinitionError
from wfx.fetching import Reference
from wfx_git.addresses import GitAddress, _requote

part = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda text: text not in (".", "..")
)
revision = st.one_of(
    st.just(""),
    st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    st.text(st.characters(codec="utf-8", min_codepoint=0x21, exclude_characters="~^:?*[\\\x7f"), max_size=12).filter(
        lambda text: not text.startswith("-") and ".." not in text and "@{" not in text
    ),
)
host = st.from_regex(r"[a-z0-9][a-z0-9.\-]{0,10}(:[0-9]{2,5})?", fullmatch=True)


def location(parts: list[str]) -> str:
    return "/" + _requote("/".join(quote(each, safe="") for each in parts)).strip("/")


@given(
    scheme=st.sampled_from(["https", "http"]), host=host, repository=st.lists(part, min_size=1, max_size=3),
    secret=st.none() | st.tuples(part, st.none() | part), revision=revision,
    path=st.lists(part, max_size=3), only=st.booleans(),
)  # fmt: skip
def test_what_is_written_is_read_back_the_same(
    scheme: str, host: str, repository: list[str], secret: tuple[str, str | None] | None, revision: str,
    path: list[str], only: bool,
) -> None:  # fmt: skip
    user, password = secret or (None, None)
    address = GitAddress(
        scheme, host, location(repository), user, password, revision, "/".join(path), only and bool(path)
    )
    written = address.reference()
    assert GitAddress.parse(written) == address
    assert GitAddress.parse(written).reference() == written
    assert Reference.parse(written.uri).uri == written.uri
    assert address.url == replace(address, user=None, password=None).url


@given(st.text(max_size=60))
def test_nothing_but_a_definition_error_comes_of_any_text(text: str) -> None:
    for uri in (text, "git+https://" + text, "git+ssh://host/r" + text, "git+file:///r" + text):
        try:
            address = GitAddress.parse(Reference(uri))
        except DefinitionError:
            continue
        assert GitAddress.parse(address.reference()) == address
        assert not address.host.startswith("-")
        assert not address.revision.startswith("-")


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/r.git",
        "git+ext::sh -c id",
        "git+https://",
        "git+https://example.org/",
        "git+https://-oProxyCommand=id/r",
        "git+ssh://-oProxyCommand=id/r",
        "git+ssh://-l@host/r",
        "git+ssh://ann:secret@host/r",
        "git+git://ann@host/r",
        "git+file://elsewhere/r",
        "git+https://example.org/r@",
        "git+https://example.org/r@--upload-pack=id",
        "git+https://example.org/r@a..b",
        "git+https://example.org/r@v1?x=1",
        "git+https://example.org/r#path=../x",
        "git+https://example.org/r#path=a//b",
        "git+https://example.org/r#line=3",
        "git+https://example.org/r#only=2",
    ],
)
def test_what_cannot_be_meant_is_refused(uri: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        GitAddress.parse(Reference(uri))
    assert "secret" not in str(caught.value)


def test_the_parts_of_an_address() -> None:
    address = GitAddress.parse(
        Reference("git+https://ann:s3cret@Example.org:8443/a/b%40c.git@feature/x@y#path=f/g&only=1")
    )
    assert (address.url, address.origin) == ("https://example.org:8443/a/b%40c.git", "https://example.org:8443")
    assert (address.user, address.password, address.revision) == ("ann", "s3cret", "feature/x@y")
    assert (address.path, address.only, address.is_pinned) == ("f/g", True, False)
    assert GitAddress.parse(Reference("git+ssh://git@host/~/r")).url == "ssh://git@host/~/r"
    assert GitAddress.parse(Reference("git+file:///srv/r.git")).url == "file:///srv/r.git"
