"""Comparators: the ways in which two files whose bytes differ may still hold the same.

A comparator turns each file into a stream of records (lines, values, pixels' rows) in which what does not matter is left
out, and the streams are compared. Nothing is read whole but JSON, and that within a limit.
"""

from __future__ import annotations

import gzip
import html.parser
import itertools
import json
import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import IO

from wfx.documents import load_document
from wfx.errors import UsageError, WfxError
from wfx.values import JsonValue

LONGEST_LINE = 1 << 20
MOST_JSON = 64 * 2**20
MOST_UNORDERED = 10_000_000
GZIP = b"\x1f\x8b"
# Times as programs write them: ISO 8601, `date`, HTTP, and the clock alone.
TIMES = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w*,? )?(?:\d{1,2} )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w*"
    r"\.? +\d{1,2},?(?: +\d{4})?(?: +\d\d:\d\d(?::\d\d)?)?(?: +[A-Z]{3,4})?(?: +\d{4})?"
    r"|\b\d\d:\d\d:\d\d(?:\.\d+)?\b"
)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")


@dataclass(frozen=True, slots=True)
class Settings:
    """What counts as the same."""

    tolerance: float = 1e-6
    """Relative difference of two numbers."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two files differ."""

    where: str
    """`line 12`, `record 3`, `byte 812`, `$.samples[2].name`."""
    first: str = ""
    """What the first has there."""
    second: str = ""
    count: int = 0
    """How many records differ, where they could be counted."""
    total: int = 0

    def __str__(self) -> str:
        much = f"{self.count} of {self.total} differ; " if self.count else ""
        return f"{much}first at {self.where}: {self.first!r}, {self.second!r}"


Opener = Callable[[], IO[bytes]]
Records = Callable[[IO[bytes]], Iterator[object]]


@dataclass(frozen=True, slots=True)
class Comparator:
    """A way to compare two files."""

    name: str
    doc: str
    """One line: what it leaves out."""
    suffixes: tuple[str, ...]
    """Of the names for which it is chosen, without the `.gz` that any may have."""
    compare: Callable[[Opener, Opener, Settings], Difference | None]


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for line in iter(lambda: stream.readline(LONGEST_LINE), b""):
        yield line.decode("utf-8", "surrogateescape").rstrip()


def _without_times(stream: IO[bytes]) -> Iterator[str]:
    return (TIMES.sub("<time>", line) for line in _lines(stream))


def _unpacked(opener: Opener) -> IO[bytes]:
    """Open a file; of one that gzip has packed, what is in it."""
    stream = opener()
    head = stream.read(2)
    stream.close()
    raw = opener()
    return gzip.GzipFile(fileobj=raw) if head == GZIP else raw  # type: ignore[return-value]


def _in_order(records: Records, unit: str) -> Callable[[Opener, Opener, Settings], Difference | None]:
    def compare(a: Opener, b: Opener, settings: Settings) -> Difference | None:
        first: Difference | None = None
        count = total = 0
        with _unpacked(a) as left, _unpacked(b) as right:
            for total, (x, y) in enumerate(itertools.zip_longest(records(left), records(right)), 1):
                if not _same(x, y, settings):
                    count += 1
                    first = first or Difference(f"{unit} {total}", _short(x), _short(y))
        return Difference(first.where, first.first, first.second, count, total) if first else None

    return compare


def _same(x: object, y: object, settings: Settings) -> bool:
    if x == y:
        return True
    if not isinstance(x, str) or not isinstance(y, str) or settings.tolerance <= 0:
        return False
    # Only where the texts around the numbers agree is it worth reading these.
    if NUMBER.sub("#", x) != NUMBER.sub("#", y):
        return False
    pairs = zip(NUMBER.findall(x), NUMBER.findall(y), strict=True)
    return all(s == t or _close(float(s), float(t), settings) for s, t in pairs if s != t)


def _close(x: float, y: float, settings: Settings) -> bool:
    return math.isclose(x, y, rel_tol=settings.tolerance, abs_tol=settings.tolerance * 1e-6)


