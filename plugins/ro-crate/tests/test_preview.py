"""The page: safe whatever the values are, whole, and usable."""

from __future__ import annotations

import dataclasses
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from crate_records import FILE, STRING, array, event, meanwhile, two_steps, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wfx.engines import Step, Tool
from wfx.redaction import redact
from wfx.running import RunRecord
from wfx.values import Parameter
from wfx_ro_crate.describing import describe
from wfx_ro_crate.markup import Markup, join, link, tag
from wfx_ro_crate.preview import preview
from wfx_ro_crate.timeline import duration
from wfx_ro_crate.view import size_of

VOID = {"meta", "link", "img", "br", "hr", "rect", "line"}
TAGS = {
    "html", "head", "meta", "title", "link", "style", "body", "a", "header", "div", "span", "h1", "h2", "h3", "p", "dl",
    "dt", "dd", "main", "section", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "pre", "details",
    "summary", "svg", "line", "rect", "footer", "time", "figure", "figcaption", "img",
}  # fmt: skip


class Structure(HTMLParser):
    """Collects elements and attributes; fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Structure:
    structure = Structure()
    structure.feed(page)
    structure.close()
    assert structure.open == []
    return structure


def page_of(record: RunRecord, directory: Path) -> str:
    return preview(record, directory, describe(record, directory))


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from([
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "</style><script>x</script>",
        "javascript:alert(1)", "<!--", "]]>", "&lt;script&gt;", "\u202eevil", "\x00\x1b[2J", "\ud800", "a" * 5000,
    ]),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(HOSTILE, min_size=8, max_size=8), st.sampled_from(["completed", "failed", "interrupted"]))
def test_no_value_can_become_markup(texts: list[str], status: Any) -> None:
    name, doc, value, error, command, label, step, file = texts
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        base = two_steps(directory)
        description = dataclasses.replace(
            base.plan.description, name=name, doc=doc,
            inputs=(*base.plan.description.inputs, Parameter("text", STRING, label=label, doc=doc)),
            steps=(Step("count", "count.cwl", 0, name=step, doc=doc), base.plan.description.steps[1]),
        )  # fmt: skip
        plan = dataclasses.replace(
            base.plan,
            name=name,
            description=description,
            inputs={**base.plan.inputs, "text": value, "l": [value, {"k": value}]},
        )
        ran = dataclasses.replace(
            base.events[0], command=(command, value), error=error, outputs={"out": meanwhile(file or "f", b"x")},
            state="completed" if status == "completed" else "failed", image=label or None, name=name,
        )  # fmt: skip
        agent = dataclasses.replace(base.agent, name=name, orcid=value)  # type: ignore[type-var]
        run = dataclasses.replace(
            base, plan=plan, events=(ran, *base.events[1:]), status=status, error=error, agent=agent
        )
        page = page_of(run, directory)
        structure = parsed(page)
        assert structure.tags <= TAGS
        for element, attribute, target in structure.attributes:
            assert not attribute.startswith("on"), (element, attribute)
            if attribute in ("href", "src"):
                assert not target.strip().lower().startswith(("javascript:", "data:", "vbscript:")), target
        page.encode("utf-8")


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "outputs/plot.png", b"png")
    page = page_of(two_steps(tmp_path), tmp_path)
    structure = parsed(page)
    assert "script" not in structure.tags
    assert page.startswith("<!DOCTYPE html>")
    assert not [t for _, a, t in structure.attributes if a == "src" and "://" in t]
    assert not [t for e, a, t in structure.attributes if e == "link" and a == "href" and "://" in t]
    assert "url(" not in page
    assert "@import" not in page


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    redact.learn("correct-horse-battery")
    base = two_steps(tmp_path)
    write(tmp_path, "logs/steps/count.log", b"key correct-horse-battery\nhttps://u:p4ssw0rd@h.example/x\n")
    failed = event("count", "count", state="failed", exit_code=1, command=("curl", "https://u:p4ssw0rd@h.example/x"),
                   log="logs/steps/count.log", error="correct-horse-battery")  # fmt: skip
    run = dataclasses.replace(
        base, status="failed", events=(failed,), logs=("logs/steps/count.log",), error="correct-horse-battery"
    )
    document = describe(run, tmp_path)
    for text in (preview(run, tmp_path, document), repr(document)):
        assert "correct-horse-battery" not in text
        assert "p4ssw0rd" not in text


def test_thousands_of_executions_stay_a_small_page(tmp_path: Path) -> None:
    base = two_steps(tmp_path)
    events = tuple(
        event(f"count_{n}", "count", n % 50, 1, state="failed" if n == 4999 else "completed") for n in range(5000)
    )
    page = page_of(dataclasses.replace(base, events=events), tmp_path)
    assert len(page) < 200_000
    assert "count_4999" in page, "what failed is shown first"
    assert "4960 more" in page
    assert "5000 executions" in page


def test_hundreds_of_steps_are_folded(tmp_path: Path) -> None:
    tool = Tool("count.cwl", "command", inputs=(Parameter("reads", FILE),), document="count.cwl")
    steps = tuple(Step(f"s{n:03d}", "count.cwl", n) for n in range(300))
    base = two_steps(
        tmp_path, tools=(tool,), steps=steps, connections=(), events=tuple(event(s.id, s.id) for s in steps)
    )
    page = page_of(base, tmp_path)
    assert "<summary>240 more steps</summary>" in page


def test_long_lists_are_cut_and_say_so(tmp_path: Path) -> None:
    files = [write(tmp_path, f"inputs/reads/{n}.fq", b"%d" % n) for n in range(100)]
    base = two_steps(tmp_path, inputs=(Parameter("reads", array(FILE)),), values={"reads": files}, events=())
    assert "and 88 more" in page_of(base, tmp_path)


def test_markup_escapes_all_that_is_not_markup() -> None:
    assert join(["<", Markup("<b>"), None]) == "&lt;<b>"
    assert tag("a", "x", href='"><') == '<a href="&quot;&gt;&lt;">x</a>'
    assert link(" JaVaScRiPt:x", "y") == "<span>y</span>"
    assert link("outputs/a%20b.txt") == '<a href="outputs/a%20b.txt">outputs/a%20b.txt</a>'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0 ms"), (0.5, "500 ms"), (59.9, "59.9 s"), (60, "1 min 0 s"), (3661, "1 h 1 min"), (200_000, "2 d 7 h")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (10**16, "10000.0 TB")]
)
def test_sizes_are_for_people(number: int, text: str) -> None:
    assert size_of(number) == text
