"""Two runs held against each other: the same, the same but for what does not matter, or different and where."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfx.comparing.comparators import REGISTRY, Settings, binary, chosen, compare, named
from wfx.comparing.judging import Comparison, judge
from wfx.comparing.pages import page
from wfx.comparing.sides import Output, Side
from wfx.errors import UsageError


def opener(data: bytes) -> Callable[[], IO[bytes]]:
    return lambda: io.BytesIO(data)


def verdict(name: str, a: bytes, b: bytes, by: str = "", tolerance: float = 1e-6) -> str:
    comparator = named(by) if by else chosen(name, opener(a), opener(b))
    found = compare(comparator, opener(a), opener(b), Settings(tolerance))
    return f"{comparator.name} same" if found is None else f"{comparator.name} {found.where}"


def bam(header: str, *records: bytes) -> bytes:
    head = b"BAM\1" + struct.pack("<i", len(header)) + header.encode() + struct.pack("<i", 1)
    head += struct.pack("<i", 5) + b"chr1\0" + struct.pack("<i", 1000)
    return gzip.compress(head + b"".join(struct.pack("<i", len(r)) + r for r in records), mtime=0)


def png(pixels: bytes, text: bytes, level: int = 9) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0" * 13) + chunk(b"tEXt", text) + chunk(b"IDAT", zlib.compress(pixels, level))
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(("name", "a", "b", "expected"), [
    ("a.txt", b"x \ny\r\n", b"x\ny\n", "text same"),
    ("a.txt", b"a\nb\nc\n", b"a\nB\nc\n", "text line 2"),
    ("a.txt", b"a\n", b"a\nb\n", "text line 2"),
    ("a.log", b"done at 2026-01-02T03:04:05.123Z\n", b"done at 2025-11-12 13:14:15\n", "text same"),
    ("a.log", b"Tue Nov 25 01:03:00 UTC 2026 ok\n", b"Mon Oct  6 11:13:59 UTC 2025 ok\n", "text same"),
    ("a.tsv", b"x\t1.0000001\n", b"x\t1.0\n", "text same"), ("a.tsv", b"x\t1.1\n", b"x\t1.0\n", "text line 1"),
    ("a.csv", b"1e-3,2\n", b"0.001,2.0\n", "text same"), ("a.tsv", b"chr1\t5\n", b"chr2\t5\n", "text line 1"),
    ("a.txt", b"0" * 40, b"1" * 40, "text line 1"), ("a.txt.gz", gzip.compress(b"a\n", 1, mtime=1), gzip.compress(b"a\n", 9, mtime=2), "text same"),
    ("a.bin.gz", gzip.compress(b"\0\1" * 99, mtime=1), gzip.compress(b"\0\1" * 99, mtime=2), "gzip same"),
    ("a.bin.gz", gzip.compress(b"\0\1\2", mtime=1), gzip.compress(b"\0\1\3", mtime=2), "gzip byte 2"),
    ("a.vcf", b"##date=1\n#CHROM\tx\n1\t2\n", b"##date=2\n##more\n#CHROM\tx\n1\t2\n", "vcf same"),
    ("a.vcf.gz", gzip.compress(b"##a\n#CHROM\tx\n1\n", mtime=1), b"##b\n#CHROM\ty\n1\n", "vcf record 1"),
    ("a.sam", b"@PG\tx\nr1\t0\n", b"@PG\ty\n@CO\nr1\t0\n", "sam same"), ("a.sam", b"@PG\nr1\t0\n", b"@PG\nr1\t4\n", "sam record 1"),
    ("a.bam", bam("@PG\tone", b"r1", b"r2"), bam("@PG\tanother", b"r1", b"r2"), "sam same"),
    ("a.bam", bam("@PG", b"r1", b"r2"), bam("@PG", b"r1", b"r3"), "sam record 3"),
    ("a.json", b'{"a": 1, "b": [1.0]}', b'{"b":[1.00000001],"a":1}', "json same"),
    ("a.json", b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', "json $.a.b[1]"), ("a.json", b'{"a": true}', b'{"a": 1}', "json $.a"),
    ("a.json", b"{", b"[", "json byte 0"),
    ("a.html", b"<html><style>x</style><p>Hello  world</p>", b"<p class=a>Hello world<script>1</script>", "html same"),
    ("a.html", b"<p>one</p>", b"<p>two</p>", "html text 1"),
    ("a.png", png(b"abc", b"made 1"), png(b"abc", b"made 2"), "png same"), ("a.png", png(b"abc", b""), png(b"abd", b""), "png part 2"),
    ("a.bin", b"\0\1\2", b"\0\1\3", "bytes byte 2"), ("noname", b"a\n", b"a \n", "text same"), ("a.png", b"x", b"y", "png byte 0"),
])  # fmt: skip
def test_each_type_has_what_does_not_matter_to_it(name: str, a: bytes, b: bytes, expected: str) -> None:
    assert verdict(name, a, b) == expected
    assert verdict(name, b, a) == expected
    assert verdict(name, a, a).endswith("same")


def test_order_counts_unless_it_is_said_not_to() -> None:
    a, b = b"a\nb\n2020-01-01\n", b"2021-02-02\nb\na\n"
    assert verdict("a.txt", a, b) == "text line 1"
    assert verdict("a.txt", a, b, "unordered") == "unordered same"
    assert verdict("a.txt", b"a\nb\n", b"b\nb\n", "unordered") == "unordered line 1"


def test_a_difference_says_how_much_differs() -> None:
    found = compare(named("text"), opener(b"a\nb\nc\nd\n"), opener(b"a\nx\nc\ny\n"), Settings())
    assert str(found) == "2 of 4 differ; first at line 2: 'b', 'x'"


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_bytes_break_a_comparator_and_the_same_are_the_same(a: bytes, b: bytes) -> None:
    for comparator in REGISTRY:
        compare(comparator, opener(a), opener(b), Settings())
        assert compare(comparator, opener(a), opener(a), Settings()) is None
    assert (binary(opener(a), opener(b), Settings()) is None) == (a == b)


def test_damaged_archives_are_compared_byte_by_byte() -> None:
    whole = gzip.compress(random.Random(1).randbytes(5000))
    assert verdict("a.gz", whole[:900], whole[:901]) == "gzip byte 900"


def test_an_unknown_comparator_names_the_known() -> None:
    with pytest.raises(UsageError, match="choose of vcf, sam, json"):
        named("xml")


def side(label: str, outputs: dict[str, dict[str, bytes | str]], **more: object) -> Side:
    import hashlib

    def item(name: str, data: bytes | str) -> Output:
        if isinstance(data, str):
            return Output(name, value=data)
        return Output(name, open=opener(data), digest=lambda algorithm: hashlib.new(algorithm, data).hexdigest())

    values = {
        "reference": "", "identifier": "", "status": "completed", "ended": "", "inputs": {}, "workflow": "w", "document": "d",
        "engine": "e", "engine_version": "1", "images": (), "options": {}, "steps": {}, **more,
    }  # fmt: skip
    return Side(
        label=label, outputs={o: [item(n, d) for n, d in files.items()] for o, files in outputs.items()}, **values
    )  # type: ignore[arg-type]


def judged(a: dict[str, dict[str, bytes | str]], b: dict[str, dict[str, bytes | str]], **more: object) -> Comparison:
    return judge(side("a", a), side("b", b, **more))


def test_verdicts_and_the_result() -> None:
    assert judged({"x": {"a": b"1"}}, {"x": {"a": b"1"}}).summary() == "reproduced, 1 of 1 outputs identical"
    assert judged({"x": {"a.txt": b"1"}}, {"x": {"b.txt": b"1 "}}).outputs[0].verdict == "equivalent"
    found = judged(
        {"x": {"a": b"1", "b": b"2"}, "v": {"v": "1"}}, {"x": {"a": b"3", "c": b"2"}, "v": {"v": "1.0000000001"}}
    )
    assert [c.verdict for c in found.outputs] == ["different", "missing", "added", "equivalent"]
    assert not found.reproduced
    assert judged({}, {}).summary() == "reproduced, neither run has outputs"
    assert not judged({}, {}, status="failed").reproduced


def test_what_else_differs_is_told() -> None:
    found = judge(
        side("a", {}, inputs={"n": ("1",)}, steps={"s": "completed exit code 0"}),
        side("b", {}, inputs={"n": ("2",), "m": ("3",)}, workflow="x", engine_version="2", images=("i@sha256:1",),
             options={"o": "1"}, steps={"s": "completed exit code 1"}),
    )  # fmt: skip
    assert [(c.kind, c.name) for c in found.circumstances] == [
        ("workflow", "sha256"), ("engine", "version"), ("image", "digests"), ("input", "n"), ("input", "m"), ("option", "o"),
        ("step", "s"),
    ]  # fmt: skip
    assert found.reproduced


def test_stated_digests_stand_for_bytes_that_are_elsewhere() -> None:
    here, there = side("a", {"x": {"f": b"1"}}), side("b", {})
    there.outputs["x"] = [Output("f", stated={"sha1": "356a192b7913b04c54574d18c28d46e6395428ab"})]
    assert judge(here, there).outputs[0].verdict == "identical"
    there.outputs["x"] = [Output("f", stated={"sha1": "0" * 40})]
    assert judge(here, there).outputs[0].verdict == "different"
    there.outputs["x"] = [Output("f")]
    assert judge(here, there).outputs[0].verdict == "unknown"


def test_the_page_is_whole_escaped_and_without_scripts() -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    html = page(judge(side(evil, {evil: {evil: b"1"}}), side("b", {evil: {evil: b"2"}}, workflow=evil)))
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

    Tags().feed(html)
    assert "script" not in tags
    assert "\x1b" not in html
    assert html.startswith("<!DOCTYPE html>")
    json.dumps(html)