def _unordered(a: Opener, b: Opener, settings: Settings) -> Difference | None:
    """Compare the lines as a bag; each is kept as a digest, so that the memory is bounded by their number."""
    counts: Counter[bytes] = Counter()
    totals = []
    for opener, sign in ((a, 1), (b, -1)):
        total = 0
        with _unpacked(opener) as stream:
            for total, line in enumerate(_without_times(stream), 1):
                if total > MOST_UNORDERED:
                    return Difference(f"line {MOST_UNORDERED}", "too long to be compared without order", "")
                counts[_key(line)] += sign
        totals.append(total)
    odd = sum(abs(n) for n in counts.values())
    if not odd:
        return None
    for opener, sign in ((a, 1), (b, -1)):
        with _unpacked(opener) as stream:
            for number, line in enumerate(_without_times(stream), 1):
                if counts[_key(line)] * sign > 0:
                    said = (_short(line), "") if sign > 0 else ("", _short(line))
                    return Difference(f"line {number}", *said, odd, sum(totals))
    return Difference("line 1")


def _key(line: str) -> bytes:
    return blake2b(line.encode("utf-8", "surrogateescape"), digest_size=12).digest()


def _vcf(stream: IO[bytes]) -> Iterator[str]:
    # Meta-information names programs, command lines and dates; the samples' line is data (VCF 4.3 §1.4, §1.5).
    return (line for line in _lines(stream) if not line.startswith("##"))


def _sam(stream: IO[bytes]) -> Iterator[object]:
    """Yield alignments without the header, of SAM and of BAM (SAM v1 §1.3, §4.2)."""
    magic = stream.read(4)
    if magic != b"BAM\1":
        # The four bytes may hold the ends of lines.
        head = (magic + stream.readline(LONGEST_LINE)).decode("utf-8", "surrogateescape").split("\n")
        lines = itertools.chain((line.rstrip() for line in head if line), _lines(stream))
        yield from (line for line in lines if not line.startswith("@"))
        return
    _skip(stream, _int(stream))
    for _ in range(_int(stream)):
        name = stream.read(_bounded(_int(stream)))
        yield name, _int(stream)
    while (size := stream.read(4)) != b"":
        yield stream.read(_bounded(struct.unpack("<i", size)[0])).hex()


def _int(stream: IO[bytes]) -> int:
    data = stream.read(4)
    if len(data) < 4:
        raise ValueError("it ends in the middle")
    number: int = struct.unpack("<i", data)[0]
    return number


def _bounded(size: int) -> int:
    if not 0 <= size <= 64 * 2**20:
        raise ValueError(f"a record of {size} bytes")
    return size


def _skip(stream: IO[bytes], size: int) -> None:
    while size > 0:
        part = stream.read(min(size, 1 << 20))
        if not part:
            raise ValueError("it ends in the middle")
        size -= len(part)


