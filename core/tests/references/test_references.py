"""References: paths and URIs, resolved and shown without their secrets."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.errors import DefinitionError
from wfx.references import Reference, with_query

BASE = Reference("http://a/b/c/d;p?q")

# RFC 3986 §5.4.1 and §5.4.2; left out are the empty reference, which nobody means, and one-letter schemes.
EXAMPLES = [
    ("g", "http://a/b/c/g"),
    ("./g", "http://a/b/c/g"),
    ("g/", "http://a/b/c/g/"),
    ("/g", "http://a/g"),
    ("//g", "http://g"),
    ("?y", "http://a/b/c/d;p?y"),
    ("g?y", "http://a/b/c/g?y"),
    ("#s", "http://a/b/c/d;p?q#s"),
    ("g#s", "http://a/b/c/g#s"),
    ("g?y#s", "http://a/b/c/g?y#s"),
    (";x", "http://a/b/c/;x"),
    ("g;x", "http://a/b/c/g;x"),
    ("g;x?y#s", "http://a/b/c/g;x?y#s"),
    (".", "http://a/b/c/"),
    ("./", "http://a/b/c/"),
    ("..", "http://a/b/"),
    ("../", "http://a/b/"),
    ("../g", "http://a/b/g"),
    ("../..", "http://a/"),
    ("../../", "http://a/"),
    ("../../g", "http://a/g"),
    ("../../../g", "http://a/g"),
    ("/./g", "http://a/g"),
    ("/../g", "http://a/g"),
    ("g.", "http://a/b/c/g."),
    (".g", "http://a/b/c/.g"),
    ("..g", "http://a/b/c/..g"),
    ("./../g", "http://a/b/g"),
    ("./g/.", "http://a/b/c/g/"),
    ("g/./h", "http://a/b/c/g/h"),
    ("g/../h", "http://a/b/c/h"),
    ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
    ("g;x=1/../y", "http://a/b/c/y"),
    ("g?y/./x", "http://a/b/c/g?y/./x"),
    ("g?y/../x", "http://a/b/c/g?y/../x"),
    ("g#s/./x", "http://a/b/c/g#s/./x"),
    ("https://other/x", "https://other/x"),
]


@pytest.mark.parametrize(
    ("text", "joined"), [("b.cwl", "deposit:1/d/b.cwl"), ("../c", "deposit:1/c"), ("x/./y#z", "deposit:1/d/x/y#z")]
)
def test_a_path_without_a_root_stays_one(text: str, joined: str) -> None:
    assert Reference("deposit:1/d/a.cwl").join(text).uri == joined


@pytest.mark.parametrize("scheme", ["http", "https", "s3", "sftp", "git+https"])
@pytest.mark.parametrize(("text", "joined"), EXAMPLES)
def test_a_relative_reference_is_resolved_as_rfc_3986_says(text: str, joined: str, scheme: str) -> None:
    base = Reference(BASE.uri.replace("http", scheme, 1))
    assert base.join(text).uri == (joined if text.startswith("https:") else joined.replace("http", scheme, 1))
    assert Reference.parse(text, base) == base.join(text)


def test_one_letter_before_a_colon_is_no_scheme() -> None:
    assert BASE.join("g:h").uri == "http://a/b/c/g:h"
    assert Reference.parse("c:x", Path("/d")).path == Path("/d/c:x")


PATHS = st.lists(
    st.binary(min_size=1, max_size=8).filter(lambda b: b not in (b".", b"..") and b"/" not in b and b"\0" not in b),
    min_size=1,
    max_size=4,
).map(lambda parts: Path("/" + os.fsdecode(b"/".join(parts))))


@given(PATHS)
@settings(deadline=None, max_examples=100)
def test_a_path_comes_back_from_its_reference(path: Path) -> None:
    reference = Reference.of_path(path)
    assert reference.uri.isascii()
    assert reference.path == path
    assert reference.name == path.name
    assert Reference.parse(reference.uri) == reference
    assert Reference(reference.uri + "#main").path == path


@given(PATHS, PATHS)
@settings(deadline=None, max_examples=100)
def test_an_absolute_path_is_itself_whatever_the_base(path: Path, folder: Path) -> None:
    assert Reference.parse(str(path), folder).path == path
    relative = Reference.parse("./" + str(path)[1:], folder)
    assert relative.path == folder / str(path)[1:]


@given(PATHS, PATHS)
@settings(deadline=None, max_examples=100)
def test_a_quoted_relative_reference_joins_to_the_path_beside(path: Path, document: Path) -> None:
    quoted = Reference.of_path(path).uri.removeprefix("file:///")
    found = Reference.of_path(document).join("./" + quoted)
    assert found.path == document.parent / str(path)[1:]


@given(st.text(max_size=12), st.none() | st.just(BASE) | st.just(Path("/d")))
@settings(deadline=None, max_examples=100)
def test_any_text_is_a_reference_or_refused(text: str, base: Reference | Path | None) -> None:
    for prefix in ("", "http://", "http://[", "file:", "s3://u:p@"):
        try:
            reference = Reference.parse(prefix + text, base)
        except DefinitionError:
            continue
        for value in (reference.host, reference.origin, reference.name, reference.fragment, str(reference)):
            assert isinstance(value, str)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("x", "file:///d/x"),
        ("a b#c%20?", "file:///d/a%20b%23c%2520%3F"),
        ("./a:b", "file:///d/a%3Ab"),
        ("-x", "file:///d/-x"),
        ("./~root", "file:///d/~root"),
        ("~nobody-is-so/x", "file:///d/~nobody-is-so/x"),
        ("../x/./y", "file:///x/y"),
        ("file:///x%20y", "file:///x%20y"),
        ("FILE://localhost/x", "file:///x"),
        ("file:/x", "file:///x"),
        ("file:///x/../y.cwl#main", "file:///y.cwl#main"),
        ("https://u:p@h/x#y", "https://u:p@h/x#y"),
        ("doi:10.5281/zenodo.1", "doi:10.5281/zenodo.1"),
    ],
)
def test_a_reference_is_read_as_people_write_it(text: str, uri: str) -> None:
    assert Reference.parse(text, Path("/d")).uri == uri


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert Reference.parse("~/x").uri == "file:///home/me/x"


@pytest.mark.parametrize(
    "text",
    ["", "http://h/a b", "http://h/a\nb", "http://h/\x00", "http://[::1/x", "file://host/x", "file:///%00", "a\0b"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("uri", "host", "origin", "name", "fragment"),
    [
        ("https://U:p@H.org:8080/a/b%20c?x=/y#f", "h.org", "https://h.org:8080", "b c", "f"),
        ("https://h", "h", "https://h", "", ""),
        ("https://h/a/", "h", "https://h", "a", ""),
        ("s3://bucket/key#a#b", "bucket", "s3://bucket", "key", "a#b"),
        ("https://[::1]:80/x", "::1", "https://[::1]:80", "x", ""),
    ],
)
def test_the_parts_of_a_uri_are_known(uri: str, host: str, origin: str, name: str, fragment: str) -> None:
    reference = Reference(uri)
    assert (reference.host, reference.origin, reference.name, reference.fragment) == (host, origin, name, fragment)


def test_only_a_local_reference_has_a_path() -> None:
    with pytest.raises(DefinitionError, match="not a local file: https://h/x"):
        _ = Reference("https://u:p@h/x").path


@pytest.mark.parametrize(
    ("uri", "without"),
    [
        ("https://u:p@h/x", "https://h/x"),
        ("https://u:p@q@h/x", "https://h/x"),
        ("https://u@h:80?a@b#c@d", "https://h:80?a@b#c@d"),
        ("https://h/a@b", "https://h/a@b"),
        ("doi:10.1/a@b", "doi:10.1/a@b"),
        ("abfss://container@account.dfs.core.windows.net/x", "abfss://container@account.dfs.core.windows.net/x"),
        ("https://h/\n@x", "https://h/\n@x"),
    ],
)
def test_credentials_are_taken_off(uri: str, without: str) -> None:
    assert Reference(uri).without_credentials().uri == without


URI = st.builds(
    "{}://{}{}{}/{}{}{}".format,
    st.sampled_from(["http", "https", "s3", "sftp", "git+ssh"]),
    st.sampled_from(["", "u@", "u:CANARY@", "CANARY@", "u:x@CANARY@", ":CANARY@", "u:CANARY%2F@"]),
    st.sampled_from(["h", "h.org", "[::1]"]),
    st.sampled_from(["", ":80"]),
    st.sampled_from(["", "x", "a/b;c", "a:b"]),
    st.sampled_from(
        [
            "",
            "?q=1",
            "?token=CANARY",
            "?q=1&X-Amz-Signature=CANARY&r=2",
            "?Access%5FToken=CANARY",
            "?api_key=CANARY;a=1",
        ]
    ),
    st.sampled_from(["", "#f", "#path=a&b", "#access_token=CANARY&a=b"]),
)


@given(URI)
@settings(deadline=None, max_examples=100)
def test_no_text_of_a_reference_shows_a_secret(uri: str) -> None:
    reference = Reference(uri)
    for text in (str(reference), repr(reference), reference.safe(), reference.origin):
        assert "CANARY" not in text
    assert Reference(reference.safe()).safe() == reference.safe()
    assert Reference(reference.safe()).host == reference.host


def test_the_query_is_replaced() -> None:
    assert with_query(Reference("https://h/x?a=b#c"), "d=e").uri == "https://h/x?d=e#c"


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("nf-core/rnaseq", "gh:nf-core/rnaseq"),
        ("nf-core/demo@1.0.1", "gh:nf-core/demo@1.0.1"),
        ("nf-core/demo@feature/x#path=main.nf", "gh:nf-core/demo@feature/x#path=main.nf"),
        ("nf-core/demo@1.0.1#OTHER", "gh:nf-core/demo@1.0.1#OTHER"),
    ],
)
def test_a_pipeline_of_nf_core_is_named_as_its_own_tools_name_it(text: str, uri: str, tmp_path: Path) -> None:
    assert Reference.parse_named(text, tmp_path).uri == uri


@pytest.mark.parametrize(
    "text", ["./nf-core/demo", "nf-core/demo/main.nf", "nf-core", "nf-core/", "other/demo", "nf-core/demo@"]
)
def test_no_other_form_is_a_pipeline_of_nf_core(text: str, tmp_path: Path) -> None:
    assert Reference.parse_named(text, tmp_path) == Reference.parse(text, tmp_path)


@pytest.mark.parametrize("text", ["nf-core/demo", "nf-core/demo@1", "nf-core/demo#OTHER"])
def test_a_path_of_that_form_that_exists_is_the_path(text: str, tmp_path: Path) -> None:
    (tmp_path / text.partition("#")[0]).mkdir(parents=True)
    assert Reference.parse_named(text, tmp_path).is_local
    assert Reference.parse(text, tmp_path / "elsewhere").is_local
