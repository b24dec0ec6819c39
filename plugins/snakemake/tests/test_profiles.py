"""Profiles of the workflow's own: used, told, or refused by key."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.real

SNAKEFILE = """\
configfile: "config/config.yaml"

scattergather:
    parts=2

rule all:
    input: "told.txt", "gathered.txt"

rule tell:
    output: "told.txt"
    threads: 4
    resources: mem_mb=10
    params: colour=lambda wildcards, resources: resources.get("colour", "no")
    shell: "echo {config[word]} {threads} {resources.mem_mb} {params.colour} > {output}"

rule scatter:
    output: scatter.parts("p/{scatteritem}")
    shell: "for f in {output}; do basename $f > $f; done"

rule gather:
    input: gather.parts("p/{scatteritem}")
    output: "gathered.txt"
    shell: "cat {input} > {output}"
"""
PROFILE = """\
config:
  word: profile
set-threads:
  tell: 1
set-resources:
  tell:
    mem_mb: 77
default-resources:
  colour: "'blue'"
set-scatter:
  parts: 3
printshellcmds: true
cores: 64
executor: slurm
"""


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "w"
    for name, text in {
        "workflow/Snakefile": SNAKEFILE, "config/config.yaml": "word: config\n",
        "workflow/profiles/default/config.yaml": PROFILE, "profiles/small/config.v8+.yaml": "set-scatter: [parts=1]\n"
        "default-resources: [\"colour='red'\"]\n", "profiles/small/config.v99+.yaml": "what-is-this: 1\n",
    }.items():  # fmt: skip
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def test_the_default_profile_is_used_and_told(wfx, folder, bare, outputs, record, tmp_path):
    done = wfx("run", folder, "-o", "run", "--cores", "2")
    made = outputs(tmp_path / "run")
    assert made["told.txt"] == b"profile 1 77 blue\n"
    assert made["gathered.txt"].split() == [b"1-of-3", b"2-of-3", b"3-of-3"]
    bare(folder, "--executor", "local").check_returncode()
    assert {name: (folder / name).read_bytes() for name in made} == made
    for text in ("workflow/profiles/default/config.yaml is used", "set-threads", "executor=slurm", "cores=64"):
        assert text in done.stderr
    assert any("is used" in warning for warning in record(tmp_path / "run").plan.warnings)


def test_what_the_user_gives_comes_before_the_profile(wfx, folder, outputs, tmp_path):
    wfx("run", folder, "-o", "run", "-i", "word=mine")
    assert outputs(tmp_path / "run")["told.txt"] == b"mine 1 77 blue\n"


def test_a_definition_names_another_profile_or_none(wfx, folder, outputs, tmp_path):
    (tmp_path / "a.wfx.yml").write_text("wfx: 1\nworkflow: w\noptions: {profile: small, cores: 1}\n")
    wfx("run", "a.wfx.yml", "-o", "one")
    assert outputs(tmp_path / "one")["told.txt"] == b"config 1 10 red\n"
    assert outputs(tmp_path / "one")["gathered.txt"].split() == [b"1-of-1"]
    wfx("run", folder, "-o", "two", "-O", "profile=none")
    assert outputs(tmp_path / "two")["gathered.txt"].split() == [b"1-of-2", b"2-of-2"]
    assert "it has no profile 'other'" in wfx("run", folder, "-O", "profile=other", check=3).stderr


@pytest.mark.parametrize("text", ["batch: all=1/3", "until: [tell]"])
def test_a_key_that_nobody_can_keep_is_refused_by_its_name(wfx, folder, text):
    (folder / "workflow/profiles/default/config.yaml").write_text(text + "\n")
    line = wfx("run", folder, check=3).stderr.strip().splitlines()[-1]
    assert f"sets '{text.partition(':')[0]}'" in line
    assert "workflow/profiles/default/config.yaml" in line


def test_a_broken_profile_has_its_place(wfx, folder):
    (folder / "workflow/profiles/default/config.yaml").write_text("a: b\nc: [\n")
    assert "workflow/profiles/default/config.yaml:" in wfx("run", folder, check=3).stderr
    (folder / "workflow/profiles/default/config.yaml").write_text("set-threads: [nonsense]\n")
    line = wfx("run", folder, check=3).stderr.strip().splitlines()[-1]
    assert "the profile is not valid" in line