class _Text(html.parser.HTMLParser):
    """Gathers what a reader sees of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style", "head")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "head") and self.hidden > 0

    def handle_data(self, data: str) -> None:
        said = " ".join(data.split())
        if said and not self.hidden:
            self.found.append(TIMES.sub("<time>", said))


def _page(stream: IO[bytes]) -> Iterator[str]:
    parser = _Text()
    for chunk in iter(lambda: stream.read(1 << 16), b""):
        parser.feed(chunk.decode("utf-8", "replace"))
        yield from parser.found
        parser.found.clear()
    parser.close()
    yield from parser.found


def _png(stream: IO[bytes]) -> Iterator[object]:
    """Yield size, palette and pixels of a PNG, without its texts and dates (PNG §11)."""
    if stream.read(8) != b"\x89PNG\r\n\x1a\n":
        raise ValueError("it is no PNG")
    pixels = zlib.decompressobj()
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        data = stream.read(_bounded(size))
        stream.read(4)
        if kind == b"IDAT":
            while data:
                yield pixels.decompress(data, 1 << 20)
                data = pixels.unconsumed_tail
        elif kind in (b"IHDR", b"PLTE", b"tRNS"):
            yield kind, data
        elif kind == b"IEND":
            return


def _json(a: Opener, b: Opener, settings: Settings) -> Difference | None:
    values = []
    for opener in (a, b):
        with _unpacked(opener) as stream:
            data = stream.read(MOST_JSON + 1)
        if len(data) > MOST_JSON:
            raise ValueError("too large to be read as JSON")
        values.append(load_document(data, "output.json").value)
    return next(differences(values[0], values[1], settings), None)


def differences(a: JsonValue, b: JsonValue, settings: Settings, path: str = "$") -> Iterator[Difference]:
    """Yield where two JSON values differ; the order of keys does not count, numbers may differ by the tolerance."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if key not in a or key not in b:
                yield Difference(f"{path}.{key}", "there" if key in a else "", "there" if key in b else "")
            else:
                yield from differences(a[key], b[key], settings, f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield Difference(path, f"{len(a)} items", f"{len(b)} items")
        for number, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from differences(x, y, settings, f"{path}[{number}]")
    elif isinstance(a, (int, float)) and isinstance(b, (int, float)) and not {type(a), type(b)} & {bool}:
        if a != b and not _close(float(a), float(b), settings):
            yield Difference(path, str(a), str(b))
    elif a != b or type(a) is not type(b):
        yield Difference(path, _short(json.dumps(a, ensure_ascii=False)), _short(json.dumps(b, ensure_ascii=False)))


def binary(a: Opener, b: Opener, settings: Settings) -> Difference | None:
    """Compare byte by byte."""
    offset = 0
    with a() as left, b() as right:
        while True:
            x, y = left.read(1 << 20), right.read(1 << 20)
            if x != y:
                at = next((i for i, (m, n) in enumerate(zip(x, y, strict=False)) if m != n), min(len(x), len(y)))
                return Difference(f"byte {offset + at}", x[at : at + 8].hex(" "), y[at : at + 8].hex(" "))
            if not x:
                return None
            offset += len(x)


def _content(a: Opener, b: Opener, settings: Settings) -> Difference | None:
    return binary(lambda: _unpacked(a), lambda: _unpacked(b), settings)


def _short(value: object) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


REGISTRY: tuple[Comparator, ...] = (
    Comparator("vcf", "records, without the meta-information", (".vcf",), _in_order(_vcf, "record")),
    Comparator("sam", "alignments, without the header", (".sam", ".bam"), _in_order(_sam, "record")),
    Comparator("json", "values, without order of keys and white space", (".json", ".geojson"), _json),
    Comparator("html", "what a reader sees, without times", (".html", ".htm", ".xhtml"), _in_order(_page, "text")),
    Comparator("png", "pixels, without texts and dates", (".png",), _in_order(_png, "part")),
    Comparator(
        "text", "lines, without white space at their ends and without times; numbers by tolerance",
        (".txt", ".tsv", ".csv", ".tab", ".bed", ".gff", ".gff3", ".gtf", ".fa", ".fasta", ".fq", ".fastq", ".log", ".md",
         ".out", ".dat", ".xml", ".svg", ".yml", ".yaml", ".nwk", ".aln", ".sizes", ".wig", ".bedgraph"),
        _in_order(_without_times, "line"),
    ),
    Comparator("unordered", "lines in any order, as `text` but for the tolerance", (), _unordered),
    Comparator("gzip", "what is packed, without names and dates of packing", (), _content),
    Comparator("bytes", "nothing is left out", (), binary),
)  # fmt: skip


def named(name: str) -> Comparator:
    """Return a comparator by its name. Raises UsageError."""
    found = next((c for c in REGISTRY if c.name == name), None)
    if found is None:
        raise UsageError(f"there is no comparator {name!r}", remedy=f"choose of {', '.join(c.name for c in REGISTRY)}")
    return found


def chosen(name: str, a: Opener, b: Opener) -> Comparator:
    """Return the comparator for files of a name: by suffix, else by what the bytes are."""
    plain = name.lower().removesuffix(".gz").removesuffix(".bgz")
    for comparator in REGISTRY:
        if plain.endswith(comparator.suffixes or ("\0",)):
            return comparator
    heads = []
    for opener in (a, b):
        with opener() as stream:
            heads.append(stream.read(8192))
    if all(head.startswith(GZIP) for head in heads):
        return named("gzip")
    if all(b"\0" not in head and _is_text(head) for head in heads):
        return named("text")
    return named("bytes")


def _is_text(head: bytes) -> bool:
    try:
        head[: max(len(head) - 4, 0)].decode("utf-8")
    except UnicodeDecodeError:
        return len(head) < 8
    return True


def compare(comparator: Comparator, a: Opener, b: Opener, settings: Settings) -> Difference | None:
    """Compare two files; what a comparator cannot read is compared byte by byte."""
    try:
        return comparator.compare(a, b, settings)
    except (ValueError, EOFError, OSError, zlib.error, struct.error, WfxError):
        return binary(a, b, settings)
