"""What is read of YAML and JSON, what is refused, and the lines that messages name."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.documents import Limits, load_document
from wfx.errors import DocumentError

SMALL = Limits(nodes=50, depth=10)


def load(text: str, name: str = "t.yml", limits: Limits = Limits()):
    return load_document(text.encode("utf-8", "surrogatepass"), name, limits=limits).value


def refusal(text: str | bytes, name: str = "t.yml", limits: Limits = Limits()) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    with pytest.raises(DocumentError) as caught:
        load_document(data, name, limits=limits)
    return str(caught.value)


SCALARS = [
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("true", True),
    ("False", False),
    ("tRUE", "tRUE"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("0", 0),
    ("-0", 0),
    ("+12", 12),
    ("010", 10),
    ("0o17", 15),
    ("0x1F", 31),
    ("-0x10", -16),
    ("0b101", 5),
    ("0b9", "0b9"),
    ("1_000", 1000),
    ("_1", "_1"),
    ("1.5", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    (".", "."),
    ("1e5", 1e5),
    ("1e-5", 1e-5),
    ("1E+5", 1e5),
    ("1.2.3", "1.2.3"),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("2026-11-24", "2026-11-24"),
    ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
    ("0.1.0", "0.1.0"),
    ("v1.2", "v1.2"),
    ("1e", "1e"),
    ("-", [None]),
    ("=", "="),
    ("'12'", "12"),
    ('"true"', "true"),
    ("!!str 12", "12"),
    ("!!int '12'", 12),
    ("!!float 3", 3.0),
    ("!!timestamp 2026-11-24", "2026-11-24"),
    ("|\n  a\n  b\n", "a\nb\n"),
    (">-\n  a\n  b\n", "a b"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    found = load(f"a: {text}\n" if text != "-" else "a:\n -\n")["a"]
    assert (found, type(found)) == (value, type(value))


def test_scalars_are_read_as_cwltool_reads_them() -> None:
    yaml = pytest.importorskip("ruamel.yaml", reason="needs ruamel.yaml, with which cwltool reads documents")
    texts = [text for text, _ in SCALARS if text[:1] not in ("!", "|", ">", "-", "=") or text[1:2].isdigit()]
    reader = yaml.YAML(typ="safe", pure=True)

    def theirs(text: str) -> object:
        try:
            value = reader.load(f"a: {text}\n")["a"]
        except ValueError:
            return text  # `0b9`: no number after all
        # Dates are given to tools as texts.
        return value if value is None or isinstance(value, (bool, int, float, str)) else text

    assert {text: load(f"a: {text}\n")["a"] for text in texts} == {text: theirs(text) for text in texts}


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<é\n \"'", max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES, st.sampled_from(["a.json", "a.yml"]), st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None, max_examples=100)
def test_json_is_read_as_json_says(value: object, name: str, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps({"a": value}, indent=indent, ensure_ascii=ascii_only)
    assert load(text, name) == {"a": value}


PRINTABLE = JSON_VALUES.filter(lambda value: all(c.isprintable() for c in json.dumps(value, ensure_ascii=False)))


@given(PRINTABLE)
@settings(deadline=None, max_examples=100)
def test_json_below_a_yaml_key_is_the_same_value(value: object) -> None:
    assert load("a: " + json.dumps(value, ensure_ascii=False)) == {"a": value}


@given(st.text("ab:-#&*!{}[],'\"|>%@`\\ \n\t?~<0.\ufeff\x85\u2028", max_size=40))
@settings(deadline=None, max_examples=100)
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        document = load_document(text.encode(), "t.yml")
    except DocumentError as error:
        assert str(error).startswith("t.yml")
    else:
        assert document.line(("a", 0)) >= 1


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=100)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"{", b"a: ", b"\xff\xfe", b"\xef\xbb\xbf"):
        try:
            load_document(start + data, "t.yml")
        except DocumentError as error:
            assert str(error).startswith("t.yml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", ["a: grün\n", '{"a": "grün"}'])
def test_a_byte_order_mark_tells_the_encoding(encoding: str, text: str) -> None:
    assert load_document(text.encode(encoding), "t.yml").value == {"a": "grün"}


def test_big_endian_utf_16_is_read() -> None:
    assert load_document(b"\xfe\xff" + "a: é".encode("utf-16-be"), "t").value == {"a": "é"}


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    assert refusal(b"a: 1\nb: \xff\n").startswith("t.yml:2: it is not UTF-8 text")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands there twice: first on line 1"),
        ('{"a": 1,\n "b": 2,\n "a": 3}', 3, "'a' stands there twice"),
        ("x:\n  - {a: 1, a: 2}\n", 2, "'a' stands there twice"),
        ("a: .nan\n", 1, ".nan is no JSON number"),
        ("b: 1\na: -.inf\n", 2, "-.inf is no JSON number"),
        ('{"b": "NaN",\n "a": NaN}', 2, "NaN is no JSON number"),
        ('{"a":\n 1e999}', 2, "1e999 is too large"),
        ("a: 1e999", 1, "too large"),
        ("a: !!python/object:os.system x\n", 1, "tag 'tag:yaml.org,2002:python/object:os.system' is not known"),
        ("b: 1\na: !mine {b: 1}\n", 2, "tag '!mine' is not known"),
        ("a: !!int x\n", 1, "'x' is no int"),
        ("a: !!binary aGFsbG8=\n", 1, "not known"),
        ("? [a, b]\n: 1\n", 1, "a key is a list or a mapping"),
        ("a: &x [1]\n*x : 1\n", 2, "a key is a list or a mapping"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: *nowhere\n", 1, "no anchor before it"),
        ("a: &x\n  - *x\n", 2, "contains itself"),
        ("a: [1,\nb: 2\n", 3, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: \x07\n", 2, "not valid YAML"),
        ("<<: 1\na: 2\n", 1, "only a mapping can be merged"),
        ('{"a": "\\ud800"}', 1, "half of a surrogate pair"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, line: int, words: str) -> None:
    message = refusal(text)
    assert message.startswith(f"t.yml:{line}: ")
    assert words in message


@pytest.mark.parametrize("text", ["", " \n", "# only a comment\n", "---\n...\n"])
def test_an_empty_document_is_refused_or_null(text: str) -> None:
    if text.startswith("---"):
        assert load(text) is None
    else:
        assert "empty" in refusal(text)


def test_the_escape_of_a_byte_that_is_not_utf_8_is_kept() -> None:
    assert load('{"a": "\\udcff"}', "t.json") == {"a": "\udcff"}


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert load('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_a_key_is_the_text_that_was_written() -> None:
    assert load("1: a\nyes: b\nnull: c\n1.0: d\n") == {"1": "a", "yes": "b", "null": "c", "1.0": "d"}


def test_an_alias_is_a_copy() -> None:
    value = load("a: &x {b: [1]}\nc: *x\n")
    value["a"]["b"].append(2)
    assert value["c"] == {"b": [1]}


def test_an_anchor_means_its_last_definition() -> None:
    assert load("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize(
    "text",
    [
        "base: &b {x: 1, y: 2}\nt:\n  <<: *b\n  y: 3\n",
        "base: &b {x: 1, y: 2}\nt:\n  y: 3\n  <<: *b\n",
        "base: &b {x: 1, y: 2}\nt:\n  <<: [{y: 9, x: 1}, *b]\n  y: 3\n",
    ],
)
def test_what_is_written_in_place_wins_over_what_is_merged(text: str) -> None:
    assert load(text)["t"] == {"x": 1, "y": 3}


def test_of_several_merged_mappings_the_first_wins() -> None:
    assert load("t: {<<: [{x: 1}, {x: 2, y: 2}]}")["t"] == {"x": 1, "y": 2}


def test_a_quoted_merge_key_is_a_name() -> None:
    assert load("t: {'<<': {x: 1}}")["t"] == {"<<": {"x": 1}}


def test_flow_style_that_begins_as_json_does_is_read() -> None:
    assert load("{a: 1, b: [x, y]}  # said a person\n") == {"a": 1, "b": ["x", "y"]}


def test_broken_json_is_named_as_json_where_the_name_says_so() -> None:
    assert refusal('{"a": 1,\n "b" 2}', "t.json").startswith("t.json:2: it is not valid JSON")


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}"), ("{a: ", "}")])
def test_depth_is_limited_where_it_is_exceeded(brackets: tuple[str, str]) -> None:
    begin, end = brackets
    assert load(begin * 9 + "[]" + end * 9, limits=SMALL) is not None
    assert "nested deeper than 10" in refusal(begin * 10 + "[]" + end * 10, limits=SMALL)


def test_an_alias_is_counted_with_its_depth() -> None:
    anchors = "a0: &a0 [[]]\n" + "".join(f"a{n}: &a{n} [[*a{n - 1}]]\n" for n in range(1, 6))
    assert "nested deeper than 10" in refusal(anchors, limits=SMALL)


@pytest.mark.parametrize("text", ["[" + "1," * 50 + "1]", "[" + "a," * 50 + "a]", "- 1\n" * 51, "- a: 1\n" * 17])
def test_the_number_of_values_is_limited(text: str) -> None:
    assert "more than 50 values" in refusal(text, limits=SMALL)


def test_commas_in_a_string_are_no_values() -> None:
    text = json.dumps({"a": "[,{" * 100 + '\\"'})
    assert load(text, "t.json", SMALL) == json.loads(text)


def test_aliases_count_for_all_that_they_stand_for() -> None:
    text = "a: &a [1,1,1,1]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n"
    assert "aliases multiply" in refusal(text, limits=SMALL)


def test_too_large_a_file_is_refused_unread() -> None:
    assert "more than 0 MB are not read" in refusal("a" * 200, limits=Limits(bytes=100))


def test_too_large_a_yaml_file_may_be_written_as_json() -> None:
    assert "write it as JSON" in refusal("a: " + "b" * 200, limits=Limits(yaml_bytes=100))
    assert load(json.dumps(["b" * 200]), limits=Limits(yaml_bytes=100)) == ["b" * 200]


def test_a_number_of_five_thousand_digits_is_refused() -> None:
    assert "digits" in refusal("a: " + "1" * 5000)
    assert "digits" in refusal('{"a": ' + "1" * 5000 + "}")


DOCUMENT = """\
# a comment
a: 1
b:
  - x
  - y: 2
    z: &z
      deep: 3
