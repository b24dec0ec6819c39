"""The example of variants in an image of Debian's own programs: in each runtime the records that it has without one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.crates import validate
from wfx.testing.debian import debian_image
from wfx.testing.registries import Registry
from wfx.testing.requirements import require

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "variants"
DATA = Path("/usr/share/doc/bowtie2/examples")
PROGRAMS = ("bowtie2", "samtools", "bcftools", "gzip", "dash", "coreutils")


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    with Registry() as registry:
        registry.push("wfx/variants", "1", debian_image(*PROGRAMS))
        yield f"{registry.host}/wfx/variants:1"


def workflow(bench: Any, image: str) -> Path:
    """Copy the example, and have it ask for the image in one place for all its tools."""
    require(DATA.is_dir(), "the Debian package bowtie2-examples is not installed")
    folder = bench.folder / "variants"
    shutil.copytree(EXAMPLE, folder)
    path = folder / "workflow.cwl"
    text = path.read_text()
    path.write_text(text + f"\nrequirements: {{DockerRequirement: {{dockerPull: '{image}'}}}}\n")
    return path


def records(report: Any) -> list[str]:
    text = Path(report["outputs"]["variants"]["path"]).read_text()
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def known() -> dict[str, list[str]]:
    """What the module's tests have found out."""
    return {}


@pytest.fixture
def expected(wfx: Any, known: dict[str, list[str]]) -> list[str]:
    """The records of a run without a container, with the same versions of the programs."""
    if not known:
        require(DATA.is_dir(), "the Debian package bowtie2-examples is not installed")
        # The image has Debian's programs, and so must this.
        path = {"PATH": f"/usr/bin:{os.environ['PATH']}"}
        done = wfx("run", EXAMPLE / "workflow.cwl", EXAMPLE / "job.yml", "-o", "plain", "--json", timeout=300, env=path)
        assert done.code == 0, done.err
        known["records"] = records(done.json)
    return known["records"]


@pytest.mark.parametrize("runtime", ["docker", "podman", "singularity"])
def test_the_variants_are_the_same_in_each_runtime(
    wfx: Any, image: str, expected: list[str], runtime: str, request: pytest.FixtureRequest
) -> None:
    if runtime == "docker":
        wfx.env |= request.getfixturevalue("docker_daemon").environment
    elif runtime == "podman":
        wfx.env |= request.getfixturevalue("podman_storage").environment
    else:
        request.getfixturevalue("singularity_program")
    flow = workflow(wfx, image)
    done = wfx("run", flow, flow.with_name("job.yml"), "--containers", runtime, "-o", "out", "--json", timeout=300)
    assert done.code == 0, done.err
    assert len(expected) > 50
    assert records(done.json) == expected
    assert len({step["image_digest"] for step in done.json["steps"]}) == 1
    assert validate(wfx.folder / "out") == []
