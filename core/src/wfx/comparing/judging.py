"""Hold one run against another: each output `identical`, `equivalent` or `different`, and what else differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wfx.comparing.comparators import Comparator, Settings, chosen, compare, named
from wfx.comparing.sides import Output, Side

Verdict = Literal["identical", "equivalent", "different", "missing", "added", "unknown"]
GOOD = ("identical", "equivalent")
SCHEMA = 1
DEFAULT = Settings()


@dataclass(frozen=True, slots=True)
class Compared:
    """One output of the two runs."""

    output: str
    file: str
    verdict: Verdict
    """`missing` is in the first alone, `added` in the second alone; of `unknown` one has neither bytes nor a digest."""
    by: str = ""
    """The comparator that judged it; empty where the digests did."""
    detail: str = ""
    """Where they differ."""
    sha256: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Circumstance:
    """Something beside the outputs in which the two runs differ."""

    kind: Literal["status", "workflow", "input", "option", "image", "engine", "step"]
    name: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it."""

    first: str
    second: str
    outputs: tuple[Compared, ...]
    circumstances: tuple[Circumstance, ...]
    reproduced: bool
    identifiers: tuple[str, str] = ("", "")
    schema: int = SCHEMA

    def counts(self) -> dict[str, int]:
        """Return how many outputs came to each verdict."""
        found: dict[str, int] = {}
        for item in self.outputs:
            found[item.verdict] = found.get(item.verdict, 0) + 1
        return found

    def summary(self) -> str:
        """Return the result in one line."""
        total, counts = len(self.outputs), self.counts()
        said = "reproduced" if self.reproduced else "not reproduced"
        if not total:
            return f"{said}, neither run has outputs"
        if counts.get("identical") == total:
            return f"{said}, {total} of {total} outputs identical"
        return f"{said}, of {total} outputs " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items())


def judge(
    first: Side, second: Side, settings: Settings = DEFAULT, *, by: dict[str, str] | None = None, default: str = ""
) -> Comparison:
    """Compare two runs. `by` names a comparator for an output, `default` for all."""
    outputs = tuple(_outputs(first, second, settings, by or {}, default))
    circumstances = tuple(_circumstances(first, second))
    same_end = first.status == second.status or "" in (first.status, second.status)
    reproduced = same_end and all(item.verdict in GOOD for item in outputs)
    return Comparison(
        first.label, second.label, outputs, circumstances, reproduced, (first.identifier, second.identifier)
    )


def _outputs(first: Side, second: Side, settings: Settings, by: dict[str, str], default: str) -> Iterator[Compared]:
    for name in dict.fromkeys((*first.outputs, *second.outputs)):
        left, right = first.outputs.get(name, []), second.outputs.get(name, [])
        wanted = by.get(name, default)
        comparator = named(wanted) if wanted else None
        if len(left) == len(right) == 1:
            yield _pair(name, left[0], right[0], settings, comparator)
            continue
        others = {item.name: item for item in right}
        for item in left:
            other = others.pop(item.name, None)
            if other is not None:
                yield _pair(name, item, other, settings, comparator)
            else:
                yield Compared(name, item.name, "missing", detail="only in the first")
        for item in others.values():
            yield Compared(name, item.name, "added", detail="only in the second")


def _pair(output: str, a: Output, b: Output, settings: Settings, comparator: Comparator | None) -> Compared:
    file = a.name if a.name == b.name else f"{a.name}, {b.name}"
    if a.value is not None or b.value is not None:
        return _values(output, file, a, b, settings)
    for algorithm in ("sha256", "sha512", "sha1", "md5"):
        # What lies there counts, whatever the metadata say of it; a digest that is stated stands for bytes elsewhere.
        x, y = _digest(a, algorithm, b), _digest(b, algorithm, a)
        if x and y:
            pair = (x, y) if algorithm == "sha256" else ("", "")
            if x == y:
                return Compared(output, file, "identical", sha256=pair)
            return _by_content(output, file, a, b, settings, comparator, pair)
    return Compared(
        output, file, "unknown", detail="its bytes are not there, and no digest of one kind is stated for both"
    )


def _digest(item: Output, algorithm: str, other: Output) -> str:
    if item.digest is not None and (algorithm in other.stated or other.open is not None):
        return item.digest(algorithm)
    if item.open is not None and (algorithm in other.stated or other.open is not None):
        import hashlib

        found = hashlib.new(algorithm, usedforsecurity=False)
        with item.open() as stream:
            while chunk := stream.read(1 << 20):
                found.update(chunk)
        return found.hexdigest()
    return item.stated.get(algorithm, "")


def _by_content(
    output: str,
    file: str,
    a: Output,
    b: Output,
    settings: Settings,
    comparator: Comparator | None,
    pair: tuple[str, str],
) -> Compared:
    if a.open is None or b.open is None:
        return Compared(
            output, file, "different", detail="the digests differ, and the bytes are not both there", sha256=pair
        )
    comparator = comparator or chosen(a.name, a.open, b.open)
    difference = compare(comparator, a.open, b.open, settings)
    if difference is None:
        return Compared(output, file, "equivalent", comparator.name, comparator.doc, pair)
    return Compared(output, file, "different", comparator.name, str(difference), pair)


def _values(output: str, file: str, a: Output, b: Output, settings: Settings) -> Compared:
    if a.value == b.value:
        return Compared(output, file, "identical", "value")
    try:
        x, y = float(a.value or ""), float(b.value or "")
    except ValueError:
        return Compared(
            output, file, "different", "value", f"{(a.value or 'a file')[:80]!r}, {(b.value or 'a file')[:80]!r}"
        )
    close = abs(x - y) <= settings.tolerance * max(abs(x), abs(y))
    return Compared(output, file, "equivalent" if close else "different", "value", f"{a.value}, {b.value}")


def _circumstances(first: Side, second: Side) -> Iterator[Circumstance]:
    if first.status and second.status and first.status != second.status:
        yield Circumstance("status", "run", first.status or "not stated", second.status or "not stated")
    both = first.workflow and second.workflow
    digests = (first.workflow, second.workflow) if both else (first.document, second.document)
    if digests[0] != digests[1]:
        yield Circumstance("workflow", "sha256", *digests)
    if (first.engine, first.engine_version) != (second.engine, second.engine_version):
        engines = [f"{s.engine} {s.engine_version}".strip() or "not stated" for s in (first, second)]
        yield Circumstance("engine", "version", *engines)
    if first.images != second.images:
        yield Circumstance("image", "digests", ", ".join(first.images) or "none", ", ".join(second.images) or "none")
    for name in dict.fromkeys((*first.inputs, *second.inputs)):
        x, y = first.inputs.get(name), second.inputs.get(name)
        if x != y:
            yield Circumstance("input", name, _told(x), _told(y))
    for name in dict.fromkeys((*first.options, *second.options)):
        if first.options.get(name) != second.options.get(name):
            yield Circumstance("option", name, first.options.get(name, ""), second.options.get(name, ""))
    for name in dict.fromkeys((*first.steps, *second.steps)) if first.steps and second.steps else ():
        if first.steps.get(name) != second.steps.get(name):
            yield Circumstance(
                "step", name, first.steps.get(name, "did not run"), second.steps.get(name, "did not run")
            )


def _told(value: tuple[str, ...] | None) -> str:
    said = "none" if value is None else ", ".join(value)
    return said if len(said) <= 200 else f"{said[:197]}…"
