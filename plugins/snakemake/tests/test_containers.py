"""Rules that name container images, run in them with Apptainer or Singularity."""

from __future__ import annotations

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.registries import Registry

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

SNAKEFILE = """\
container: "docker://{image}"

rule all:
    input: "shown.txt"

rule show:
    input: config["words"]
    output: "shown.txt"
    resources: shell_exec="sh"
    shell: "(cat /hello {{input}}; wc -l < /proc/net/dev) > {{output}}"
"""


@pytest.fixture(scope="module")
def image():
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        yield f"{registry.host}/wfx/tools:1"


def test_a_rule_runs_in_its_image_and_again_offline(wfx, singularity_program, image, outputs, record, tmp_path):
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE.format(image=image))
    (tmp_path / "words.txt").write_text("b\na\n")
    for run, more in (("one", ()), ("two", ("--offline",))):
        wfx("run", folder, "-i", "words=@words.txt", "--containers", "singularity", "-o", run, *more)
        # Two lines of headings and the loopback: no other interface.
        assert outputs(tmp_path / run) == {"shown.txt": b"hello\nb\na\n3\n"}
    done = record(tmp_path / "one")
    [event] = [event for event in done.events if event.step == "show"]
    assert event.image == f"docker://{image}"
    assert event.image_digest.startswith("sha256:")
    assert [f for f in validate(tmp_path / "one") if f.code not in PERSONAL] == []


def test_without_a_runtime_the_programs_are_those_of_the_machine(wfx, outputs, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "Snakefile").write_text(
        'rule a:\n    output: "x"\n    container: "docker://example.org/a:1"\n    shell: "echo here > {output}"\n'
    )
    done = wfx("run", folder, "--containers", "none", "-o", "run")
    assert outputs(tmp_path / "run") == {"x": b"here\n"}
    assert "not used: docker://example.org/a:1" in done.stderr


@pytest.mark.parametrize("runtime", ["docker", "podman"])
def test_a_runtime_that_snakemake_does_not_drive_is_refused_and_the_one_that_it_does_is_named(wfx, tmp_path, runtime):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "Snakefile").write_text(
        'rule a:\n    output: "x"\n    container: "docker://example.org/a:1"\n    shell: "echo here > {output}"\n'
    )
    line = wfx("run", folder, "--containers", runtime, "-o", "run", check=7).stderr.strip().splitlines()[-1]
    assert f"{runtime}: Snakemake cannot drive it" in line
    assert "--containers singularity" in line
    assert not (tmp_path / "run").exists()