c: *z
d:
  <<: *z
  own: 4
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("b",), 4),
        (("b", 0), 4),
        (("b", 1, "y"), 5),
        (("b", 1, "z", "deep"), 7),
        (("c", "deep"), 7),
        (("d", "deep"), 7),
        (("d", "own"), 11),
        (("b", 1, "nothing"), 5),
    ],
)
def test_the_line_of_a_value_is_where_it_was_written(path: tuple[str | int, ...], line: int) -> None:
    document = load_document(DOCUMENT.encode(), "t.yml")
    assert document.where(path) == f"t.yml:{line}"


def test_the_lines_of_json_are_known() -> None:
    document = load_document(b'{\n "a": [1,\n  {"b":\n 2}],\n "c/d": "x\\/y"\n}', "t.json")
    assert [document.line(p) for p in [("a", 0), ("a", 1), ("a", 1, "b"), ("c/d",)]] == [2, 3, 4, 5]


def test_the_lines_of_json_with_escaped_surrogates_are_known() -> None:
    document = load_document(b'{"a\\\\ud83d": "\\ud83d\\ude00",\n "\\ud83d\\ude00": "\\udcff",\n "c": 1}', "t.json")
    assert [document.line((key,)) for key in ["a\\ud83d", "\U0001f600", "c"]] == [1, 2, 3]


def test_a_large_text_of_wide_characters_is_refused_with_a_remedy() -> None:
    text = '{"a": "' + "b" * 1000 + '\U0001f600"}'
    assert "beyond U+FFFF it needs too much memory; write them as \\u escapes" in refusal(
        text, limits=Limits(memory=3000)
    )


@given(JSON_VALUES)
@settings(deadline=None, max_examples=50)
def test_lines_never_go_back(value: object) -> None:
    text = json.dumps([value, value, value], indent=1)
    document = load_document(text.encode(), "t.json")
    lines = [document.line((n,)) for n in range(3)]
    assert all(before < after for before, after in pairwise(lines))


@pytest.mark.parametrize(
    "text", ["a: [1, 2, {b: 'x'}]\nc: &x |\n  long\nd: *x\n", '{"a": [1, {"b": "x\\u00e9"}], "c": -1.5e3}']
)
def test_a_document_cut_anywhere_is_read_or_refused(text: str) -> None:
    for end in range(len(text)):
        try:
            load_document(text[:end].encode(), "t.yml")
        except DocumentError as error:
            assert str(error).startswith("t.yml")
