"""Documents that lie elsewhere, and jobs of every kind."""

from __future__ import annotations

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real


@pytest.fixture
def server():
    with FaultServer() as made:
        yield made


def test_what_a_document_names_by_its_address_is_staged_with_it(wfx, server, outputs, record, tmp_path):
    server.add("/rules/hello.smk", b'rule hello:\n    output: "hello.txt"\n    shell: "echo hello > {output}"\n')
    server.add(
        "/other/Snakefile",
        b'include: "rules/part.smk"\n',
    )
    server.add("/other/rules/part.smk", b'rule part:\n    output: "part.txt"\n    script: "../scripts/part.py"\n')
    server.add("/other/scripts/part.py", b'open(snakemake.output[0], "w").write("part\\n")\n')
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "Snakefile").write_text(
        f'include: "{server.url}/rules/hello.smk"\n\nmodule other:\n    snakefile: "{server.url}/other/Snakefile"\n\n'
        "use rule * from other as other_*\n\n"
        'rule all:\n    input: "hello.txt", "part.txt"\n    default_target: True\n'
    )
    wfx("run", folder, "-o", "one")
    assert outputs(tmp_path / "one") == {"hello.txt": b"hello\n", "part.txt": b"part\n"}
    events = {event.id: event for event in record(tmp_path / "one").events}
    assert set(events) == {"hello", "other_part"}
    server.resources.clear()
    wfx("run", folder, "-o", "two", "--offline")
    assert outputs(tmp_path / "two") == outputs(tmp_path / "one")


def test_a_workflow_is_run_from_its_address(wfx, server, outputs, tmp_path):
    server.add("/w/Snakefile", b'configfile: "config.yaml"\ninclude: "more.smk"\nrule all:\n    input: "a.txt"\n')
    server.add("/w/config.yaml", b"word: hello\n")
    server.add("/w/more.smk", b'rule a:\n    output: "a.txt"\n    shell: "echo {config[word]} > {output}"\n')
    wfx("run", f"{server.url}/w/Snakefile", "-o", "run", "-i", "word=bye")
    assert outputs(tmp_path / "run") == {"a.txt": b"bye\n"}


KINDS = """\
scattergather:
    split=3

rule all:
    input: "gathered.txt", "piped.txt", shadowed="sh/out.txt"

rule make:
    output: scatter.split("parts/{scatteritem}.txt")
    shell: "for f in {output}; do echo $f > $f; done"

rule up:
    input: "parts/{scatteritem}.txt"
    output: "up/{scatteritem}.txt"
    group: "g"
    shell: "tr a-z A-Z < {input} > {output}"

rule gather:
    input: gather.split("up/{scatteritem}.txt")
    output: "gathered.txt"
    shell: "cat {input} > {output}"

rule produce:
    output: pipe("p.txt")
    shell: "echo hello > {output}"

rule consume:
    input: "p.txt"
    output: "piped.txt"
    shell: "cat {input} > {output}"

rule shade:
    output: "sh/out.txt"
    shadow: "minimal"
    shell: "echo s > sh/out.txt; touch junk"
"""


def test_scattered_grouped_piped_and_shadowed_jobs(wfx, outputs, record, tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "Snakefile").write_text(KINDS)
    wfx("run", folder, "-o", "run", "--cores", "2")
    done = record(tmp_path / "run")
    assert set(done.outputs) == {"gather", "consume", "shadowed"}
    assert outputs(tmp_path / "run")["gathered.txt"].split() == [f"PARTS/{n}-OF-3.TXT".encode() for n in (1, 2, 3)]
    assert {e.id: e.state for e in done.events} == dict.fromkeys(
        ("make", "up_1-of-3", "up_2-of-3", "up_3-of-3", "gather", "produce", "consume", "shade"), "completed"
    )
    assert [f for f in validate(tmp_path / "run", level="RECOMMENDED") if f.code not in PERSONAL] == []
